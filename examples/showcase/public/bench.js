import { follow, framesOf, parseFrame, postJson, showState } from './shell.js';

const $ = (id) => document.getElementById(id);
const MAX_ROWS = 200;
const READY_STATES = ['0 CONNECTING', '1 OPEN', '2 CLOSED'];

// A topic of this page's own: its numbers start at 1.
const page = crypto.getRandomValues(new Uint32Array(2)).join('-');
const url = `/api/bench/${page}`;

let source;
let opened = 0;
let lastEventId = '';
let reading;
let rawLastEventId = '';
const numbers = [];
let verdictFrame;

function open() {
  // A page hears its place with the first event; until then only the raw frames tell it.
  const from = lastEventId || rawLastEventId;
  source = new EventSource(from ? `${url}?lastEventId=${encodeURIComponent(from)}` : url);
  follow(source);
  const showReady = () => {
    $('ready').textContent = READY_STATES[source.readyState];
    for (const id of ['end', 'destroy', 'close']) $(id).disabled = source.readyState === EventSource.CLOSED;
    $('reopen').disabled = source.readyState !== EventSource.CLOSED;
  };
  showReady();
  source.addEventListener('open', () => {
    opened += 1;
    $('opened').textContent = opened;
    addRow('parsed', 'open: readyState 1 OPEN', 'state-change');
    showReady();
  });
  source.addEventListener('error', () => {
    addRow('parsed', `error: readyState ${READY_STATES[source.readyState]}`, 'state-change');
    showReady();
  });
  for (const type of ['number', 'stream.end', 'stream.reset']) {
    source.addEventListener(type, (event) => {
      lastEventId = event.lastEventId;
      $('last').textContent = lastEventId;
      addRow('parsed', `${type} ${event.data}\n`, '', `id ${lastEventId}`);
      if (type === 'number') numbers.push(JSON.parse(event.data).n);
      // The server has started anew, and so have its numbers.
      if (type === 'stream.reset') numbers.splice(0);
      // Once for all that came in a burst: the verdict is read out.
      verdictFrame ??= requestAnimationFrame(showVerdict);
    });
  }
  $('close').onclick = () => {
    source.close();
    reading.abort();
    showState(source.readyState);
    addRow('parsed', 'close(): readyState 2 CLOSED', 'state-change');
    showReady();
  };
  void readRaw();
}

/** Does by hand what EventSource does: read, remember the id and the retry time, come back. */
async function readRaw() {
  reading = new AbortController();
  const { signal } = reading;
  let retryMs = 3_000;
  while (!signal.aborted) {
    try {
      const headers = rawLastEventId ? { 'last-event-id': rawLastEventId } : {};
      const response = await fetch(url, { headers, signal });
      addRow('raw', `HTTP ${response.status} ${response.headers.get('content-type')}`, 'state-change');
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
      addRow('raw', error.message, 'state-change');
    }
    addRow('raw', `the response ended; back in ${retryMs} ms, Last-Event-ID: ${rawLastEventId}`, 'state-change');
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  addRow('raw', 'closed by the page', 'state-change');
}

function addRow(list, text, className = '', dim = '') {
  const row = document.createElement('li');
  row.className = className;
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
  const ordered = numbers.every((n, i) => i === 0 || n > numbers[i - 1]);
  $('verdict').textContent =
    missing === 0 && twice === 0 && ordered
      ? `1 to ${highest}: none missing, none twice, in order.`
      : `1 to ${highest}: ${missing} missing, ${twice} twice, ${ordered ? 'in order' : 'out of order'}.`;
}

$('one').addEventListener('click', () => postJson(`${url}/events`, { count: 1 }));
$('burst').addEventListener('click', () => postJson(`${url}/events`, { count: 50 }));
$('end').addEventListener('click', () => postJson(`${url}/cut`, { how: 'end', missed: 5 }));
$('destroy').addEventListener('click', () => postJson(`${url}/cut`, { how: 'destroy', missed: 5 }));
$('reopen').addEventListener('click', open);
open();

$('countdown').addEventListener('click', () => {
  const button = $('countdown');
  button.disabled = true;
  $('finite').replaceChildren();
  const finite = new EventSource(`${url}/countdown`);
  let ended = false;
  finite.addEventListener('open', () => addRow('finite', 'open: readyState 1 OPEN', 'state-change'));
  finite.addEventListener('countdown', ({ data }) => addRow('finite', `countdown ${data}`));
  finite.addEventListener('stream.end', ({ data }) => {
    ended = true;
    addRow('finite', `stream.end ${data}`);
  });
  finite.addEventListener('error', () => {
    const closed = finite.readyState === EventSource.CLOSED;
    const why = closed
      ? 'the server answered 204, so EventSource stops for good'
      : 'EventSource comes back, as it always does';
    addRow('finite', `error: readyState ${READY_STATES[finite.readyState]}`, 'state-change', ended ? ` ${why}` : '');
    button.disabled = !closed;
  });
});
