import { afterEach, describe, expect, test } from '@jest/globals';
import type { Batch } from '../../src/hub/batch.js';
import type { CursorSink } from '../../src/hub/cursor-sink.js';
import { Cursor } from '../../src/hub/cursor.js';
import { Hub } from '../../src/hub/hub.js';
import { patternsOverlap } from '../../src/topic/pattern.js';
import { packEvent } from '../../src/wire/payload.js';
import type { ResetReason } from '../../src/wire/words.js';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import type { Random } from './support/random.mjs';
import { SharedLog, ShakyEngine } from './support/shaky-engine.js';

const TOPICS = ['a', 'b', 'c', 'd/1', 'd/2'];
const SELECTIONS = [['a'], ['b'], ['a', 'b'], ['a', 'c', 'd/1'], ['**'], ['d/*'], ['b', 'd/*'], TOPICS];

/** `SEED` repeats a run. */
const SEEDS =
  process.env.SEED === undefined
    ? Array.from({ length: Number(process.env.RUNS ?? 6) }, () => Math.floor(Math.random() * 2 ** 31))
    : [Number(process.env.SEED)];

/** What one reader was given, as its client would see it. */
class Reader implements CursorSink {
  readonly selectors: readonly string[];
  readonly seqs: number[] = [];
  readonly resets: ResetReason[] = [];
  readonly maxWriteBytes = 65_536;
  readonly onSlow = 'resume';
  readonly #random: Random;
  readonly #cursor: Cursor;
  /** Where it has begun. */
  startId = '';
  lastId = '';
  isWritable = true;

  constructor(hub: Hub, random: Random, selectors: readonly string[], from?: string) {
    this.#random = random;
    this.selectors = selectors;
    this.#cursor = new Cursor(hub, selectors, this);
    void this.#cursor.open(from);
  }

  write(batch: Batch): boolean {
    for (const entry of batch.entries) {
      this.seqs.push(entry.seq);
      this.lastId = batch.idOf(entry);
    }
    if (this.#random.chance(0.1)) {
      this.isWritable = false;
      setImmediate(() => {
        this.isWritable = true;
        this.#cursor.pump();
      });
    }
    return true;
  }

  position(id: string): void {
    if (this.startId === '') this.startId = id;
    this.lastId = id;
  }

  reset(reason: ResetReason): void {
    this.resets.push(reason);
  }

  ended(): void {
    throw new Error('No topic ends here');
  }

  fellBehind(): void {
    // It reads on in the log.
  }

  tooSlow(): void {
    throw new Error('Nobody is ended for being slow here');
  }

  get place(): string | undefined {
    return this.#cursor.place;
  }

  reads(topic: string): boolean {
    return this.selectors.some((selector) => patternsOverlap(selector, topic));
  }

  close(): void {
    this.#cursor.close();
  }
}

function seqOf(id: string): number {
  return Number.parseInt(id.split('.')[1] ?? '', 36);
}

const data = packEvent({ data: 'x' });

async function turns(count: number): Promise<void> {
  for (; count > 0; count--) await new Promise(setImmediate);
}

const opened: Hub[] = [];

afterEach(async () => {
  for (const hub of opened.splice(0)) await hub.close();
});

function startNode(log: SharedLog, random: Random, auditMs = 45_000): { hub: Hub; engine: ShakyEngine } {
  const engine = new ShakyEngine(log, random);
  const hub = new Hub(engine, { windowBytes: 1e6, graceMs: 50, auditMs });
  opened.push(hub);
  return { hub, engine };
}

describe('a node behind an engine that loses, repeats, hints, fails and is interrupted', () => {
  test.each(SEEDS)(
    'gives every reader every event of its topics once and in order (seed %i)',
    async (seed) => {
      const random = createRandom(seed);
      const log = new SharedLog();
      const { hub, engine } = startNode(log, random);
      const readers: Reader[] = [];
      const done: { reader: Reader; upTo: number }[] = [];
      engine.shakiness = { lose: 0, repeat: 0.05, hint: 0.1, fail: 0.02 };
      for (let step = 0; step < 1_500; step++) {
        for (let n = random.int(0, 4); n > 0; n--) log.append(random.pick(TOPICS), data);
        if (random.chance(0.05)) readers.push(new Reader(hub, random, random.pick(SELECTIONS)));
        if (random.chance(0.02) && readers.length > 0) {
          const [reader] = readers.splice(random.int(0, readers.length), 1) as [Reader];
          const { place } = reader;
          // Where it left, another goes on: what both got must be the whole.
          if (place === undefined) readers.push(reader);
          else {
            reader.close();
            done.push({ reader, upTo: seqOf(place) });
            const next = new Reader(hub, random, reader.selectors, place);
            next.startId = place;
            readers.push(next);
          }
        }
        if (random.chance(0.01) && !engine.isDown) engine.break();
        else if (random.chance(0.1) && engine.isDown) engine.restore();
        await turns(random.int(0, 3));
      }
      if (engine.isDown) engine.restore();
      for (const topic of TOPICS) log.append(topic, data);
      const lastOf = (reader: Reader): number => log.entries.filter(({ topic }) => reader.reads(topic)).at(-1)!.seq;
      const isDone = (reader: Reader): boolean =>
        reader.startId !== '' && reader.place !== undefined && seqOf(reader.place) >= lastOf(reader);
      await until(() => readers.every(isDone), `all readers to have the last event (seed ${seed})`);

      for (const { reader, upTo } of [...done, ...readers.map((reader) => ({ reader, upTo: lastOf(reader) }))]) {
        const from = seqOf(reader.startId);
        const wanted = log.entries.filter(({ topic, seq }) => reader.reads(topic) && seq > from && seq <= upTo);
        expect({ seed, of: reader.selectors, from, seqs: reader.seqs, resets: reader.resets }).toEqual({
          ...{ seed, of: reader.selectors, from, seqs: wanted.map(({ seq }) => seq), resets: [] },
        });
      }
    },
    30_000,
  );

  test('reads what was lost once, however many readers there are', async () => {
    const log = new SharedLog();
    const random = createRandom(1);
    const { hub, engine } = startNode(log, random);
    const readers = Array.from({ length: 100 }, () => new Reader(hub, createRandom(2), ['a']));
    await until(() => readers.every(({ startId }) => startId !== ''), 'the readers to be open');
    const before = engine.calls.read;
    engine.break();
    for (let n = 0; n < 3; n++) log.append('a', data);
    engine.restore();
    await until(() => readers.every(({ seqs }) => seqs.length === 3), 'the readers to have all');

    expect(engine.calls.read - before).toBeLessThanOrEqual(4);
  });

  test('opens topics though entries of them are announced that the log does not have, and asks no more often for it', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(7));
    const first = new Reader(hub, createRandom(8), ['b']);
    await until(() => first.startId !== '', 'the first reader to be open');
    const calls = engine.calls.subscribe;
    for (let n = 0; n < 30; n++) {
      const topic = `a/${n}`;
      const reader = new Reader(hub, createRandom(9), [topic]);
      // In the moment in which it is subscribed to, and its place is not known.
      for (let turn = 0; turn < 100 && !engine.subscribed.includes(topic); turn++) await turns(1);
      engine.deliver(log.epoch, { topic, seq: 1_000_001, prev: 1_000_000, at: Date.now(), data });
      await until(() => reader.startId !== '', `the reader of ${topic} to be open`, 3_000);
    }

    expect(engine.calls.subscribe - calls).toBeLessThan(100);
  }, 20_000);

  test('finds the last event of a topic, lost without a word, within the time of an audit', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(3), 20);
    const reader = new Reader(hub, createRandom(4), ['a']);
    await until(() => reader.startId !== '', 'the reader to be open');
    engine.shakiness = { ...engine.shakiness, lose: 1 };
    const { seq } = log.append('a', data);
    await until(() => reader.seqs.length > 0, 'the audit');

    expect(reader.seqs).toEqual([seq]);
  });

  test('finds an event that was lost without a word when the next of its topic comes', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(5));
    const reader = new Reader(hub, createRandom(6), ['a']);
    await until(() => reader.startId !== '', 'the reader to be open');
    engine.shakiness = { ...engine.shakiness, lose: 1 };
    log.append('a', data);
    engine.shakiness = { ...engine.shakiness, lose: 0 };
    log.append('a', data);
    await until(() => reader.seqs.length === 2, 'both events');

    expect(reader.seqs).toEqual([1, 2]);
  });

  test('tells who has been given later events of other topics that one came too late', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(7));
    const both = new Reader(hub, createRandom(8), ['a', 'b']);
    const one = new Reader(hub, createRandom(9), ['a']);
    await until(() => both.startId !== '' && one.startId !== '', 'the readers to be open');
    engine.shakiness = { ...engine.shakiness, lose: 1 };
    log.append('a', data);
    engine.shakiness = { ...engine.shakiness, lose: 0 };
    log.append('b', data);
    log.append('a', data);
    await until(() => both.seqs.includes(3) && one.seqs.includes(3), 'the last event');

    expect([one.seqs, one.resets]).toEqual([[1, 3], []]);
    expect([both.seqs, both.resets]).toEqual([[2, 3], ['unknown']]);
  });

  test.each([
    ['a topic that is there', 'a'],
    ['a topic that is new', 'new'],
  ])('misses nothing of %s between two questions of a catch-up over all topics', async (_, topic) => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(12));
    log.append('a', data);
    const reader = new Reader(hub, createRandom(13), ['**']);
    await until(() => reader.startId !== '', 'the reader to be open');
    const { heads, list } = engine;
    engine.heads = async (topics) => {
      const answer = await heads.call(engine, topics);
      if (topics.length === 0 && topic === 'a') log.append(topic, data);
      return answer;
    };
    engine.list = async () => {
      const answer = await list.call(engine);
      if (topic === 'new') log.append(topic, data);
      return answer;
    };
    engine.break();
    if (topic === 'new') log.append('a', data);
    engine.restore();
    const expected = topic === 'new' ? [2, 3] : [2];
    await until(() => reader.seqs.length >= expected.length, 'all events', 2_000).catch(() => undefined);

    expect(reader.seqs).toEqual(expected);
  });

  test('gives up the subscriptions that nobody needs any more, also of readers that left before they were open', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(10));
    for (let n = 0; n < 200; n++) {
      const reader = new Reader(hub, createRandom(11), [`topic/${n}`, ...(n % 50 === 0 ? ['**'] : [])]);
      if (n % 3 === 0) await turns(8);
      reader.close();
    }
    await until(() => engine.subscribed.length === 0, 'no subscription to be left', 10_000);
  });
});

describe('when the log is no longer the one that was followed', () => {
  const cases: readonly (readonly [string, (log: SharedLog) => void, ResetReason])[] = [
    ['was wiped', (log) => log.wipe(), 'epoch'],
    ['has lost its newest events', (log) => log.rollBack(3), 'ahead'],
    [
      'has lost its newest events, and used their numbers again',
      (log) => {
        log.rollBack(3);
        for (let n = 0; n < 3; n++) log.append('a', data);
      },
      'diverged',
    ],
  ];

  test.each(cases)('that %s, every reader is told, and gets all that there is', async (_, change, reason) => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(12));
    for (let n = 0; n < 5; n++) log.append('a', data);
    const readers = Array.from({ length: 10 }, () => new Reader(hub, createRandom(13), ['a']));
    await until(() => readers.every(({ startId }) => startId !== ''), 'the readers to be open');
    for (let n = 0; n < 3; n++) log.append('a', data);
    await until(() => readers.every(({ seqs }) => seqs.length === 3), 'the readers to have three events');
    engine.break();
    change(log);
    engine.restore();
    await until(() => readers.every(({ resets }) => resets.length > 0), 'the readers to be told');
    const { seq } = log.append('a', data);
    await until(() => readers.every(({ seqs }) => seqs.at(-1) === seq), 'the readers to have the newest');

    for (const reader of readers) {
      expect(reader.resets).toEqual([reason]);
      expect(reader.seqs.slice(3)).toEqual(log.entries.map((entry) => entry.seq));
      expect(reader.lastId.startsWith(log.epoch)).toBe(true);
    }
  });

  test('that has lost what a node has not read yet, only those who miss something are told', async () => {
    const log = new SharedLog();
    const { hub, engine } = startNode(log, createRandom(14));
    const behind = new Reader(hub, createRandom(15), ['a']);
    const quiet = new Reader(hub, createRandom(16), ['b']);
    await until(() => behind.startId !== '' && quiet.startId !== '', 'the readers to be open');
    engine.break();
    for (let n = 0; n < 5; n++) log.append('a', data);
    const { seq } = log.append('b', data);
    log.trim(3);
    engine.restore();
    await until(() => behind.seqs.length === 2 && quiet.seqs.length === 1, 'the readers to have what is left');

    expect([behind.resets, behind.seqs]).toEqual([['trimmed'], [4, 5]]);
    expect([quiet.resets, quiet.seqs]).toEqual([[], [seq]]);
  });
});
