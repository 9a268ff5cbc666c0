// @fastify/sse. It sends to one reply at a time, so each topic has a set of them.
import fastifySse from '@fastify/sse';
import { fastify } from 'fastify';
import { drive } from './driver.mjs';

const topics = new Map();
const app = fastify();
await app.register(fastifySse);

app.get('/events/:topic', { sse: 'only' }, async (request, reply) => {
  const topic = Number(request.params.topic);
  if (!topics.has(topic)) topics.set(topic, new Set());
  const readers = topics.get(topic);
  readers.add(reply.sse);
  reply.sse.keepAlive();
  reply.sse.onClose(() => readers.delete(reply.sse));
  reply.sse.sendHeaders();
  reply.raw.flushHeaders();
});

await app.listen({ port: 0, host: '127.0.0.1' });
drive({
  server: app.server,
  publish(topic, data, n) {
    for (const sse of topics.get(topic) ?? []) sse.send({ id: String(n), data }).catch(() => undefined);
  },
});
