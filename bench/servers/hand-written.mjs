// What one writes without a library: a set of responses, and `write` of a string to each.
//
// `node hand-written.mjs framed` is the fastest known way in Node without private calls: one Buffer, framed as an HTTP
// chunk, to every socket. It is a measure, not something to use as it stands: it checks nothing.
import { Buffer } from 'node:buffer';
import { createServer } from 'node:http';
import { SHARED, drive } from './driver.mjs';

const isFramed = process.argv[2] === 'framed';
const topics = new Map();
/** Which topics a request is for, by its path. */
const WANTED = { events: (topic) => [topic], pair: (topic) => [topic, SHARED] };
const HEAD = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' };

const server = createServer((request, response) => {
  const [, kind, number] = request.url.split('/');
  if (WANTED[kind] === undefined) {
    response.end('ok');
    return;
  }
  const all = WANTED[kind](Number(number)).map(readersOf);
  response.writeHead(200, HEAD);
  response.flushHeaders();
  response.socket.setNoDelay(true);
  const reader = isFramed ? response.socket : response;
  for (const readers of all) readers.add(reader);
  response.on('close', () => all.forEach((readers) => readers.delete(reader)));
});
server.listen(0, '127.0.0.1', () => drive({ server, publish: isFramed ? publishFramed : publishString }));

function readersOf(topic) {
  let readers = topics.get(topic);
  if (readers === undefined) topics.set(topic, (readers = new Set()));
  return readers;
}

function publishString(topic, data, n) {
  const text = `id: ${n}\ndata: ${data}\n\n`;
  for (const response of topics.get(topic) ?? []) response.write(text);
}

function publishFramed(topic, data, n) {
  const text = `id: ${n}\ndata: ${data}\n\n`;
  const chunk = Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`, 'latin1');
  for (const socket of topics.get(topic) ?? []) socket.write(chunk);
}
