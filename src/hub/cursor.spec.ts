import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import type { Engine, ReadPage, ReadRequest, Retention } from '../engine/engine.js';
import { memoryEngine } from '../engine/memory.js';
import { Signals } from '../signals.js';
import type { OnSlow } from '../topic/define.js';
import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { COMPLETE, packEvent } from '../wire/payload.js';
import type { ResetReason } from '../wire/words.js';
import type { Batch } from './batch.js';
import type { CursorSink } from './cursor-sink.js';
import { Cursor } from './cursor.js';
import { Hub } from './hub.js';
import type { HubSignals } from './signals.js';

type Told =
  | { readonly event: number; readonly topic: string }
  | { readonly reset: ResetReason; readonly topics: readonly string[] }
  | { readonly position: string }
  | { readonly ended: string; readonly how: string };

/** More turns of the event loop than any answer of these engines takes. */
const MAX_TURNS = 300;

const turn = () => new Promise(setImmediate);

/** Takes what a test allows, and notes everything in order. */
class Sink implements CursorSink {
  readonly told: Told[] = [];
  readonly maxWriteBytes: number;
  readonly onSlow: OnSlow;
  /** How many writes there is room for. */
  room = Infinity;
  wasTooSlow = false;

  constructor({ maxWriteBytes = 65_536, onSlow = 'resume' }: { maxWriteBytes?: number; onSlow?: OnSlow } = {}) {
    this.maxWriteBytes = maxWriteBytes;
    this.onSlow = onSlow;
  }

  get isWritable(): boolean {
    return this.room > 0 && !this.wasTooSlow;
  }

  get events(): number[] {
    return this.told.flatMap((each) => ('event' in each ? [each.event] : []));
  }

  get resets(): ResetReason[] {
    return this.told.flatMap((each) => ('reset' in each ? [each.reset] : []));
  }

  /** Resolves when the event with this sequence has been given, or when it is clear that it never will be. */
  async has({ seq }: Position): Promise<void> {
    for (let turns = 0; turns < MAX_TURNS && !this.events.includes(seq); turns++) await turn();
  }

  write(batch: Batch): boolean {
    this.room--;
    for (const { seq, topic } of batch.entries) {
      this.told.push({ event: seq, topic });
    }
    return true;
  }

  position(id: string): void {
    this.told.push({ position: id });
  }

  reset(reason: ResetReason, topics: readonly string[]): void {
    this.told.push({ reset: reason, topics });
  }

  ended(topic: string, how: string): void {
    this.told.push({ ended: topic, how });
  }

  fellBehind(): void {
    // Seen by its hook elsewhere.
  }

  tooSlow(): void {
    this.wasTooSlow = true;
  }
}

const KEEP: Retention = { maxEvents: 100_000, maxBytes: Infinity, maxAgeMs: 60_000 };

/** An engine and a hub on it; the test may step into the engine's reads. */
class Bench {
  readonly engine: Engine;
  readonly hub: Hub;
  readonly errors: unknown[] = [];
  beforeRead: () => Promise<unknown> | void = () => undefined;
  readonly reads: ReadRequest[] = [];
  readonly #cursors: Cursor[] = [];
  readonly #retention: Retention;

  constructor({ windowBytes = 1e6, retention = KEEP }: { windowBytes?: number; retention?: Retention } = {}) {
    this.#retention = retention;
    this.engine = memoryEngine();
    const read = this.engine.read.bind(this.engine);
    this.engine.read = async (request): Promise<ReadPage> => {
      this.reads.push(request);
      await this.beforeRead();
      return read(request);
    };
    this.hub = new Hub(this.engine, {
      windowBytes,
      graceMs: 10_000,
      auditMs: 45_000,
      signals: errorsTo(this.errors),
    });
  }

  publish(topic: string, data = packEvent({ data: 'x' })): Promise<Position> {
    return this.engine.append({ topic, data, retention: this.#retention });
  }

  async publishAll(...topics: string[]): Promise<Position[]> {
    const positions: Position[] = [];
    for (const topic of topics) positions.push(await this.publish(topic));
    return positions;
  }

  cursor(selectors: string[], sink: Sink): Cursor {
    const cursor = new Cursor(this.hub, selectors, sink);
    this.#cursors.push(cursor);
    return cursor;
  }

  /** A cursor that has reached its place. */
  async open(selectors: string[], sink: Sink, from?: string): Promise<Cursor> {
    const cursor = this.cursor(selectors, sink);
    void cursor.open(from);
    while (sink.told.length === 0) await turn();
    return cursor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cursor of this.#cursors) cursor.close();
    await this.hub.close();
    await this.engine.close();
  }
}

const seqs = (positions: readonly Position[]) => positions.map(({ seq }) => seq);

describe('a cursor', () => {
  it('starts with what is published after it was opened, and tells its place first', async () => {
    await using bench = new Bench();
    const before = await bench.publish('a');
    const sink = new Sink();
    await bench.open(['a'], sink);
    const [first, second] = await bench.publishAll('a', 'other', 'a').then(([a, , b]) => [a!, b!] as const);
    await sink.has(second);

    expect(sink.told).toEqual([
      { position: formatPosition(before) },
      { event: first.seq, topic: 'a' },
      { event: second.seq, topic: 'a' },
    ]);
  });

  it('starts after the event of an id, and goes on with live events without a seam', async () => {
    await using bench = new Bench();
    const [first, ...rest] = await bench.publishAll('a', 'b', 'a', 'other', 'b');
    const sink = new Sink();
    await bench.open(['a', 'b'], sink, formatPosition(first!));
    const live = await bench.publish('b');
    await sink.has(live);

    expect(sink.events).toEqual(seqs([rest[0]!, rest[1]!, rest[3]!, live]));
    expect(sink.resets).toEqual([]);
  });

  it.each(['', 'x', '0', '__proto__', 'ü', 'x'.repeat(100_000), 'zzzzzz.1', 'stream.end'])(
    'takes the id %p, which is none of this log, for an unknown place, and reads from the start',
    async (id) => {
      await using bench = new Bench();
      const positions = await bench.publishAll('a', 'a');
      const sink = new Sink();
      await bench.open(['a'], sink, id);
      await sink.has(positions[1]!);

      expect(sink.told.slice(0, 1)).toEqual([{ reset: 'unknown', topics: ['a'] }]);
      expect(sink.events).toEqual(seqs(positions));
    },
  );

  it('takes a place of another epoch for what it is', async () => {
    await using bench = new Bench();
    const position = await bench.publish('a');
    const sink = new Sink();
    await bench.open(['a'], sink, formatPosition({ ...position, epoch: 'zzzzzz' }));
    await sink.has(position);

    expect(sink.told.slice(0, 1)).toEqual([{ reset: 'epoch', topics: ['a'] }]);
  });

  it('gives nothing while its sink is full, and everything in order once it is not', async () => {
    await using bench = new Bench({ windowBytes: 2_000 });
    const sink = new Sink();
    const cursor = await bench.open(['a'], sink);
    sink.room = 0;
    const positions = await bench.publishAll(...Array<string>(1_000).fill('a'));
    await turn();
    expect(sink.events).toEqual([]);

    sink.room = Infinity;
    cursor.pump();
    await sink.has(positions[999]!);
    expect(sink.events).toEqual(seqs(positions));
    expect(sink.resets).toEqual([]);
  });

  it('reads page by page only as fast as its sink takes them', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll(...Array<string>(1_000).fill('a'));
    const sink = new Sink();
    sink.room = 1;
    const cursor = await bench.open(['a'], sink, formatPosition(positions[0]!));
    await turn();
    const read = bench.reads.length;
    await turn();
    expect(bench.reads).toHaveLength(read);

    sink.room = Infinity;
    cursor.pump();
    await sink.has(positions[999]!);
    expect(sink.events).toEqual(seqs(positions.slice(1)));
  });

  it('tells a hole once up to the next event of its topic, and again when what was published since is missing too', async () => {
    await using bench = new Bench({ retention: { ...KEEP, maxEvents: 2 } });
    const sink = new Sink({ maxWriteBytes: 1 });
    const [first] = await bench.publishAll('a', 'a', 'b', 'b', 'b', 'b', 'b', 'c', 'a', 'a', 'b');
    const at = (seq: number): Position => ({ ...first!, seq });
    sink.room = 1;
    const cursor = await bench.open(['a', 'b', 'c'], sink, formatPosition(first!));
    await sink.has(at(7));
    // The client has asked elsewhere for what is missing of `a`; that, and the next two, are lost before they are read.
    await bench.publishAll('a', 'a', 'a', 'a', 'b', 'b');
    sink.room = Infinity;
    cursor.pump();
    await sink.has(at(17));

    const trimmed = (...topics: string[]): Told => ({ reset: 'trimmed', topics });
    const event = (seq: number, topic: string): Told => ({ event: seq, topic });
    expect(sink.told.filter((each) => !('position' in each))).toEqual([
      trimmed('a', 'b'),
      event(7, 'b'),
      trimmed('b'),
      event(8, 'c'),
      trimmed('a'),
      event(14, 'a'),
      event(15, 'a'),
      event(16, 'b'),
      event(17, 'b'),
    ]);
  });

  it('reads again when the engine has failed, loses nothing, and reports the failure', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll('a', 'a', 'a');
    const boom = new Error('boom');
    bench.beforeRead = async () => {
      bench.beforeRead = () => undefined;
      throw boom;
    };
    const sink = new Sink();
    await bench.open(['a'], sink, formatPosition(positions[0]!));

    expect(bench.errors).toEqual([boom]);
    expect(sink.events).toEqual(seqs(positions.slice(1)));
  });

  it('does not pass over a topic that first matches its pattern while the log is read', async () => {
    await using bench = new Bench();
    const start = await bench.publish('t/1');
    let born: Position | undefined;
    bench.beforeRead = async () => {
      born ??= await bench.publish('t/new');
    };
    const sink = new Sink();
    await bench.open(['t/*'], sink, formatPosition(start));
    const live = await bench.publish('t/1');
    await sink.has(live);

    expect(sink.events).toEqual(seqs([born!, live]));
  });

  it('gives a topic that joins its selection exactly from where it joined, also when it is behind', async () => {
    await using bench = new Bench();
    const sink = new Sink();
    const cursor = await bench.open(['a'], sink);
    sink.room = 0;
    const [a1] = await bench.publishAll('a', 'b');
    await cursor.select(['a', 'b']);
    const after = await bench.publishAll('b', 'a', 'b');
    sink.room = Infinity;
    cursor.pump();
    await sink.has(after[2]!);

    expect(sink.events).toEqual(seqs([a1!, ...after]));
  });

  it('gives a topic that joins from where it joined, when another has left just before', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll('a', 'b', 'a', 'b');
    const sink = new Sink();
    const cursor = bench.cursor(['a', 'b'], sink);
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    bench.beforeRead = () => gate;
    void cursor.open(formatPosition(positions[3]!));
    await turn();
    await cursor.select(['a']);
    await cursor.select(['a', 'c']);
    const after = await bench.publishAll('c', 'a', 'c');
    go();
    await sink.has(after[2]!);

    expect(sink.events).toEqual(seqs(after));
  });

  it('comes back to a selection that it leaves at the same moment, and hears of it what is published then', async () => {
    await using bench = new Bench();
    const sink = new Sink();
    const cursor = await bench.open(['a', 'b'], sink);
    sink.room = 0;
    await bench.publish('other');
    await cursor.select(['a', 'c']);
    sink.room = Infinity;
    cursor.pump();
    await cursor.select(['a']);
    await cursor.select(['a', 'b']);
    const after = await bench.publishAll('a', 'b');
    await sink.has(after[1]!);

    expect(sink.events).toEqual(seqs(after));
  });

  it.each(['disconnect', 'skip'] as const)(
    'is not taken for slow (%s) when it has everything and one of its topics leaves',
    async (onSlow) => {
      await using bench = new Bench();
      const sink = new Sink({ onSlow });
      const cursor = await bench.open(['a', 'b'], sink);
      // The lane goes on, without anything for this cursor.
      await bench.publishAll('other', 'other', 'other');
      await cursor.select(['a']);
      const next = await bench.publish('a');
      await turn();
      await turn();

      expect(sink.wasTooSlow).toBe(false);
      expect(sink.resets).toEqual([]);
      expect(sink.events).toEqual([next.seq]);
    },
  );

  it('tells a topic that wants no slow readers when it has fallen out of the window', async () => {
    await using bench = new Bench();
    const sink = new Sink({ onSlow: 'disconnect' });
    const cursor = await bench.open(['a'], sink);
    sink.room = 0;
    await bench.publishAll(...Array<string>(1_001).fill('a'));
    sink.room = 1;
    cursor.pump();

    expect(sink.wasTooSlow).toBe(true);
    expect(sink.events).toEqual([]);
  });

  it('jumps to the newest event when its topic wants that, and says so', async () => {
    await using bench = new Bench();
    const sink = new Sink({ onSlow: 'skip' });
    const cursor = await bench.open(['a'], sink);
    sink.room = 0;
    const positions = await bench.publishAll(...Array<string>(1_500).fill('a'));
    sink.room = Infinity;
    cursor.pump();
    await sink.has(positions[1_499]!);

    expect(sink.told.slice(1)).toEqual([
      { reset: 'skipped', topics: ['a'] },
      { event: positions[1_499]!.seq, topic: 'a' },
    ]);
  });

  it('tells the end of a topic in its place', async () => {
    await using bench = new Bench();
    const sink = new Sink();
    await bench.open(['a', 'b'], sink);
    const [first] = await bench.publishAll('a');
    await bench.publish('a', COMPLETE);
    const [last] = await bench.publishAll('b');
    await sink.has(last!);

    expect(sink.told.slice(1)).toEqual([
      { event: first!.seq, topic: 'a' },
      { ended: 'a', how: 'complete' },
      { event: last!.seq, topic: 'b' },
    ]);
  });

  it('moves past what it has not got when it is asked to advance, once', async () => {
    await using bench = new Bench();
    const sink = new Sink();
    const cursor = await bench.open(['a'], sink);
    await bench.open(['other'], new Sink());
    const head = await bench.publish('other');

    expect([cursor.advance(), cursor.advance()]).toEqual([true, false]);
    expect(sink.told.at(-1)).toEqual({ position: formatPosition(head) });
  });

  it('gives nothing once it is closed, also when it was reading', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll('a', 'a');
    const sink = new Sink();
    const cursor = bench.cursor(['a'], sink);
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    bench.beforeRead = () => gate;
    void cursor.open(formatPosition(positions[0]!));
    await turn();
    cursor.close();
    cursor.close();
    go();
    await turn();

    expect(sink.told).toEqual([]);
  });
});

type Command =
  | { readonly publish: string; readonly times: number }
  | { readonly room: number }
  | { readonly select: readonly string[] }
  | 'turn';

const topic = fc.constantFrom('a', 'b', 'c', 'z');
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ publish: topic, times: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ room: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ select: fc.subarray(['b', 'c']).map((more) => ['a', ...more]) }) },
  { weight: 2, arbitrary: fc.constant('turn' as const) },
);
const setting = fc.record({
  windowBytes: fc.constantFrom(300, 1_000, 100_000),
  maxEvents: fc.constantFrom(2, 5, 10_000),
  maxWriteBytes: fc.constantFrom(1, 20, 65_536),
  slowReads: fc.boolean(),
  isResumed: fc.boolean(),
});

describe('a cursor under any sequence of events, pauses and selections', () => {
  it('gives every later event of its topics once and in order, or a reset exactly where the hole is', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(command, { maxLength: 40 }), async (given, commands) => {
        await using bench = new Bench({
          windowBytes: given.windowBytes,
          retention: { ...KEEP, maxEvents: given.maxEvents },
        });
        if (given.slowReads) bench.beforeRead = turn;
        const start = await bench.publish('a');
        const sink = new Sink({ maxWriteBytes: given.maxWriteBytes });
        const cursor = await bench.open(['a', 'b'], sink, given.isResumed ? formatPosition(start) : undefined);
        const log: { seq: number; topic: string; needed: boolean; allowed: boolean }[] = [];
        let selected: readonly string[] = ['a', 'b'];
        const everSelected = new Set(selected);
        const publish = async (name: string): Promise<Position> => {
          const position = await bench.publish(name);
          log.push({
            seq: position.seq,
            topic: name,
            needed: selected.includes(name),
            allowed: everSelected.has(name),
          });
          return position;
        };

        for (const each of commands) {
          if (each === 'turn') await turn();
          else if ('publish' in each) for (let n = 0; n < each.times; n++) await publish(each.publish);
          else if ('room' in each) {
            sink.room = each.room;
            cursor.pump();
          } else {
            // What a topic that leaves has not been given yet, it need not be given.
            for (const entry of log) if (!each.select.includes(entry.topic)) entry.needed = false;
            await cursor.select(each.select);
            selected = each.select;
            for (const name of selected) everSelected.add(name);
          }
        }
        sink.room = Infinity;
        cursor.pump();
        await sink.has(await publish('a'));

        check(sink.told, log);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

/** A hole is told as `trimmed` before the next event of its topic; without one, nothing needed is missing. */
function check(
  told: readonly Told[],
  log: readonly { seq: number; topic: string; needed: boolean; allowed: boolean }[],
): void {
  const given = told.flatMap((each) => ('event' in each ? [each.event] : []));
  expect(given).toEqual([...new Set(given)].sort((x, y) => x - y));
  expect(log.filter(({ seq, allowed }) => given.includes(seq) && !allowed)).toEqual([]);
  for (const name of new Set(log.map(({ topic }) => topic))) {
    const needed = log.filter((entry) => entry.topic === name && entry.needed).map(({ seq }) => seq);
    let reached = 0;
    let isExcused = false;
    const missing: number[] = [];
    for (const each of told) {
      if ('reset' in each && each.topics.includes(name)) isExcused = true;
      if (!('event' in each) || each.topic !== name) continue;
      if (!isExcused) missing.push(...needed.filter((seq) => seq > reached && seq < each.event));
      reached = each.event;
      isExcused = false;
    }
    if (!isExcused) missing.push(...needed.filter((seq) => seq > reached));
    expect({ topic: name, missing }).toEqual({ topic: name, missing: [] });
  }
}

describe('a hub that is closed', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
  afterEach(() => void jest.useRealTimers());

  it('leaves no timer behind, also of a cursor that was open or changing its selection', async () => {
    const bench = new Bench();
    const cursor = await bench.open(['a'], new Sink());
    void cursor.select(['a', 'b']);
    await bench.hub.close();
    await turn();
    await bench.engine.close();

    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a cursor with what leads up to its place', () => {
  const lastOf = (last: number) => ({ key: `${last}`, portionOf: () => ({ last, since: 0 }) });
  const all = lastOf(Infinity);

  /** Has its place, and takes nothing yet. */
  async function begin(bench: Bench, selectors: string[], prelude = all): Promise<[Cursor, Sink]> {
    const sink = new Sink({ maxWriteBytes: 1 });
    sink.room = 0;
    const cursor = bench.cursor(selectors, sink);
    cursor.beginAt(prelude);
    await cursor.open();
    return [cursor, sink];
  }

  it('reads fewer topics at once, and nothing else of them', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll('a', 'b', 'a', 'b', 'a', 'b');
    const [cursor, sink] = await begin(bench, ['a', 'b'], lastOf(1));
    await cursor.select(['a']);
    sink.room = Infinity;
    cursor.pump();
    const live = await bench.publish('a');
    await sink.has(live);

    expect(sink.events).toEqual([positions[4]!.seq, live.seq]);
    expect(sink.told.filter((each) => 'position' in each && each.position.startsWith('.'))).toEqual([]);
  });

  it('reads fewer topics while it is being read, also where others have read these before', async () => {
    await using bench = new Bench();
    await bench.open(['a'], new Sink());
    const positions = await bench.publishAll('a', 'b', 'a', 'b', 'a', 'b');
    const [cursor, sink] = await begin(bench, ['a', 'b'], lastOf(2));
    sink.room = 1;
    cursor.pump();
    await sink.has(positions[2]!);
    await cursor.select(['a']);
    sink.room = Infinity;
    cursor.pump();
    const live = await bench.publish('a');
    await sink.has(live);

    expect(sink.events.filter((seq) => seq !== positions[3]!.seq)).toEqual(seqs([positions[2]!, positions[4]!, live]));
    expect(new Set(sink.events).size).toBe(sink.events.length);
  });

  it('gives a topic that is added from the place where it ends', async () => {
    await using bench = new Bench();
    await bench.open(['a', 'b'], new Sink());
    const positions = await bench.publishAll('a', 'b', 'a', 'a', 'b', 'a');
    const [cursor, sink] = await begin(bench, ['a'], all);
    sink.room = 1;
    cursor.pump();
    await sink.has(positions[0]!);
    await cursor.select(['a', 'b']);
    const live = await bench.publishAll('b', 'a');
    sink.room = Infinity;
    cursor.pump();
    await sink.has(live[1]!);

    expect(sink.events).toEqual(seqs([...[0, 2, 3, 5].map((n) => positions[n]!), ...live]));
  });

  it('reads all of a log that contradicts the place that it has come to', async () => {
    await using bench = new Bench();
    const positions = await bench.publishAll(...Array.from({ length: 600 }, () => 'a'));
    const [cursor, sink] = await begin(bench, ['a'], lastOf(300));
    const read = bench.engine.read.bind(bench.engine);
    bench.engine.read = (request) => {
      if (request.verify === undefined || sink.resets.length > 0) return read(request);
      return read({ ...request, verify: { ...request.verify, at: 0 } });
    };
    sink.room = Infinity;
    cursor.pump();
    const live = await bench.publish('a');
    await sink.has(live);

    const reset = sink.told.findIndex((each) => 'reset' in each);
    expect(sink.told[reset]).toEqual({ reset: 'diverged', topics: ['a'] });
    const since = sink.told.slice(reset).flatMap((each) => ('event' in each ? [each.event] : []));
    expect(since).toEqual(seqs([...positions, live]));
  });
});

function errorsTo(errors: unknown[]): Signals<HubSignals> {
  const signals = new Signals<HubSignals>(() => undefined);
  signals.on('engine', ({ error }) => errors.push(error));
  return signals;
}
