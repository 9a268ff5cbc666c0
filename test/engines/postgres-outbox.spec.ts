import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  KEEP,
  PostgresLab,
  append,
  eventually,
  newSchema,
  persist,
  readAll,
  record,
  request,
  texts,
} from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

/** Small numbers that a seed repeats. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('an event that is published in a transaction', () => {
  it('is there once it has committed, delivered as any other, and not before', async () => {
    const engine = lab.engine({ outboxMs: 60_000 });
    const recorder = await record(engine, ['a', 'b']);
    await using client = await lab.begin();
    await engine.appendInTransaction(client, request('a', 'one', { id: 'own' }));
    await engine.appendInTransaction(client, request('b', 'two'));
    const { seq } = await append(engine, 'a', 'before the commit');
    await client.query('COMMIT');

    await until(() => recorder.entries.length === 3, 'all three');
    expect(recorder.texts).toEqual(['before the commit', 'one', 'two']);
    const { entries } = await readAll(engine, ['a', 'b']);
    expect(recorder.entries.map(({ epoch: _, ...entry }) => entry)).toEqual(entries);
    expect(entries.map(({ seq: place, prev, id }) => [place - seq, prev, id])).toEqual([
      [0, 0, undefined],
      [1, seq, 'own'],
      [2, 0, undefined],
    ]);
  });

  it('is nowhere when it is rolled back, as a whole or to a savepoint', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, outboxMs: 10 });
    await using client = await lab.begin();
    await engine.appendInTransaction(client, request('a', 'all'));
    await client.query('ROLLBACK');
    await client.query('BEGIN');
    await engine.appendInTransaction(client, request('a', 'kept'));
    await client.query('SAVEPOINT here');
    await engine.appendInTransaction(client, request('a', 'partly'));
    await client.query('ROLLBACK TO SAVEPOINT here');
    await client.query('COMMIT');

    await eventually(async () => (await texts(engine, 'a')).length > 0, 'it to be moved');
    expect(await texts(engine, 'a')).toEqual(['kept']);
    expect(await lab.rows(`SELECT FROM ${schema}.outbox`)).toEqual([]);
  });

  it('holds nobody up, however long its transaction stays open', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, timeoutMs: 2_000, sweepMs: 10, outboxMs: 10 });
    await using idle = await lab.begin();
    await engine.appendInTransaction(idle, request('a', 'late'));
    for (let n = 0; n < 20; n++) await append(engine, 'a', `${n}`);
    await using other = await lab.begin();
    await engine.appendInTransaction(other, request('a', 'overtakes'));
    await other.query('COMMIT');
    await eventually(async () => (await texts(engine, 'a')).includes('overtakes'), 'the other transaction');
    await idle.query('COMMIT');

    await eventually(async () => (await texts(engine, 'a')).includes('late'), 'the late one');
    expect((await texts(engine, 'a')).slice(-2)).toEqual(['overtakes', 'late']);
  });

  it('comes after those of transactions that had committed before its own began', async () => {
    const schema = newSchema();
    const [engine, mover] = [lab.engine({ schema, outboxMs: 60_000 }), lab.engine({ schema })];
    const recorder = await record(mover, ['a']);
    const wanted = Array.from({ length: 60 }, (_, n) => `${n}`);
    const pool = lab.openPool({ max: 3 });
    for (const text of wanted) {
      const client = await pool.connect();
      await client.query('BEGIN');
      await engine.appendInTransaction(client, request('a', text));
      await client.query('COMMIT');
      client.release();
    }

    await until(() => recorder.entries.length === 60, 'all');
    expect(recorder.texts).toEqual(wanted);
  });

  it('is published where nobody listens, and where nodes poll', async () => {
    for (const notify of ['listen', 'poll'] as const) {
      const schema = newSchema();
      const engine = lab.engine({ schema, notify, pollMs: 5, outboxMs: 10 });
      // A pool runs each statement in a transaction of its own.
      await engine.appendInTransaction(lab.pool, request('a', notify));
      await eventually(async () => (await texts(engine, 'a')).length === 1, 'it to be moved');
      const recorder = await record(engine, ['a']);
      await engine.appendInTransaction(lab.pool, request('a', 'live'));
      await until(() => recorder.texts.includes('live'), 'it to be delivered');
    }
  });

  it('keeps bytes, names, ids and retention as they are', async () => {
    const engine = lab.engine({ outboxMs: 10 });
    const names = ["it's", '"', '\\', '\u{1f98a}', 'x'.repeat(1_024)];
    const data = Uint8Array.from({ length: 20_000 }, (_, n) => n % 256);
    const nothing = { ...KEEP, maxEvents: 0 };
    for (const [n, topic] of names.entries()) {
      await engine.appendInTransaction(lab.pool, { topic, data, id: topic, retention: n === 0 ? nothing : KEEP });
    }

    await eventually(async () => (await engine.list('')).names.length === names.length, 'all to be moved');
    const { entries } = await readAll(engine, names);
    expect(entries.map(({ topic, id }) => [topic, id])).toEqual(names.slice(1).map((name) => [name, name]));
    for (const entry of entries) expect(Buffer.compare(entry.data, data)).toBe(0);
  });

  it('needs nothing of a client but query(text, values)', async () => {
    const engine = lab.engine({ outboxMs: 10 });
    await using client = await lab.begin();
    const runner = {
      query: async (text: string, values?: any[]): Promise<any> => (await client.query(text, values)).rows,
    };
    await engine.appendInTransaction(runner, request('a'));
    await client.query('COMMIT');

    await eventually(async () => (await texts(engine, 'a')).length === 1, 'it to be moved');
  });

  it('that has failed already is refused', async () => {
    const engine = lab.engine();
    await using client = await lab.begin();
    await client.query('SELECT 1 / 0').catch(() => undefined);

    await expect(engine.appendInTransaction(client, request('a'))).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('transaction is aborted'),
    });
  });

  it('that cannot be moved makes the engine unhealthy, until it can', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, outboxMs: 10, timeoutMs: 1_000 });
    await persist(() => engine.heads([]));
    await engine.appendInTransaction(lab.pool, request('a'));
    await eventually(async () => (await texts(engine, 'a')).length === 1, 'it to be moved');
    await engine.health();
    await lab.pool.query(`ALTER TABLE ${schema}.outbox RENAME TO away`);
    await eventually(
      () =>
        engine.health().then(
          () => false,
          (error) => error.message.includes('outbox'),
        ),
      'the engine to be unhealthy',
    );
    await lab.pool.query(`ALTER TABLE ${schema}.away RENAME TO outbox`);

    await eventually(
      () =>
        engine.health().then(
          () => true,
          () => false,
        ),
      'the engine to be healthy',
    );
  });
});

describe('nodes that move the outbox at the same time, and are cut off in the middle', () => {
  it('publish each committed event once, in the order of its writer, and none that was rolled back', async () => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const random = createRandom(seed);
    await using proxy = await TcpProxy.start(lab.server.port);
    const schema = newSchema();
    const connectionString = `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
    const engine = lab.engine({ schema, outboxMs: 60_000 });
    await engine.health();
    const movers = Array.from({ length: 3 }, () =>
      lab.engine({ schema, connectionString, outboxMs: 5, timeoutMs: 1_000 }),
    );
    await Promise.all(movers.map((mover) => record(mover, ['a'])));
    const committed: string[] = [];
    const write = async (writer: number): Promise<void> => {
      await using client = await lab.begin('COMMIT');
      for (let n = 0; n < 60; n++) {
        const isKept = random(4) > 0;
        await client.query('BEGIN');
        for (const part of ['x', 'y']) await engine.appendInTransaction(client, request('a', `${writer}:${n}${part}`));
        await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
        if (isKept) committed.push(`${writer}:${n}x`, `${writer}:${n}y`);
        if (random(8) === 0) proxy.cut();
      }
    };
    await Promise.all([0, 1, 2, 3].map(write));

    await eventually(
      async () => (await lab.rows(`SELECT FROM ${schema}.outbox`)).length === 0,
      `all, with seed ${seed}`,
    );
    const stored = await texts(engine, 'a');
    for (const writer of ['0:', '1:', '2:', '3:']) {
      const own = (all: readonly string[]): string[] => all.filter((text) => text.startsWith(writer));
      expect([seed, own(stored)]).toEqual([seed, own(committed)]);
    }
  }, 30_000);
});
