// better-sse on node:http, as its guide to channels shows: one channel for each topic.
import { createServer } from 'node:http';
import { createChannel, createSession } from 'better-sse';
import { drive } from './driver.mjs';

const channels = new Map();

function channelOf(topic) {
  let channel = channels.get(topic);
  if (channel === undefined) channels.set(topic, (channel = createChannel()));
  return channel;
}

const server = createServer(async (request, response) => {
  const session = await createSession(request, response);
  channelOf(Number(request.url.split('/')[2])).register(session);
});
server.listen(0, '127.0.0.1', () => {
  drive({ server, publish: (topic, data) => void channels.get(topic)?.broadcast(data) });
});
