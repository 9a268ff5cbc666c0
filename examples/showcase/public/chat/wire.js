// What goes over the wire for the last answer, as it is, and what is known of its run.

import { $ } from '../lib/shell.js';

const MAX_FRAMES = 200;

let rows = [];
let drawing;
let count = 0;

/** Forty come in a second: they are drawn as often as the screen is. */
export function addFrame(frame) {
  count++;
  const row = document.createElement('li');
  const [, id = '', rest] = /^(id:.*\n)?([^]*)$/.exec(frame);
  row.append(Object.assign(document.createElement('span'), { className: 'dim', textContent: id }), rest);
  if (!/^(id|event|data)/.test(frame)) row.className = 'dim';
  if (/^event: stream\.|"type":"(abort|error)"|^data: \{"error"|\[DONE\]/m.test(frame)) row.className = 'word';
  rows.push(row);
  drawing ??= requestAnimationFrame(draw);
}

function draw() {
  drawing = undefined;
  $('frames').prepend(...rows.splice(0).reverse().slice(0, MAX_FRAMES));
  while ($('frames').children.length > MAX_FRAMES) $('frames').lastChild.remove();
  $('frame-count').textContent = count === 1 ? '1 frame' : `${count} frames`;
}

export function clearFrames() {
  [rows, count] = [[], 0];
  $('frames').replaceChildren();
  $('frame-count').textContent = 'newest first';
}

/** @param exchange the last one, if there is any; @param reading how it is read, if it is */
export function showRun(exchange, reading) {
  const { runId, owner, node } = exchange ?? {};
  const fact = (id, text) => Object.assign($(id), { textContent: text || '–', title: text || '' });
  fact('run-id', runId);
  fact('run-state', exchange && (exchange.answer?.state ?? (reading?.isOver ? reading.state : 'running')));
  fact('run-owner', node ? `${node} (${owner})` : owner);
  fact('run-place', reading?.place);
  $('replay').disabled = !exchange || !(reading?.isOver ?? true);
}
