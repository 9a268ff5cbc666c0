import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { EventStreamService } from 'nestjs-event-stream';
import { createRandom, type Random } from './random.mjs';

export const TOPICS: readonly string[] = ['a', 'b'].flatMap((family) =>
  Array.from({ length: 10 }, (_, n) => `${family}/${n}`),
);
/** These end when two thirds have been published. */
const ENDING = ['b/8', 'b/9'];
const PATTERNS = ['a/*', 'b/*', '**', '*/1', 'b/**'];

export interface LoadOptions {
  readonly server: Server;
  readonly streams: EventStreamService;
  readonly seed: number;
  readonly deliveries: number;
  readonly deliveriesPerSecond: number;
  readonly ownIds: boolean;
  readonly longestAwayMs: number;
}

export interface Reset {
  readonly reason: string;
  readonly topics: readonly string[];
  /** How many events had been published when the client had read it. */
  readonly published: number;
  readonly connection: number;
}

export interface ClientReport {
  readonly selectors: readonly string[];
  readonly record: Int32Array;
  readonly resets: readonly Reset[];
  readonly problems: readonly string[];
  readonly start: number;
  readonly isEnded: boolean;
  readonly isDone: boolean;
}

export interface LoadReport {
  /** The topic of the event `n`; `undefined` where a topic ended. */
  readonly log: readonly (string | undefined)[];
  /** Where topics ended. That takes a place in the log as an event does. */
  readonly ends: ReadonlyMap<string, number>;
  readonly clients: readonly ClientReport[];
  readonly deliveries: number;
  readonly seconds: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** Publishes at random to clients that come and go at random, and tells what was published and what each client got. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const random = createRandom(options.seed);
  const selections = Array.from({ length: 50 }, (_, n) => selectionOf(n, random));
  const published = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('clients.mjs', import.meta.url), {
    workerData: {
      port: (options.server.address() as AddressInfo).port,
      seed: options.seed + 1_000,
      clients: selections.map(
        ({ route, selectors }) => `/${route}?${selectors.map((each) => `topic=${each}`).join('&')}`,
      ),
      published,
      longestAwayMs: options.longestAwayMs,
    },
  });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  const startedAt = performance.now();
  const fanOut = selections.reduce(
    (sum, { selectors }) => sum + TOPICS.filter((topic) => selects(selectors, topic)).length,
    0,
  );
  let stalls = 0;
  const onConnection = (socket: Socket): void => stall(socket, random, () => stalls++);
  options.server.on('connection', onConnection);
  const { log, ends } = await publish(
    options,
    Math.ceil((1.15 * options.deliveries * TOPICS.length) / fanOut),
    published,
  );

  worker.postMessage(
    selections.map(({ selectors }) => log.findLastIndex((topic) => topic !== undefined && selects(selectors, topic))),
  );
  const deadline = setTimeout(() => worker.postMessage('report'), 60_000);
  const [report] = (await Promise.race([once(worker, 'message'), failed])) as [Pick<LoadReport, 'clients' | 'figures'>];
  clearTimeout(deadline);
  options.server.off('connection', onConnection);
  const seconds = (performance.now() - startedAt) / 1_000;
  await worker.terminate();
  const clients = report.clients.map((client, n) => ({ ...client, selectors: selections[n]!.selectors }));
  const deliveries = clients.reduce((sum, { record, resets }) => sum + record.length - resets.length, 0);
  return { log, ends, clients, deliveries, seconds, figures: { ...report.figures, stalls } };
}

/**
 * Makes a connection's sending stall now and then, as a peer that does not read does. Node cannot shrink the kernel's
 * buffers, which on loopback hide some MB of stalling, but a corked socket looks the same to all above it.
 */
function stall(socket: Socket, random: Random, onStalled: () => void): void {
  if (random.chance(0.5)) return;
  let timer: NodeJS.Timeout;
  const cork = (): void => {
    socket.cork();
    timer = setTimeout(uncork, random.next() ** 2 * 600);
  };
  const uncork = (): void => {
    if (socket.writableNeedDrain) onStalled();
    socket.uncork();
    timer = setTimeout(cork, random.next() ** 2 * 1_500);
  };
  timer = setTimeout(cork, random.next() ** 3 * 1_000);
  socket.once('close', () => clearTimeout(timer));
}

export function selects(selectors: readonly string[], topic: string): boolean {
  const [family, number] = topic.split('/');
  return selectors.some((each) => [topic, '**', `${family}/*`, `${family}/**`, `*/${number}`].includes(each));
}

function selectionOf(n: number, random: Random): { route: string; selectors: string[] } {
  if (n < 15) return { route: 'topics', selectors: [random.pick(TOPICS)] };
  if (n < 30) return { route: 'topics', selectors: random.sample(TOPICS, random.int(2, 12)) };
  if (n < 42)
    return { route: 'topics', selectors: [random.pick(PATTERNS), ...random.sample(TOPICS, random.int(0, 3))] };
  return { route: 'events', selectors: random.sample(TOPICS, random.int(1, 8)) };
}

/** Two publishers that take turns as the event loop has it; an event's number is its place in the order of the calls. */
async function publish(
  options: LoadOptions,
  count: number,
  published: Int32Array,
): Promise<Pick<LoadReport, 'log' | 'ends'>> {
  const { streams, seed, deliveries, deliveriesPerSecond, ownIds } = options;
  const log: (string | undefined)[] = [undefined];
  const ends = new Map<string, number>();
  const running = new Set(TOPICS);
  const startedAt = performance.now();
  const msPerEvent = ((deliveries / deliveriesPerSecond) * 1_000) / count;
  const publishOne = async (random: Random): Promise<void> => {
    const topic = random.pick([...running]);
    const n = log.push(topic) - 1;
    const ownId = ownIds && random.chance(0.1) ? `own-${n}` : undefined;
    const publishing = streams.publish(topic, { data: dataOf(n, topic, random), id: ownId });
    Atomics.store(published, 0, n);
    const { id } = await publishing;
    const expected = ownId ?? n.toString(36);
    if ((ownId === undefined ? id.split('.')[1] : id) !== expected) throw new Error(`Event ${n} got the id ${id}`);
  };
  const publisher = async (random: Random): Promise<void> => {
    while (log.length < count) {
      const burst = random.chance(0.05) ? random.int(100, 400) : random.int(1, 30);
      if (random.chance(0.5)) await Promise.all(Array.from({ length: burst }, () => publishOne(random)));
      else for (let n = 0; n < burst; n++) await publishOne(random);
      for (const topic of ENDING) {
        if (log.length < (count * 2) / 3 || !running.delete(topic)) continue;
        const n = log.push(undefined) - 1;
        ends.set(topic, n);
        void streams.topic(topic).complete();
        // The end is an entry like an event: it makes the log let go of the topic's oldest one.
        Atomics.store(published, 0, n);
      }
      const ahead = log.length * msPerEvent - (performance.now() - startedAt);
      await delay(Math.max(0, ahead * random.next() * 2));
    }
  };
  await Promise.all([publisher(createRandom(seed + 1)), publisher(createRandom(seed + 2))]);
  return { log, ends };
}

function dataOf(n: number, topic: string, random: Random): string {
  const dice = random.next();
  let length = random.int(0, 200);
  if (dice < 0.0005) length = random.int(50_000, 200_000);
  else if (dice < 0.01) length = random.int(200, 20_000);
  const pad = random.chance(0.1) ? 'line\n'.repeat(length / 5) : 'x'.repeat(length);
  return `${n}|${topic}|${pad.length}|${pad}`;
}
