// Is the load client to be believed? `node bench/check.mjs` lets it read streams that are wrong on purpose, and streams
// that are right but cut into pieces at every possible place. Exit code 1 if it is fooled.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { buildPrograms, program } from './harness/build.mjs';
import { LOAD_CORE } from './harness/cores.mjs';
import { startLineProcess } from './harness/line-process.mjs';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
/** Its events are given as texts. */
const SHARED = 9;
const RIGHT = { received: 5, lost: 0, gaps: 0, repeated: 0, misordered: 0, strays: 0, broken: 0 };

buildPrograms();
await check('in whole chunks', [1, 2, 3, 4, 5], { ...RIGHT });
await check('byte by byte', [1, 2, 3, 4, 5], { ...RIGHT }, { piece: 1 });
await check('in chunks of 7 bytes', [1, 2, 3, 4, 5], { ...RIGHT }, { chunk: 7 });
await check('in chunks of 7 bytes, cut every 3', [1, 2, 3, 4, 5], { ...RIGHT }, { chunk: 7, piece: 3 });
for (let piece = 2; piece < 60; piece++)
  await check(`cut every ${piece}`, [1, 2, 3, 4, 5], { ...RIGHT }, { piece, chunk: 41 });
await check('one is missing', [1, 2, 4, 5], { ...RIGHT, received: 4, lost: 1, gaps: 1 });
await check('the last is missing', [1, 2, 3, 4], { ...RIGHT, received: 4, lost: 1 });
await check('the first is missing', [2, 3, 4, 5], { ...RIGHT, received: 4, lost: 1, gaps: 1 });
await check('one comes twice', [1, 2, 2, 3, 4, 5], { ...RIGHT, received: 6, repeated: 1 });
await check('the last comes twice', [1, 2, 3, 4, 5, 5], { ...RIGHT, received: 6, repeated: 1 });
await check('two are swapped', [1, 3, 2, 4, 5], { ...RIGHT, gaps: 2, misordered: 1, lost: 1 });
await check('one is of another topic', [1, 2, 3, 4, 5], { ...RIGHT, strays: 1 }, { strayAt: 3 });
await check('it shares a topic', [1, 2, '1s', '2s', 3], { ...RIGHT });
await check('one of the shared topic is missing', [1, 2, '1s', '3s'], { ...RIGHT, received: 4, lost: 1, gaps: 1 });
await check('one of the shared topic comes twice', [1, '1s', '1s', 2, 3, 4], { ...RIGHT, received: 6, repeated: 1 });
await check('it is no HTTP', [], { broken: 1 }, { head: 'nonsense\r\n\r\n' });
await check('it breaks its framing', [1], { broken: 1 }, { tail: 'zz\r\n' });
console.log('The load client sees what is wrong, and only that.');
process.exit();

async function check(
  what,
  numbers,
  wanted,
  { chunk = Infinity, piece = Infinity, strayAt, head = HEAD, tail = '' } = {},
) {
  const isShared = (n) => typeof n === 'string';
  const topicOf = (n) => (n === strayAt ? 8 : isShared(n) ? SHARED : 7);
  const events = numbers.map((n) => `id: x\ndata: ${markerOf(topicOf(n), parseInt(n))}xxx\n\n`);
  const body = chunk === Infinity ? events : cut(events.join(''), chunk);
  const text = head + body.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('') + tail;
  const server = createServer((socket) => {
    socket.setNoDelay(true).on('error', () => undefined);
    socket.once('data', async () => {
      for (const part of cut(text, piece)) {
        socket.write(part);
        await turn();
      }
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = await startLineProcess(LOAD_CORE, program('load'));
  await client.call('start');
  const topics = { path: '/events/%d', first: 7, ...(numbers.some(isShared) ? { shared: SHARED } : {}) };
  await client.call('open', { port: server.address().port, ...topics, count: 1, next: 1 });
  const seen = await client.call('settle', { expected: 5, timeoutMs: wanted.received >= 5 ? 3_000 : 100 });
  for (const [key, value] of Object.entries(wanted)) assert.equal(seen[key], value, `${what}: ${JSON.stringify(seen)}`);
  await client.stop();
  server.close();
}

function markerOf(topic, n) {
  const digits = (value, width) => String(value).padStart(width, '0');
  return `@${digits(topic, 6)}:${digits(n, 10)}:${digits(process.hrtime.bigint(), 18)}:`;
}

function cut(text, length) {
  if (length === Infinity) return [text];
  return Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}
