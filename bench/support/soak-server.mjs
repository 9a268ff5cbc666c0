// The server of `soak.mjs`: every kind of route, and every way out of a stream.
import v8 from 'node:v8';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Headers, Module, Param, Post, UseGuards } from '@nestjs/common';
import { EventStreamService, SseModule, SseStream, StreamGuard } from 'nestjs-event-stream';
import { decorateMethod, injectInto, listen, memory } from './nest.mjs';
import { serve } from './rpc.mjs';

const [adapter] = process.argv.slice(2);

/** Internals, counted but never touched: they must be gone when their streams are. */
const INTERNALS = {
  Connection: '../../dist/esm/connection/connection.js',
  TopicFeed: '../../dist/esm/connection/topic-feed.js',
  Timekeeper: '../../dist/esm/connection/timekeeper.js',
  Cursor: '../../dist/esm/hub/cursor.js',
  View: '../../dist/esm/hub/view.js',
  MemoryLog: '../../dist/esm/engine/memory-log.js',
};

const counts = { opened: 0, closed: {}, resets: {}, slow: 0, refused: {} };
const count = (table, key) => (table[key] = (table[key] ?? 0) + 1);

class SoakController {
  constructor(streams) {
    this.streams = streams;
  }

  topic(name) {
    return this.streams.topic(`room/${name}`);
  }

  several() {
    return this.streams.topics('room/1', 'room/2', 'news/*');
  }

  bulk() {
    return this.streams.topic('bulk');
  }

  job(name) {
    return this.streams.topic(`job/${name}`);
  }

  async *pulled() {
    for (let n = 0; ; n++) {
      await delay(20);
      yield { data: n };
    }
  }

  ticket(user) {
    return this.streams.tickets.issue({ id: user }, { topics: ['room/*', 'job/*'], ttlMs: 1_000 });
  }
}
Controller()(SoakController);
UseGuards(StreamGuard)(SoakController);
injectInto(SoakController, EventStreamService);
decorateMethod(SoakController, 'topic', { parameters: [Param('name')], method: SseStream('room/:name') });
decorateMethod(SoakController, 'several', { method: SseStream('several') });
decorateMethod(SoakController, 'bulk', { method: SseStream('bulk') });
decorateMethod(SoakController, 'job', { parameters: [Param('name')], method: SseStream('job/:name') });
decorateMethod(SoakController, 'pulled', { method: SseStream('pulled') });
decorateMethod(SoakController, 'ticket', { parameters: [Headers('x-user')], method: Post('ticket') });

class Root {}
Module({
  imports: [
    SseModule.forRoot({
      heartbeatMs: 500,
      stallTimeoutMs: 1_500,
      maxLifetimeMs: 20_000,
      history: { maxEvents: 200, maxAgeMs: 2_000 },
      limits: { connections: 80, connectionsPerPrincipal: 4 },
      authenticate: ({ headers }) => {
        if (typeof headers['x-user'] !== 'string') return null;
        const leftMs = Number(headers['x-expires-in'] ?? NaN);
        return { id: headers['x-user'], expiresAt: Number.isNaN(leftMs) ? undefined : Date.now() + leftMs };
      },
      hooks: {
        onOpened: () => void counts.opened++,
        onClosed: (_connection, reason) => void count(counts.closed, reason),
        onReset: (_connection, reason) => void count(counts.resets, reason),
        onSlow: () => void counts.slow++,
        onRefused: (_connection, reason) => void count(counts.refused, reason),
      },
    }),
  ],
  controllers: [SoakController],
})(Root);

const warnings = [];
process.on('warning', ({ name, message }) => {
  // Of `v8.queryObjects` below.
  if (name !== 'ExperimentalWarning') warnings.push(`${name}: ${message}`);
});
process.on('unhandledRejection', (reason) => warnings.push(`unhandled rejection: ${String(reason)}`));

const { app, port } = await listen(Root, { isFastify: adapter === 'fastify' });
const streams = app.get(EventStreamService);
const timers = new Set();
let n = 0;

serve({
  port: () => port,
  startPublishing() {
    every(20, () => streams.publish(`room/${n % 20}`, { data: { n } }));
    every(100, () => streams.publish(`news/${n % 3}`, { data: { n } }));
    every(50, () => streams.publish('bulk', { data: 'x'.repeat(65_536) }));
    every(100, () => streams.revoke({ principalId: `user/${n % 60}`, forMs: 300 }));
    every(200, () => streams.revoke({ principalId: `user/${n % 60}`, topic: 'room/*', forMs: 10_000 }));
    every(200, () => streams.reinstate({ principalId: `user/${n % 60}`, topic: 'room/*' }));
  },
  stopPublishing() {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  },
  complete: (job) => streams.topic(`job/${job}`).complete(),
  counts: () => ({ ...counts, warnings }),
  async measure() {
    const { rss, heapUsed, arrayBuffers } = memory();
    const handles = {};
    for (const name of process.getActiveResourcesInfo()) count(handles, name);
    return {
      rss,
      heapUsed,
      arrayBuffers,
      handles,
      connections: streams.connections.count,
      internals: await internals(),
    };
  },
});

/** How many of each there are; `undefined` where Node cannot count them (before 20.13). */
async function internals() {
  if (v8.queryObjects === undefined) return undefined;
  const found = {};
  for (const [name, file] of Object.entries(INTERNALS)) {
    found[name] = v8.queryObjects((await import(file))[name], { format: 'count' });
  }
  return found;
}

function every(ms, act) {
  const timer = setTimeout(function next() {
    timers.delete(this);
    n++;
    timers.add(setTimeout(next, ms));
    void act();
  }, ms);
  timers.add(timer);
}
