import { Plots, WINDOW_S } from './plots.js';
import { request } from './lib/request.js';
import { $, clock, describe, say, showStream } from './lib/shell.js';
import { Stream } from './lib/stream.js';

/** How often the server takes a sample. One that is older when it arrives has come from the log. */
const SAMPLE_EVERY_MS = 500;

let samples = [];
/** What was missed and has come since: from when to when it was taken, how many samples, and within how many ms. */
const caughtUp = [];
const plots = new Plots(caughtUp);

/** The smallest age of a sample so far: the clocks of server and browser differ. */
let skewMs = Infinity;
/** What is being caught up, from the opening of the stream to the first sample that is not late. */
let catching;
let frame;

const stream = new Stream('/api/machine', {
  // Something comes with each sample: one that is late for four seconds says that the server is gone.
  heartbeat: 1_400,
  // A new page starts to read two minutes back, so that it is full at once. So does one whose place is gone, because the server has started anew.
  async snapshot() {
    samples = [];
    caughtUp.length = 0;
    catching = undefined;
    return { lastEventId: (await request('/api/machine/start')).answer?.lastEventId ?? '' };
  },
  onState(now) {
    const last = samples.at(-1);
    if (now.state === 'open' && last) catching = { from: last.at, count: 0, openedAt: performance.now() };
    showStream(now);
    showAge();
  },
  on: {
    sample(event) {
      add(event.json());
      // Two minutes of samples may arrive at once: draw them once.
      frame ??= requestAnimationFrame(draw);
    },
  },
});

$('pause').addEventListener('click', () => (stream.state === 'paused' ? stream.open() : stream.pause()));
showStream({ state: 'connecting' });
stream.open();

function add(sample) {
  samples.push(sample);
  const ageMs = Date.now() - sample.at;
  skewMs = Math.min(skewMs, ageMs);
  if (catching && ageMs - skewMs > SAMPLE_EVERY_MS) catchUp(catching, sample);
  else catching = undefined;
}

function catchUp(range, { at }) {
  if (range.count === 0) caughtUp.push(range);
  Object.assign(range, { to: at, count: range.count + 1, tookMs: performance.now() - range.openedAt });
}

function draw() {
  frame = undefined;
  if (samples.length === 0) return;
  const start = samples.at(-1).at - WINDOW_S * 1_000;
  samples = samples.filter(({ at }) => at >= start);
  while (caughtUp[0]?.to < start) caughtUp.shift();
  plots.draw(samples);
  showAge();
  showCoverage();
}

/** Whether what is shown is of now, and of when it is otherwise. */
function showAge() {
  const { tone, label } = describe(stream);
  const last = samples.at(-1);
  const isOld = last !== undefined && stream.state !== 'open';
  $('plots').classList.toggle('old', isOld);
  $('pause').textContent = stream.state === 'paused' ? 'Go on' : 'Pause the stream';
  $('pause').classList.toggle('primary', stream.state === 'paused');
  if (last === undefined) return say($('shown'), 'waiting', 'Waiting for the first sample');
  say($('shown'), tone, isOld ? `${label}, as of ${clock(last.at)}` : 'live');
}

function showCoverage() {
  const gaps = samples.slice(1).map((sample, i) => sample.at - samples[i].at);
  const span = Math.round((samples.at(-1).at - samples[0].at) / 1_000);
  const longest = Math.max(0, ...gaps) / 1_000;
  $('coverage').textContent =
    `${samples.length} samples of the last ${span} seconds; the longest time between two of them is ${longest.toFixed(1)} s.`;
  const last = caughtUp.at(-1);
  $('caught-up').hidden = last === undefined;
  if (last === undefined) return;
  const count = last.count === 1 ? '1 sample' : `${last.count} samples`;
  say($('caught-up'), 'waiting', `${count} caught up in ${last.tookMs.toFixed(0)} ms`);
}
