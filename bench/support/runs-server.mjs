// The server of `runs.mjs`: a topic, and two runs, one of them on a foreign wire.
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';
import { openaiChat } from 'nestjs-event-stream/ai';
import { RunService, SseRunsModule } from 'nestjs-event-stream/runs';
import { SERVER_CORE, isPinned } from '../harness/cores.mjs';
import { decorateMethod, injectInto, listen } from './nest.mjs';
import { serve } from './rpc.mjs';

if (isPinned) spawnSync('taskset', ['-a', '-c', '-p', String(SERVER_CORE), String(process.pid)]);

class FeedController {
  constructor(streams, runs) {
    this.streams = streams;
    this.runs = runs;
  }

  topic() {
    return this.streams.topic('topic');
  }

  run() {
    return this.runs.watch('run');
  }

  foreign() {
    return this.runs.watch('foreign');
  }
}
Controller()(FeedController);
injectInto(FeedController, EventStreamService, RunService);
decorateMethod(FeedController, 'topic', { method: SseStream('topic') });
decorateMethod(FeedController, 'run', { method: SseStream('run', { none: 404 }) });
decorateMethod(FeedController, 'foreign', { method: SseStream('foreign', { none: 404, wire: openaiChat() }) });

class Root {}
Module({
  imports: [SseModule.forRoot({ heartbeatMs: false }), SseRunsModule.forRoot()],
  controllers: [FeedController],
})(Root);

const { app, port } = await listen(Root);
const streams = app.get(EventStreamService);

/** What the producers of the runs are given, one after the other. */
class Tap {
  #given = [];
  #wake = () => undefined;

  give(value) {
    this.#given.push(value);
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#given.length > 0) yield this.#given.shift();
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

const taps = { run: new Tap(), foreign: new Tap() };
for (const [key, tap] of Object.entries(taps)) await app.get(RunService).start(key, () => tap);
const give = {
  topic: (data) => void streams.publish('topic', { data }),
  run: (data) => taps.run.give(data),
  foreign: (data) => taps.foreign.give(data),
};

serve({
  port: () => port,
  /** Gives so many events, evenly in time. */
  async publish(kind, count, perSecond) {
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    for (let n = 0; n < count; n++) {
      await delay(Math.max(0, startedAt + (n * 1_000) / perSecond - performance.now()));
      const delta = { content: ` token ${n}` };
      give[kind]({ id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [{ index: 0, delta }] });
    }
    await delay(300);
    const { user, system } = process.cpuUsage(cpu);
    return user + system;
  },
});
