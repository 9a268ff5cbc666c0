// What one writes without a library: a set of responses, and `write` of a string to each.
//
// `node hand-written.mjs framed` is the fastest known way in Node without private calls: one Buffer, framed as an HTTP
// chunk, to every socket. It is a measure, not something to use as it stands: it checks nothing.
import { Buffer } from 'node:buffer';
import { createServer } from 'node:http';
import { drive } from './driver.mjs';

const isFramed = process.argv[2] === 'framed';
const topics = new Map();
const HEAD = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' };

const server = createServer((request, response) => {
  if (!request.url.startsWith('/events/')) {
    response.end('ok');
    return;
  }
  const topic = Number(request.url.split('/')[2]);
  if (!topics.has(topic)) topics.set(topic, new Set());
  const readers = topics.get(topic);
  response.writeHead(200, HEAD);
  response.flushHeaders();
  response.socket.setNoDelay(true);
  const reader = isFramed ? response.socket : response;
  readers.add(reader);
  response.on('close', () => readers.delete(reader));
});
server.listen(0, '127.0.0.1', () => drive({ server, publish: isFramed ? publishFramed : publishString }));

function publishString(topic, data, n) {
  const text = `id: ${n}\ndata: ${data}\n\n`;
  for (const response of topics.get(topic) ?? []) response.write(text);
}

function publishFramed(topic, data, n) {
  const text = `id: ${n}\ndata: ${data}\n\n`;
  const chunk = Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`, 'latin1');
  for (const socket of topics.get(topic) ?? []) socket.write(chunk);
}
