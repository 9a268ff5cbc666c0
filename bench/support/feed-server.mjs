// The server of `slow-clients.mjs` and `drain.mjs`: a plain Nest application with one topic.
import { setImmediate } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';
import { decorateMethod, injectInto, listen, memory } from './nest.mjs';
import { serve } from './rpc.mjs';

const [adapter, options = '{}'] = process.argv.slice(2);

class FeedController {
  constructor(streams) {
    this.streams = streams;
  }

  feed() {
    return this.streams.topic('feed');
  }
}
Controller()(FeedController);
injectInto(FeedController, EventStreamService);
decorateMethod(FeedController, 'feed', { method: SseStream('feed') });

let app;
let port = 0;
let streams;
let published = 0;
let timer;

serve({
  async listen() {
    // A new dynamic module for each application, and with it a new engine.
    class Root {}
    Module({ imports: [SseModule.forRoot(JSON.parse(options))], controllers: [FeedController] })(Root);
    ({ app, port } = await listen(Root, { isFastify: adapter === 'fastify', port }));
    streams = app.get(EventStreamService);
    published = 0;
    return port;
  },
  count: () => streams.connections.count,
  refused: () => ({ ...streams.connections.refused }),
  memory,
  /** Publishes so many events of so many bytes, one per turn of the event loop. */
  async publish(count, bytes) {
    for (let i = 0; i < count; i++) {
      await publish(bytes);
      await setImmediate();
    }
    return published;
  },
  /** Publishes at a fixed rate until `stopPublishing`. */
  startPublishing(perSecond, bytes) {
    const startedAt = performance.now();
    let sent = 0;
    timer = setTimeout(function next() {
      timer = setTimeout(next, Math.max(0, startedAt + (++sent * 1_000) / perSecond - performance.now()));
      void publish(bytes).catch(() => undefined);
    }, 0);
  },
  stopPublishing() {
    clearTimeout(timer);
    return published;
  },
  /** How many connections have bytes waiting in this process, and how many bytes. */
  waiting() {
    const lengths = streams.connections.list().map(({ request }) => (request.raw ?? request).socket.writableLength);
    const blocked = lengths.filter((length) => length > 0);
    return { connections: blocked.length, bytes: blocked.reduce((sum, length) => sum + length, 0) };
  },
  /** Closes the application, and answers how long that took and what had been published when it began. */
  async close() {
    const publishedBefore = published;
    const startedAt = performance.timeOrigin + performance.now();
    await app.close();
    clearTimeout(timer);
    return { publishedBefore, startedAt, tookMs: performance.timeOrigin + performance.now() - startedAt };
  },
});

function publish(bytes) {
  const data = { n: ++published, at: performance.timeOrigin + performance.now(), filler: '' };
  data.filler = 'x'.repeat(Math.max(0, bytes - JSON.stringify(data).length));
  return streams.publish('feed', { data });
}
