// How the stream is, in large; the numbers that have come; and the states that it was in.

import { wordOf } from './lib/stream.js';
import { $, describe, say, showState } from './lib/shell.js';

const MAX_ROWS = 100;
const MAX_BARS = 120;
/** A number that is so much older than others were when they came has waited in the log. */
const LATE_MS = 400;

/** What the words of the client mean, for those who see them for the first time. */
const WHY = {
  idle: 'Not opened yet.',
  connecting: 'It asks for the stream, and where it has been.',
  open: 'Events come as they are published.',
  network: 'Nobody could be reached. Each attempt waits longer.',
  timeout: 'No answer came in time.',
  silent: 'Nothing came for too long, not even a heartbeat.',
  cut: 'The connection broke.',
  ended: 'The answer ended without a word: there was no room for it.',
  status: 'The server asks to come later.',
  unauthorized: 'The server does not know the token.',
  error: 'The stream failed on the server.',
  reset: 'Events are missing: a snapshot is taken first.',
  page: 'The page is frozen, or left. It waits for its return.',
  shutdown: 'The server is restarted, and has said so.',
  lifetime: 'The server has ended it after its time, and has said so.',
  expired: 'The server has ended it: the token has expired.',
  'slow-consumer': 'The page did not read fast enough.',
  aborted: 'The page has closed it.',
  complete: 'The server has said that there is nothing more.',
  closed: 'The server has closed it.',
  revoked: 'The server has taken the right to it away.',
  refused: 'The answer was a refusal: to ask again would not help.',
  lost: 'It could not go on.',
  failed: 'It failed.',
};

let state = { phase: 'idle' };
let shownAt = Date.now();
let shrinking;

export function show(now) {
  state = now;
  shownAt = Date.now();
  const { phase, reason, status, retryAt } = state;
  const word = wordOf(state);
  const { tone } = describe({ state: word });
  showState({ state: word, reason, retryAt });
  $('now').dataset.tone = tone;
  $('now').dataset.phase = phase;
  write('phase', phase);
  write('reason', [reason, status].filter(Boolean).join(' '));
  write('why', WHY[reason ?? phase] ?? '');
  write('attempt', String(failures()));
  showClose(phase === 'closed');
  shrinking?.cancel();
  const isCounting = Number.isFinite(retryAt);
  if (isCounting) shrinking = shrink(retryAt - shownAt);
  note(tone, phase, detail());
  tick();
}

/** Of what happens beside the states, too. */
export function note(tone, what, text) {
  const row = document.createElement('li');
  const at = Date.now();
  Object.assign(row.dataset, { tone, at });
  row.append(el('time', clockMs(at)), el('b', what), el('span', text));
  $('history').prepend(row);
  $('history').children[MAX_ROWS]?.remove();
}

export function showToken(token) {
  write('token', `number ${token.split('.').at(-1)}`);
}

function failures() {
  if (state.phase === 'connecting') return state.attempt - 1;
  return state.phase === 'waiting' ? state.attempt : 0;
}

function detail() {
  const { phase, reason, status, retryAt, attempt, resumed } = state;
  if (phase === 'open') return resumed ? 'at its place' : 'from now on';
  if (phase === 'connecting') return `attempt ${attempt}`;
  const rest = Number.isFinite(retryAt) ? `in ${seconds(retryAt - shownAt)}` : '';
  return [[reason, status].filter(Boolean).join(' '), rest].filter(Boolean).join(', ');
}

/** Without motion, only the number tells how long it still is. */
function shrink(ms) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return undefined;
  return $('bar').animate([{ transform: 'scaleX(1)' }, { transform: 'scaleX(0)' }], Math.max(0, ms));
}

function showClose(isClosed) {
  const button = document.querySelector('[data-do=close]');
  button.classList.toggle('primary', isClosed);
  button.firstChild.textContent = isClosed ? 'Open again ' : 'close() ';
  button.lastChild.textContent = isClosed ? '' : 'aborted';
}

function tick() {
  const { retryAt, downSince } = state;
  write('countdown', Number.isFinite(retryAt) ? seconds(Math.max(0, retryAt - Date.now())) : '–');
  write('down', downSince ? seconds(Date.now() - downSince) : '–');
}
setInterval(tick, 100);

// The numbers.

let last = 0;
let missing = 0;
let twice = 0;
let inState = 0;
let leastAge = Infinity;

/** The numbers up to this one are in the state. */
export function startAt(n) {
  if (n > last) inState += n - last;
  last = n;
  addBar('state-mark');
  showNumbers();
}

export function take({ n, at }, lastEventId) {
  if (n > last) missing += n - last - 1;
  else twice += 1;
  last = Math.max(last, n);
  const age = Date.now() - at;
  leastAge = Math.min(leastAge, age);
  addBar(age - leastAge > LATE_MS ? 'late' : 'live');
  write('last-id', lastEventId);
  showNumbers();
}

function showNumbers() {
  const isWhole = missing === 0 && twice === 0;
  const faults = isWhole ? 'none missing, none twice' : `${missing} missing, ${twice} twice`;
  write('last-number', String(last));
  say($('verdict'), isWhole ? 'ok' : 'trouble', `1 to ${last}: ${faults}; ${inState} of them in a snapshot.`);
}

function addBar(kind) {
  $('strip').append(el('i', '', kind));
  if ($('strip').children.length > MAX_BARS) $('strip').firstChild.remove();
}

function seconds(ms) {
  return `${(ms / 1_000).toFixed(1)}\u00a0s`;
}

export function clockMs(at) {
  const date = new Date(at);
  return `${date.toLocaleTimeString([], { hour12: false })}.${Math.floor(date.getMilliseconds() / 100)}`;
}

export function el(name, textContent, className = '') {
  return Object.assign(document.createElement(name), { textContent, className });
}

/** What has not changed is not written: some of it is read out. */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

$('clear-history').addEventListener('click', () => $('history').replaceChildren());
