import { describe, expect, it } from '@jest/globals';
import { Controller, Query, type Type } from '@nestjs/common';
import { EventStreamService, SseStream, type SseModuleOptions } from 'nestjs-event-stream';
import { type Received, type Reset, type Stream, openStream } from 'nestjs-event-stream/client';
import { Agent, fetch as fetchOfUndici } from 'undici';
import { engineKinds } from '../support/engines.js';
import { FakeServer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';
import { watchProcess } from '../support/watch.js';
import { startApp } from './support/app.js';
import { ChaosProxy } from './support/chaos-proxy.js';
import { createRandom } from './support/random.mjs';

// `openStream` with our server, over a network that breaks each connection: what a client gets is the log, or it is told where not.

@Controller()
class TopicsController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('topics')
  topics(@Query('topic') topic: string | string[]) {
    return this.streams.topics(...[topic].flat());
  }
}

const controllers: Type<unknown>[] = [TopicsController];
const EVENTS = 600;
/** A silence of 300 ms. */
const QUICK = { retryInterval: 2, maxRetryInterval: 10, heartbeat: 100, connectTimeout: 500 };

const seedOf = (kind: number): number => Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000) + kind;

/** An event with its number, or a reset with the topics of which something is missing. */
type Got = { readonly n: number; readonly topic: string } | { readonly missing: readonly string[] };

interface Follower {
  readonly stream: Stream;
  readonly got: Got[];
}

/** Follows by a listener, or by a loop that takes its time. */
function follow(url: string, lastEventId: string, isLoop: boolean): Follower {
  const stream = openStream(url, { ...QUICK, lastEventId });
  const got: Got[] = [];
  const take = (event: Received): void => {
    const [n = '', topic = ''] = event.text.split(' ');
    got.push(event.type === 'stream.reset' ? { missing: event.json<Reset>().topics } : { n: Number(n), topic });
  };
  if (!isLoop) stream.on('*', take);
  else
    void (async () => {
      for await (const event of stream) {
        take(event);
        if (got.length % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  return { stream, got };
}

interface Run {
  readonly seed: number;
  readonly options: SseModuleOptions;
  /** How many characters an event has at most beside its number. */
  readonly mostPad: number;
}

/** What each of six clients has got of all events, when they are quiet. */
async function followAll({ seed, options, mostPad }: Run) {
  const random = createRandom(seed);
  const settings = { retryMs: false, heartbeatMs: 80, maxLifetimeMs: 700, compression: true, ...options } as const;
  await using app = await startApp('express', settings, controllers);
  await using proxy = await ChaosProxy.start(app.port, random, 8_000);
  const { id } = await app.streams.publish('a', { data: 'first' });
  const url = `http://127.0.0.1:${proxy.port}/topics?topic=a&topic=b`;
  const followers = Array.from({ length: 6 }, (_, n) => follow(url, id, n % 3 === 0));
  const log: string[] = [];
  const publish = async (topic: string): Promise<void> => {
    const n = log.push(topic) - 1;
    await app.streams.publish(topic, { data: `${n} ${topic} ${'é'.repeat(random.int(0, mostPad))}` });
  };
  const reached = (n: number): Promise<void> => {
    const isThere = ({ got }: Follower): boolean => got.some((each) => 'n' in each && each.n >= n);
    return until(() => followers.every(isThere), `every client to get ${n} (seed ${seed})`, 30_000);
  };
  try {
    while (log.length < EVENTS) {
      for (let n = random.int(1, 20); n > 0; n--) await publish(random.pick(['a', 'b']));
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 10)));
    }
    await reached(log.length - 5);
    proxy.isCalm = true;
    await publish('a');
    await publish('b');
    await reached(log.length - 1);
  } finally {
    for (const { stream } of followers) stream.close();
  }
  return { log, got: followers.map(({ got }) => got), counts: proxy.counts };
}

/** Where a client has got something twice, too early or not at all, and was not told. */
function problemsOf(log: readonly string[], got: readonly Got[]): string[] {
  const problems: string[] = [];
  const due: Record<string, number[]> = { a: [], b: [] };
  log.forEach((topic, n) => due[topic]!.push(n));
  const missing = new Set<string>();
  let last = -1;
  for (const each of got) {
    if ('missing' in each) {
      for (const topic of each.missing) missing.add(topic);
      continue;
    }
    const { n, topic } = each;
    if (n <= last) problems.push(`${n} after ${last}`);
    last = n;
    const skipped = due[topic]!.splice(0, due[topic]!.indexOf(n) + 1).slice(0, -1);
    if (skipped.length > 0 && !missing.has(topic)) problems.push(`${skipped.join(' ')} of ${topic} missing`);
    missing.delete(topic);
  }
  for (const [topic, rest] of Object.entries(due)) if (rest.length > 0) problems.push(`${topic} ends too early`);
  return problems;
}

describe.each(engineKinds.map((kind, index) => ({ ...kind, index })))('on the log in $name', ({ open, index }) => {
  it('every client gets every event once, in order', async () => {
    const seed = seedOf(index);
    await using log = await open();
    const history = { maxEvents: 10_000, maxBytes: Infinity };
    const run = await followAll({ seed, options: { engine: log.engine(), history }, mostPad: 100 });

    for (const got of run.got) {
      expect({ seed, problems: problemsOf(run.log, got) }).toEqual({ seed, problems: [] });
      expect(got).toHaveLength(run.log.length);
    }
    const { reset, fin, silence } = run.counts;
    expect(reset + fin + silence).toBeGreaterThanOrEqual(run.got.length);
  }, 90_000);
});

it('of a log that keeps little, every client is told where something is missing, and has the rest in order', async () => {
  const seed = seedOf(10);
  const run = await followAll({ seed, options: { history: { maxEvents: 5 } }, mostPad: 10 });

  for (const got of run.got) expect({ seed, problems: problemsOf(run.log, got) }).toEqual({ seed, problems: [] });
  expect(run.got.flat().some((each) => 'missing' in each)).toBe(true);
}, 90_000);

it("an end by undici's time limit for silent bodies is a loss like any other", async () => {
  using watch = watchProcess();
  await using server = await FakeServer.start((response, _, n) => begin(response, `id: ${n}\ndata: ${n}\n\n`));
  const dispatcher = new Agent({ bodyTimeout: 300 });
  await using stream = openStream(server.url, {
    ...QUICK,
    heartbeat: false,
    fetch: (url, init) => fetchOfUndici(url, { ...init, dispatcher } as never) as never,
  });
  const data: string[] = [];
  const reasons: unknown[] = [];
  stream.subscribe((state) => state.phase === 'waiting' && reasons.push(state.reason));
  for await (const event of stream) if (data.push(event.data) === 3) break;
  await dispatcher.destroy();

  expect(data).toEqual(['0', '1', '2']);
  expect(reasons).toEqual(['cut', 'cut']);
  expect(server.places).toEqual([undefined, '0', '1']);
  expect(watch.seen).toEqual([]);
}, 30_000);
