// The process of a node: a plain Nest application over a shared engine, which streams and publishes.
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Query } from '@nestjs/common';
import { EventStreamService, SseError, SseStream } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../../../support/app.js';
import { createRandom } from '../random.mjs';
import { answer, letGo, tell } from './answer.js';
import { sharedEngines } from './engines.js';
import type { Load, Outcome } from './node.js';

/** So many may wait for the engine. */
const MAX_IN_FLIGHT = 300;
const HISTORY = { maxEvents: 1_000_000, maxBytes: Infinity, maxAgeMs: 3_600_000 };

@Controller()
class TopicsController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('topics')
  topics(@Query('topic') topic: string | string[]) {
    return this.streams.topics(...[topic].flat());
  }
}

let app: TestApp;
const inFlight = new Set<Promise<void>>();
let isStopping = false;
let loading: Promise<unknown> = Promise.resolve();
let outcomes: Outcome[] = [];

/** How long this process has stood still, in ms: stopped by a signal, or kept from a processor. */
let stoodStillMs = 0;
let tickedAt = performance.now();
const clock = setInterval(() => {
  const now = performance.now();
  stoodStillMs += Math.max(0, now - tickedAt - 50);
  tickedAt = now;
}, 20);

const functions = {
  /** Listens, and answers the port. */
  async start(engineName: string, enginePort: number, adapterName: string): Promise<number> {
    const engine = await sharedEngines.find(({ name }) => name === engineName)!.open(enginePort);
    const options = { engine, history: HISTORY, hub: { path: 'events' }, authorize: 'public' as const };
    const adapter = adapters.find(({ name }) => name === adapterName)!;
    app = await startApp(adapter, { controllers: [TopicsController], options });
    return app.port;
  },
  /** Publishes at random from now on. */
  load(given: Load): void {
    loading = Promise.all([0, 1].map((loop) => publishOn(given, loop)));
  },
  /** Publishes no more, and answers when all that was published has been settled. */
  async stop(): Promise<void> {
    isStopping = true;
    await loading;
    await Promise.all(inFlight);
  },
  /** Publishes one after the other to these topics, each until it is stored for certain. */
  async publish(topics: readonly string[], publisher: number): Promise<void> {
    for (const topic of topics) {
      for (let isStored = false; !isStored;) {
        // A number of its own for each try: one that failed for all one knows may be stored.
        const publishing = app.streams.publish(topic, { data: dataOf(topic, publisher, next++, 20) });
        isStored = await publishing.then(
          () => true,
          () => false,
        );
        if (!isStored) await delay(20);
      }
    }
  },
  async close(): Promise<void> {
    clearInterval(clock);
    await app[Symbol.asyncDispose]();
    setImmediate(letGo);
  },
};

export type NodeFunctions = typeof functions;

answer(functions);

let next = 0;

/** Two of these take turns as the event loop has it; an event's number is its place in the order of the calls. */
async function publishOn({ publisher, seed, topics, perSecond }: Load, loop: number): Promise<void> {
  const random = createRandom(seed + loop);
  while (!isStopping) {
    const burst = random.chance(0.08) ? random.int(20, 80) : random.int(1, 8);
    const isPatient = random.chance(0.3);
    for (let i = 0; i < burst && !isStopping; i++) {
      const topic = random.pick(topics);
      const publishing = publishOne(topic, publisher, next++, paddingOf(random.next()));
      inFlight.add(publishing);
      void publishing.then(() => inFlight.delete(publishing));
      if (isPatient) await publishing;
    }
    while (inFlight.size > MAX_IN_FLIGHT && !isStopping) await Promise.race(inFlight);
    await delay(((burst * 2_000) / perSecond) * random.next() * 2);
  }
}

async function publishOne(topic: string, publisher: number, n: number, padding: number): Promise<void> {
  const at = performance.now();
  const stoodStillBefore = stoodStillMs;
  const settled = (code: string, id: string): void => {
    const tookMs = performance.now() - at - (stoodStillMs - stoodStillBefore);
    if (outcomes.push({ n, topic, code, id, tookMs }) === 1) setImmediate(report);
  };
  try {
    const { id } = await app.streams.publish(topic, { data: dataOf(topic, publisher, n, padding) });
    settled('stored', id);
  } catch (error) {
    settled(SseError.is(error) ? error.code : String(error), '');
  }
}

function report(): void {
  tell(outcomes);
  outcomes = [];
}

function paddingOf(dice: number): number {
  // The largest are announced by hints, and read.
  if (dice < 0.002) return 40_000;
  return dice < 0.02 ? 8_000 : Math.floor(dice * 200);
}

function dataOf(topic: string, publisher: number, n: number, padding: number): string {
  return `${publisher}|${n}|${topic}|${padding}|${'x'.repeat(padding)}`;
}
