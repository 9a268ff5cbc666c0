import { framesOf, parseFrame } from './lib/frames.js';
import { onWanted, takeLine } from './lib/lines.js';
import { post } from './lib/request.js';
import { $, hideNotice, say, showNotice, showState, showStream } from './lib/shell.js';

const MAX_ROWS = 200;
const GIVEN_UP = 'The server answered with an error, after which it does not come back by itself. Reopen it.';
const READY_STATES = ['0 CONNECTING', '1 OPEN', '2 CLOSED'];

// A topic of this page's own: its numbers start at 1.
const page = crypto.getRandomValues(new Uint32Array(2)).join('-');
const url = `/api/bench/${page}`;

let source;
let closing;
let opened = 0;
let lastEventId = '';
let rawLastEventId = '';
const numbers = [];
let verdictFrame;

/** Both readers take a line each: to the browser they are two streams. */
function open() {
  closing = new AbortController();
  const { signal } = closing;
  const onWait = () => showStream({ state: 'waiting' });
  $('reopen').disabled = true;
  $('close').disabled = false;
  const readers = [readParsed, readRaw].map((read) =>
    takeLine(signal, onWait).then(() => signal.aborted || read(signal)),
  );
  // Who is closed while it waits has nothing more to do.
  for (const reader of readers) reader.catch(() => {});
}

function close() {
  closing.abort();
  source?.close();
  addRow('parsed', 'close(): readyState 2 CLOSED', 'quiet');
  showReady(EventSource.CLOSED);
}

function readParsed() {
  hideNotice();
  // A page hears its place with the first event; until then only the raw frames tell it.
  const from = lastEventId || rawLastEventId;
  source = new EventSource(from ? `${url}?lastEventId=${encodeURIComponent(from)}` : url);
  showReady(source.readyState);
  let wasOpen = false;
  source.addEventListener('open', () => {
    wasOpen = true;
    $('opened').textContent = ++opened;
    addRow('parsed', 'open: readyState 1 OPEN', 'ok');
    hideNotice();
    showReady(source.readyState);
  });
  source.addEventListener('error', () => {
    addRow('parsed', `error: readyState ${READY_STATES[source.readyState]}`, 'trouble');
    showReady(source.readyState);
    // The first error is the cut. Another one means that there is nobody to come back to.
    if (source.readyState === EventSource.CLOSED) showNotice('trouble', 'EventSource has given up.', GIVEN_UP);
    else showStream({ state: wasOpen ? 'reconnecting' : 'lost' });
    wasOpen = false;
  });
  for (const type of ['number', 'stream.end', 'stream.reset']) source.addEventListener(type, take);
}

function take({ type, data, lastEventId: id }) {
  lastEventId = id;
  $('last').textContent = id;
  addRow('parsed', `${type} ${data}\n`, '', `id ${id}`);
  if (type === 'number') numbers.push(JSON.parse(data).n);
  // The server has started anew, and so have its numbers.
  if (type === 'stream.reset') numbers.splice(0);
  // Once for all that came in a burst: the verdict is read out.
  verdictFrame ??= requestAnimationFrame(showVerdict);
}

/** Does by hand what EventSource does: read, remember the id and the retry time, come back. */
async function readRaw(signal) {
  let retryMs = 3_000;
  while (!signal.aborted) {
    let what = 'the response ended';
    try {
      const headers = rawLastEventId ? { 'last-event-id': rawLastEventId } : {};
      const response = await fetch(url, { headers, signal });
      addRow('raw', `HTTP ${response.status} ${response.headers.get('content-type')}`, response.ok ? 'ok' : 'trouble');
      for await (const frame of framesOf(response)) {
        const { id, retry } = parseFrame(frame);
        if (id !== undefined) rawLastEventId = id;
        if (retry !== undefined) {
          retryMs = Number(retry);
          $('retry').textContent = `${retry} ms`;
        }
        addRow('raw', frame);
      }
    } catch (error) {
      if (signal.aborted) break;
      what = error.message;
    }
    addRow('raw', `${what}; back in ${retryMs} ms, Last-Event-ID: ${rawLastEventId}`, 'trouble');
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  addRow('raw', 'closed by the page', 'quiet');
}

function showReady(readyState) {
  const isClosed = readyState === EventSource.CLOSED;
  $('ready').textContent = READY_STATES[readyState];
  for (const id of ['end', 'destroy', 'close']) $(id).disabled = isClosed;
  $('reopen').disabled = !isClosed;
  showState({ state: ['connecting', 'open', 'ended'][readyState] });
}

/** A row of a log. What is no event but a change of state has a tone. */
function addRow(list, text, tone = '', dim = '') {
  const row = document.createElement('li');
  if (tone) row.dataset.tone = tone;
  row.textContent = text;
  if (dim) row.append(Object.assign(document.createElement('span'), { className: 'dim', textContent: dim }));
  $(list).prepend(row);
  $(list).children[MAX_ROWS]?.remove();
}

function showVerdict() {
  verdictFrame = undefined;
  const highest = Math.max(0, ...numbers);
  if (highest === 0) return;
  const missing = highest - new Set(numbers).size;
  const twice = numbers.length - new Set(numbers).size;
  const isOrdered = numbers.every((n, i) => i === 0 || n > numbers[i - 1]);
  const isExact = missing === 0 && twice === 0 && isOrdered;
  const faults = `${missing} missing, ${twice} twice, ${isOrdered ? 'in order' : 'out of order'}.`;
  say(
    $('verdict'),
    isExact ? 'ok' : 'trouble',
    `1 to ${highest}: ${isExact ? 'none missing, none twice, in order.' : faults}`,
  );
}

/** What a button asks of the server; what becomes of it is told. */
async function send(what, path, body) {
  const { problem } = await post(`${url}${path}`, body);
  $('told').hidden = problem === undefined;
  if (problem) say($('told'), 'trouble', `${what}. ${problem}`);
}

$('one').addEventListener('click', () => send('Not published', '/events', { count: 1 }));
$('burst').addEventListener('click', () => send('Not published', '/events', { count: 50 }));
$('end').addEventListener('click', () => send('Not ended', '/cut', { how: 'end', missed: 5 }));
$('destroy').addEventListener('click', () => send('Not destroyed', '/cut', { how: 'destroy', missed: 5 }));
$('close').addEventListener('click', close);
$('reopen').addEventListener('click', open);
open();
// Another tab needs the lines while nobody sees this one.
onWanted(() => {
  if (closing.signal.aborted) return;
  close();
  document.addEventListener('visibilitychange', open, { once: true });
});

$('countdown').addEventListener('click', async () => {
  $('countdown').disabled = true;
  $('finite').replaceChildren();
  const over = new AbortController();
  await takeLine(over.signal, () => addRow('finite', 'waiting for a free connection', 'waiting'));
  countDown(() => {
    over.abort();
    $('countdown').disabled = false;
  });
});

function countDown(onOver) {
  const finite = new EventSource(`${url}/countdown`);
  let hasEnded = false;
  finite.addEventListener('open', () => addRow('finite', 'open: readyState 1 OPEN', 'ok'));
  finite.addEventListener('countdown', ({ data }) => addRow('finite', `countdown ${data}`));
  finite.addEventListener('stream.end', ({ data }) => {
    hasEnded = true;
    addRow('finite', `stream.end ${data}`);
  });
  finite.addEventListener('error', () => {
    const isClosed = finite.readyState === EventSource.CLOSED;
    const why = isClosed
      ? ' the server answered 204, so EventSource stops for good'
      : ' EventSource comes back, as it always does';
    addRow(
      'finite',
      `error: readyState ${READY_STATES[finite.readyState]}`,
      hasEnded ? 'quiet' : 'trouble',
      hasEnded ? why : '',
    );
    if (isClosed) onOver();
  });
}
