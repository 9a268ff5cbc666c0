// What goes over the wire, as `debug` is told.

import { clockMs, el } from './client-view.js';
import { $ } from './lib/shell.js';

const MAX_ROWS = 200;

let held;

export function add(frame) {
  const row = rowOf(frame);
  if (held) {
    held.push(row);
    held.splice(0, held.length - MAX_ROWS);
    $('held').textContent = `, ${held.length} held back`;
  } else put(row);
}

function put(row) {
  $('frames').prepend(row);
  $('frames').children[MAX_ROWS]?.remove();
}

const TEXTS = {
  request: ({ method, url, lastEventId }) => [
    '→',
    `${method} ${new URL(url).pathname}`,
    lastEventId && `after ${lastEventId}`,
  ],
  response({ response: { status, headers } }) {
    const place = headers.get('content-location');
    return ['←', `${status} ${headers.get('content-type') ?? ''}`, place && `goes on at ${place}`];
  },
  event: ({ type, text, lastEventId }) => ['', `${type} ${text}`, `id ${lastEventId}`],
  comment: ({ text }) => ['', text ? `: ${text}` : ': (a heartbeat)'],
  id: ({ text }) => ['', `id: ${text}`],
  retry: ({ ms }) => ['', `retry: ${ms}`],
};

function rowOf(frame) {
  const [arrow, text, dim] = TEXTS[frame.kind](frame);
  const row = document.createElement('li');
  row.className = frame.kind;
  if (frame.kind === 'response') row.dataset.tone = frame.response.ok ? 'ok' : 'trouble';
  const body = el('span', text);
  if (dim) body.append(el('span', dim, 'dim'));
  row.append(el('time', clockMs(Date.now())), el('b', arrow), body);
  return row;
}

$('pause-frames').addEventListener('click', ({ target }) => {
  const rows = held;
  held = rows ? undefined : [];
  rows?.forEach(put);
  target.setAttribute('aria-pressed', held !== undefined);
  target.textContent = held ? 'Go on' : 'Pause';
  $('held').textContent = held ? ', 0 held back' : '';
});
$('clear-frames').addEventListener('click', () => $('frames').replaceChildren());
