import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Position } from '../topic/position.js';
import { factsOf } from './run-record.js';
import type { RunRecord } from './run-record.js';
import { RunTable } from './run-table.js';
import type { RunMessage } from './run-table.js';

const LEASE_MS = 100;
const SESSIONS = ['n1.1', 'n2.1', 'n3.1'];
const KEYS = ['a', 'b'];

/** A message is drawn as what it is about; what it says depends on what has been started by then. */
interface Drawn {
  readonly op: 'start' | 'beat' | 'doubt' | 'reap' | 'stop' | 'end' | 'keep';
  readonly session: number;
  readonly key: number;
  readonly run: number;
  readonly afterMs: number;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  op: fc.constantFrom('start', 'start', 'beat', 'doubt', 'reap', 'stop', 'end', 'keep'),
  session: fc.nat(SESSIONS.length - 1),
  key: fc.nat(KEYS.length - 1),
  run: fc.nat(20),
  afterMs: fc.oneof(fc.nat(20), fc.nat(2 * LEASE_MS)),
});

/** A table, and what it has told its node. */
class Watched {
  readonly reaped: string[] = [];
  readonly lost: string[] = [];
  readonly table: RunTable;
  readonly #started = new Set<RunRecord>();

  constructor() {
    this.table = new RunTable({
      started: (run) => void this.#started.add(run),
      stopWanted: () => undefined,
      lost: ({ id }, by) => void this.lost.push(`${id} by ${by}`),
      displaced: () => undefined,
      ended: () => undefined,
      watched: () => undefined,
      heard: () => undefined,
      doubted: () => undefined,
      reaped: (session) => void this.reaped.push(session),
    });
  }

  /** Those that count as running: they have no end, and nobody has lost them. */
  get running(): RunRecord[] {
    return [...this.#started].filter(({ isLost, end }) => !isLost && end === undefined);
  }

  /** All that it would answer. */
  get answers(): unknown {
    return {
      list: [...this.table.list()].map((run) => ({ ...run })),
      running: this.running.map(({ id }) => id),
      sessions: [...this.table.sessions],
      reaped: this.reaped,
      lost: this.lost,
    };
  }
}

interface Logged {
  readonly message: RunMessage;
  readonly position: Position;
}

/** What nodes that have taken in the log so far would say. */
function messageOf({ op, session: n, key: k, run }: Drawn, ids: readonly string[], all: Watched): RunMessage {
  const session = SESSIONS[n]!;
  const key = KEYS[k]!;
  const id = ids.length === 0 ? 'none' : ids[run % ids.length]!;
  if (op === 'start')
    return { op, id: `r${ids.length}`, key, session, retainMs: 1_000, maxBytes: 1_024, leaseMs: LEASE_MS };
  if (op === 'beat') return { op, session, leaseMs: LEASE_MS };
  if (op === 'doubt') return { op, session };
  if (op === 'reap') return { op, session, by: SESSIONS[(n + 1) % SESSIONS.length]! };
  if (op === 'stop') return { op, run: id, reason: 'user' };
  if (op === 'end') return { op, run: id, end: { state: 'completed' }, seq: 1 };
  // A node tells again of its own that it has not lost.
  const own = all.running.filter((each) => each.session === session);
  return { op, runs: own.map((each) => factsOf(each)), leaseMs: LEASE_MS };
}

/** Takes a log of drawn messages in, and hands on each before and after. */
function play(
  messages: readonly Drawn[],
  look: (all: Watched, entry: Logged, take: () => void) => void,
  hasZombies = true,
): readonly [Watched, readonly Logged[]] {
  const all = new Watched();
  const log: Logged[] = [];
  const ids: string[] = [];
  let at = 1_000_000;
  for (const each of messages) {
    at += each.afterMs;
    if (!hasZombies && ['start', 'beat'].includes(each.op) && all.reaped.includes(SESSIONS[each.session]!)) continue;
    const message = messageOf(each, ids, all);
    if (message.op === 'start') ids.push(message.id);
    const entry = { message, position: { epoch: 'e', seq: log.length + 1, at } };
    log.push(entry);
    look(all, entry, () => all.table.take(entry.message, entry.position));
  }
  return [all, log];
}

const takeIn = (_: Watched, __: Logged, take: () => void): void => take();

describe('the table of runs', () => {
  it('gives all who take in the same messages the same answers', () => {
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 80 }), (messages) => {
        const [all, log] = play(messages, takeIn);
        const other = new Watched();
        for (const { message, position } of log) other.table.take(structuredClone(message), position);
        expect(other.answers).toEqual(all.answers);
      }),
    );
  });

  it('has one run under a key at most that is running', () => {
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 80 }), (messages) => {
        play(messages, (all, _, take) => {
          take();
          for (const key of KEYS) expect(all.running.filter((run) => run.key === key).length).toBeLessThanOrEqual(1);
        });
      }),
    );
  });

  it('counts a session as gone only when nothing was heard of it for its lease', () => {
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 80 }), (messages) => {
        const heardAt = new Map<string, number>();
        const gone = new Set<string>();
        play(messages, (all, { message, position: { at } }, take) => {
          const isProducing = message.op === 'reap' && all.table.isProducing(message.session);
          take();
          if (message.op === 'reap' && !gone.has(message.session)) {
            const isOver = at > (heardAt.get(message.session) ?? Infinity) + LEASE_MS;
            const isGone = all.reaped.includes(message.session);
            if (isGone) gone.add(message.session);
            if (isProducing) expect(isGone).toBe(isOver);
            else expect(isGone && !isOver).toBe(false);
          }
          if (message.op === 'beat') heardAt.set(message.session, at);
          if (message.op === 'keep') for (const { session } of message.runs) heardAt.set(session, at);
          if (message.op === 'start' && all.table.get(message.id) !== undefined) heardAt.set(message.session, at);
        });
      }),
    );
  });

  it('has those who come late agree on what is running, whatever the log has lost before all was told again', () => {
    const sessions = SESSIONS.map((_, n): Drawn => ({ op: 'keep', session: n, key: 0, run: 0, afterMs: 0 }));
    fc.assert(
      fc.property(
        fc.array(drawn, { maxLength: 40 }),
        fc.array(drawn, { maxLength: 40 }),
        fc.nat(40),
        (before, after, trimmed) => {
          // What a session says that counts as gone is refuted when nothing is heard of it for its lease.
          const [, told] = play(before, takeIn, false);
          const [all, log] = play([...before, ...sessions, ...after], takeIn, false);
          const from = Math.min(trimmed, told.length);
          // One that ends before it is told again has no more to tell of those that were refused for it.
          fc.pre(!log.slice(from, told.length).some(({ message }) => message.op === 'end'));
          const late = new Watched();
          for (const { message, position } of log.slice(from)) late.table.take(message, position);
          const running = (each: Watched): string[] => each.running.map(({ id }) => id).sort();
          expect(running(late)).toEqual(running(all));
        },
      ),
    );
  });

  it('takes a run for ended of which it is told again by a message that was sent before its end', () => {
    const watched = new Watched();
    const { table } = watched;
    const facts = { id: 'r', key: 'a', session: 'n1.1', retainMs: 1_000, maxBytes: 1_024 };
    const at = (seq: number): Position => ({ epoch: 'e', seq, at: 1_000_000 });

    table.take({ op: 'end', run: 'r', end: { state: 'completed' }, seq: 1 }, at(1));
    table.take({ op: 'keep', runs: [{ ...facts, place: 'e.0.0', startedAtMs: 1 }], leaseMs: LEASE_MS }, at(2));

    expect(watched.answers).toEqual(new Watched().answers);
  });

  it('has a run of a log that was lost go on as the same when it is told again, and end what has taken its place', () => {
    const watched = new Watched();
    const { table } = watched;
    const at = (seq: number): Position => ({ epoch: 'e', seq, at: 1_000_000 + seq });
    const start = (id: string, key: string): RunMessage => {
      return { op: 'start', id, key, session: 'n1.1', retainMs: 1_000, maxBytes: 1_024, leaseMs: LEASE_MS };
    };
    table.take(start('r1', 'a'), at(1));
    table.take(start('r2', 'b'), at(2));
    const [one, two] = [table.get('r1')!, table.get('r2')!];

    table.clear();
    table.take({ ...start('r3', 'b'), session: 'n2.1' } as RunMessage, at(3));
    table.take({ op: 'keep', runs: [factsOf(one), factsOf(two)], leaseMs: LEASE_MS }, at(4));

    expect(table.current('a')).toBe(one);
    expect(table.current('b')).toBe(two);
    expect(watched.lost).toEqual(['r3 by n1.1']);
  });

  it('gives a start the run that is running, and forgets one that was refused when it is told what was there before', () => {
    const { table: all } = new Watched();
    const comesLate = new Watched();
    const { table: late } = comesLate;
    const at = (seq: number): Position => ({ epoch: 'e', seq, at: 1_000_000 });
    const start = (id: string): RunMessage => {
      return { op: 'start', id, key: 'a', session: 'n1.1', retainMs: 1_000, maxBytes: 1_024, leaseMs: LEASE_MS };
    };
    all.take(start('r1'), at(1));
    const first = all.current('a')!;

    for (const table of [all, late]) table.take(start('r2'), at(2));
    for (const table of [all, late]) table.take({ op: 'keep', runs: [factsOf(first)], leaseMs: LEASE_MS }, at(3));

    expect([first.isLost, all.current('a')]).toEqual([false, first]);
    expect(comesLate.running.map(({ id }) => id)).toEqual(['r1']);
  });
});
