// The server of `compression.mjs`: `node compression-server.mjs express|fastify plain|ours|middleware`.
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Module, Param } from '@nestjs/common';
import compression from 'compression';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';
import { isPinned, SERVER_CORE } from '../harness/cores.mjs';
import { textsOf } from './compression-events.mjs';
import { decorateMethod, injectInto, listen, memory } from './nest.mjs';
import { serve } from './rpc.mjs';

const [adapter, variant] = process.argv.slice(2);
// All threads: a middleware packs in those of libuv, which are started later and stay on the core of this one.
if (isPinned) spawnSync('taskset', ['-a', '-c', '-p', String(SERVER_CORE), String(process.pid)]);

/** What the middleware looks for: without `no-transform`, which this module sends otherwise, it packs. */
const route = variant === 'middleware' ? { headers: { 'Cache-Control': 'no-cache' } } : {};

/** What each source of its own waits for: to begin, and to come to its end. */
let gates;

class FeedController {
  constructor(streams) {
    this.streams = streams;
  }

  feed() {
    return this.streams.topic('feed');
  }

  /** `count` events, evenly in time; where in the first interval a source begins is its own. */
  async *own(number, bytes, count, perSecond) {
    const { begun, ending } = gates;
    const texts = textsOf(Number(number), [{ bytes: Number(bytes), count: Number(count) }]);
    await begun.promise;
    const startedAt = performance.now() + (((Number(number) * 0.618) % 1) * 1_000) / perSecond;
    for (const [n, data] of texts.entries()) {
      await delay(Math.max(0, startedAt + (n * 1_000) / perSecond - performance.now()));
      yield { data };
    }
    await ending.promise;
  }
}
Controller()(FeedController);
injectInto(FeedController, EventStreamService);
decorateMethod(FeedController, 'feed', { method: SseStream('feed', route) });
decorateMethod(FeedController, 'own', {
  parameters: ['number', 'bytes', 'count', 'perSecond'].map((name) => Param(name)),
  method: SseStream('own/:number/:bytes/:count/:perSecond', route),
});

class Root {
  configure(consumer) {
    if (variant === 'middleware') consumer.apply(compression({ filter: () => true })).forRoutes('{*path}');
  }
}
Module({
  imports: [
    SseModule.forRoot({
      compression: variant === 'ours',
      // Nothing but events is to be counted, and nobody who falls behind is to miss one.
      heartbeatMs: false,
      history: { maxEvents: 100_000, maxBytes: 2 ** 28 },
    }),
  ],
  controllers: [FeedController],
})(Root);

const { app, port } = await listen(Root, { isFastify: adapter === 'fastify' });
const streams = app.get(EventStreamService);
let cpu;

serve({
  port: () => port,
  count: () => streams.connections.count,
  memory,
  /** Publishes a part of the plan, evenly in time, and answers when the last event was due. */
  async publish(plan, part) {
    const { count, perSecond } = plan[part];
    const texts = textsOf(0, plan.slice(0, part + 1)).slice(-count);
    cpu = process.cpuUsage();
    const startedAt = performance.now();
    let dueAt = startedAt;
    for (const [n, data] of texts.entries()) {
      dueAt = startedAt + (n * 1_000) / perSecond;
      await delay(Math.max(0, dueAt - performance.now()));
      await streams.publish('feed', { data });
    }
    return performance.timeOrigin + dueAt;
  },
  complete: () => streams.topic('feed').complete(),
  closeGates() {
    gates = { begun: gate(), ending: gate() };
  },
  begin() {
    cpu = process.cpuUsage();
    gates.begun.resolve();
    return performance.timeOrigin + performance.now();
  },
  finish: () => gates.ending.resolve(),
  /** CPU time since the publishing began, all threads, in µs. */
  usedUs() {
    const { user, system } = process.cpuUsage(cpu);
    return user + system;
  },
});

function gate() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
