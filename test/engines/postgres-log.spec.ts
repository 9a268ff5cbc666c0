import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { postgresEngine, postgresSchemaSql } from '../../src/postgres/index.js';
import {
  KEEP,
  PostgresLab,
  Recorder,
  append,
  eventually,
  newSchema,
  readAll,
  record,
  request,
  texts,
} from '../support/postgres.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

describe('the options of the PostgreSQL engine', () => {
  const pool = { connect: () => Promise.reject(new Error('no')) } as any;

  it.each<[string, any]>([
    ['exactly one of pool, connectionString and options', {}],
    ['exactly one of pool, connectionString and options', { pool, connectionString: 'postgres://x' }],
    ['pool must be a pool', { pool: {} }],
    ['connectionString must be postgres://', { connectionString: 5 }],
    ['options must be an object', { options: 'x' }],
    ['schema must be', { connectionString: 'postgres://x', schema: 'pg_mine' }],
    ['schema must be', { connectionString: 'postgres://x', schema: 'ä'.repeat(25) }],
    ['schema must be', { connectionString: 'postgres://x', schema: 'a$$; DROP TABLE b; --' }],
    ['notify must be', { connectionString: 'postgres://x', notify: true }],
    ['timeoutMs must be', { connectionString: 'postgres://x', timeoutMs: 0 }],
    ['pollMs must be', { connectionString: 'postgres://x', pollMs: '100' }],
    ['migrate must be', { connectionString: 'postgres://x', migrate: 'no' }],
    ['no option "poolSize"; there are pool, ', { connectionString: 'postgres://x', poolSize: 5 }],
    ['give listenOptions', { pool }],
    ['must be an object', undefined],
  ])('are refused: %s', (message, options) => {
    expect(() => postgresEngine(options)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(message) }),
    );
  });

  it('may be undefined, as those of a configuration service', async () => {
    const engine = lab.engine({ schema: undefined, pollMs: undefined, now: undefined, listenOptions: undefined });
    expect((await append(engine, 'a')).seq).toBeGreaterThan(0);
    expect(await lab.rows(`SELECT FROM pg_namespace WHERE nspname = 'sse'`)).toHaveLength(1);
  });
});

describe('the schema', () => {
  it('is created once by nodes that start at once, which agree on the epoch', async () => {
    const schema = newSchema();
    const engines = Array.from({ length: 6 }, () => lab.engine({ schema }));
    const positions = await Promise.all(engines.map((engine) => append(engine, 'a')));

    expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1);
    expect(positions.map(({ seq }) => seq).sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('has a name that the SQL which creates it can hold', () => {
    expect(() => postgresSchemaSql('a$$; DROP TABLE b; --')).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('has no "$$" in it') }),
    );
  });

  it('is left alone with migrate: false, and what has to be run is told', async () => {
    const schema = 'My "own" $chema$';
    const engine = lab.engine({ schema, migrate: false });
    await expect(append(engine, 'a')).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining(String.raw`run the SQL of postgresSchemaSql("My \"own\" $chema$")`),
    });

    await lab.pool.query(postgresSchemaSql(schema));
    expect((await append(engine, 'a')).seq).toBe(1);
  });

  it('of another version is refused, with both versions', async () => {
    const schema = newSchema();
    await append(lab.engine({ schema }), 'a');
    await lab.pool.query(`CREATE OR REPLACE FUNCTION ${schema}.version() RETURNS int LANGUAGE sql AS 'SELECT 2'`);

    await expect(readAll(lab.engine({ schema }), ['a'])).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringMatching(/of version 2, .* works with 1/),
    });
  });

  it('needs no right on the database when it is there, and says which is missing when it is not', async () => {
    const schema = newSchema();
    await lab.pool.query(`CREATE ROLE modest LOGIN; CREATE SCHEMA ${schema} AUTHORIZATION modest`);
    const connectionString = lab.url.replace('postgres@', 'modest@');

    expect((await append(lab.engine({ schema, connectionString }), 'a')).seq).toBe(1);
    await expect(append(lab.engine({ connectionString }), 'a')).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('permission denied for database'),
    });
  });

  it.each([
    'DROP SCHEMA # CASCADE',
    'TRUNCATE #.lane, #.topic, #.entry, #.writer',
    'TRUNCATE #.topic',
    'TRUNCATE #.entry',
  ])('begins a new life after %s, and who comes back is told', async (sql) => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    const before = await append(engine, 'a', 'before');
    await lab.pool.query(sql.replaceAll('#', schema));

    const { holes, upTo } = await readAll(engine, ['a'], before);
    expect(holes).toEqual([{ reason: 'epoch', topics: ['a'] }]);
    expect(upTo.epoch).not.toBe(before.epoch);
    const after = await append(engine, 'a', 'after');
    expect(after.epoch).toBe(upTo.epoch);
    expect((await engine.heads(['a'])).topics).toEqual([{ seq: after.seq, at: after.at }]);
  });

  it('goes on being delivered after it was dropped', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    const recorder = await record(engine, ['a']);
    await append(engine, 'a', 'before');
    await lab.pool.query(`DROP SCHEMA ${schema} CASCADE`);
    const { epoch } = await append(engine, 'a', 'the first of another life');

    // What came before that is read by who has been told of the interruption.
    await until(() => recorder.said.length === 2, 'the interruption and its end');
    await append(engine, 'a', 'after');
    await until(() => recorder.texts.includes('after'), 'the next event');
    expect(recorder.said).toEqual(['interrupted', 'resumed']);
    expect(recorder.entries.at(-1)?.epoch).toBe(epoch);
  });

  it('tells diverged after an older dump was restored and its numbers were used again', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    await append(engine, 'a', 'kept');
    const tables = ['lane', 'writer', 'topic', 'entry'];
    for (const table of tables) await lab.pool.query(`CREATE TABLE dump_${table} AS TABLE ${schema}.${table}`);
    const lost = await append(engine, 'a', 'lost');
    for (const table of tables) {
      await lab.pool.query(`DELETE FROM ${schema}.${table}; INSERT INTO ${schema}.${table} TABLE dump_${table}`);
      await lab.pool.query(`DROP TABLE dump_${table}`);
    }

    expect((await readAll(engine, ['a'], lost)).holes).toEqual([{ reason: 'ahead', topics: ['a'] }]);
    await eventually(async () => Date.now() > lost.at, 'the next millisecond');
    const again = await append(engine, 'a', 'again');
    expect(again).toMatchObject({ epoch: lost.epoch, seq: lost.seq });
    expect((await readAll(engine, ['a'], lost)).holes).toEqual([{ reason: 'diverged', topics: ['a'] }]);
  });
});

it('tells of an interruption when a log was put back and has grown beyond where it was, all between two reads', async () => {
  const schema = newSchema();
  const engine = lab.engine({ schema });
  const recorder = await record(engine, ['a']);
  for (const text of ['kept', 'lost', 'lost too']) await append(engine, 'a', text);
  await until(() => recorder.entries.length === 3, 'all to be delivered');
  const append9 = `SELECT ${schema}.append_one(gen_random_uuid(), 1, 'a', NULL, 1, 'x', 9, 999, 9999999, true, 1000, NULL)`;
  await lab.pool.query(
    `BEGIN;
     DELETE FROM ${schema}.entry WHERE seq > 1;
     UPDATE ${schema}.topic SET head = 1, kept = 1;
     UPDATE ${schema}.lane SET seq = 1;
     ${Array.from({ length: 9 }, () => append9).join(';')};
     COMMIT`,
  );

  await until(() => recorder.said.length === 2, 'the interruption and its end');
  expect(recorder.said).toEqual(['interrupted', 'resumed']);
});

describe('retention, by the clock of the server', () => {
  it('leaves out what is too old, deletes it, and forgets idle topics', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, sweepMs: 20 });
    const short = { ...KEEP, maxAgeMs: 100 };
    const [old, newest] = [await append(engine, 'idle', 'x', short), await append(engine, 'idle', 'y', short)];
    const kept = await append(engine, 'kept');

    await eventually(async () => (await texts(engine, 'idle')).length === 0, 'both to be too old');
    // Not before a node has had the time to deliver it.
    await lab.pool.query(
      `UPDATE ${schema}.topic SET head_at = head_at - 15000 WHERE name = 'idle' AND head_at > extract(epoch FROM now()) * 1000 - 14000`,
    );
    await eventually(async () => (await engine.list('')).names.length === 1, 'the topic to be forgotten');
    expect(await lab.rows(`SELECT seq FROM ${schema}.entry`)).toEqual([{ seq: String(kept.seq) }]);
    expect((await readAll(engine, ['idle'], old)).holes).toEqual([{ reason: 'unknown', topics: ['idle'] }]);
    expect((await readAll(engine, ['idle'], newest)).holes).toEqual([]);
    expect((await engine.list('')).forgottenUpTo).toBe(newest.seq);
  });

  it('deletes what a count has evicted, but not before a node that polls has had the time to deliver it', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, sweepMs: 20 });
    for (let n = 0; n < 20; n++) await append(engine, 'a', `${n}`, { ...KEEP, maxEvents: 2 });
    expect(await texts(engine, 'a')).toEqual(['18', '19']);
    expect(await lab.rows(`SELECT FROM ${schema}.entry`)).toHaveLength(20);

    await lab.pool.query(`UPDATE ${schema}.entry SET at = at - 15001`);
    await eventually(async () => (await lab.rows(`SELECT FROM ${schema}.entry`)).length === 2, 'it to be deleted');
    expect(await texts(engine, 'a')).toEqual(['18', '19']);
  });

  it('of one batch is that of each event: what keeps nothing is not kept by its successor', async () => {
    const engine = lab.engine();
    const nothing = { ...KEEP, maxEvents: 0 };
    await append(engine, 'a', 'first');
    await Promise.all([append(engine, 'a', 'second', nothing), append(engine, 'a', 'third')]);

    expect(await texts(engine, 'a')).toEqual(['third']);
  });
});

describe('live delivery', () => {
  it.each(['listen', 'poll'] as const)(
    'brings events of every size in their places, retained or not: %s',
    async (notify) => {
      const engine = lab.engine({ notify, pollMs: 5 });
      const recorder = await record(engine, ['a', 'b']);
      const large = 'ä'.repeat(1_000_000);
      const nothing = { ...KEEP, maxEvents: 0 };
      await Promise.all([
        append(engine, 'a', '1'),
        append(engine, 'b', large, nothing),
        append(engine, 'b', large),
        append(engine, 'other', large),
        append(engine, 'a', '2'),
      ]);

      await until(() => recorder.entries.length === 4, 'all four');
      expect(recorder.texts).toEqual(['1', large, large, '2']);
      expect(recorder.hints).toEqual([]);
    },
  );

  it('brings large events, retained or not, to a node that wants all topics or more than it lists', async () => {
    const schema = newSchema();
    const [engine, all, many] = [lab.engine({ schema }), lab.engine({ schema }), lab.engine({ schema })];
    const large = 'x'.repeat(100_000);
    const recorders = [
      await record(all, [EVERY_TOPIC]),
      await record(many, ['a', ...Array.from({ length: 1_000 }, (_, n) => `t/${n}`)]),
    ];
    for (const retention of [KEEP, { ...KEEP, maxEvents: 0 }]) await append(engine, 'a', large, retention);
    await append(engine, 'a', 'small');

    for (const recorder of recorders) {
      await until(() => recorder.entries.length === 3, 'all three');
      expect(recorder.texts).toEqual([large, large, 'small']);
    }
  });

  it('needs one connection for 10,000 topics, and none of its own before the first subscribe', async () => {
    const engine = lab.engine({ pool: lab.openPool({ max: 2 }) });
    await append(engine, 'a');
    await engine.start(await record(lab.engine({ notify: 'poll' }), []));
    expect((await lab.connections()).listening).toBe(0);

    await engine.subscribe(Array.from({ length: 10_000 }, (_, n) => `t/${n}`));
    await eventually(async () => (await lab.connections()).listening === 1, 'the connection that listens');
  });

  it('has nothing left over from 10,000 rounds of subscribe and unsubscribe', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    const recorder = await record(engine, []);
    for (let n = 0; n < 10_000; n += 50) {
      const rounds = Array.from({ length: 50 }, async (_, m) => {
        const subscribing = engine.subscribe([`t/${n + m}`]);
        engine.unsubscribe([`t/${n + m}`]);
        await subscribing;
      });
      await Promise.all(rounds);
    }
    await engine.subscribe(['fence']);
    await append(engine, 't/5');
    await append(engine, 'fence');

    await until(() => recorder.entries.length > 0, 'the fence');
    expect(recorder.texts).toEqual(['fence']);
    expect((await lab.connections()).listening).toBe(1);
  });

  it.each(['listen', 'poll'] as const)(
    'misses nothing of a topic that joins while it is published to: %s',
    async (notify) => {
      const schema = newSchema();
      const publisher = lab.engine({ schema });
      const topics = Array.from({ length: 30 }, (_, n) => `t/${n}`);
      let isOver = false;
      const publishing = (async () => {
        while (!isOver) await Promise.all(topics.map((topic) => append(publisher, topic)));
      })();
      const recorders = await Promise.all(
        Array.from({ length: 3 }, async () => {
          const engine = lab.engine({ schema, notify, pollMs: 1 });
          const recorder = await record(engine, []);
          const joined = new Map<string, number>();
          for (const topic of topics) joined.set(topic, (await engine.subscribe([topic])).seq);
          return { recorder, joined };
        }),
      );
      isOver = true;
      await publishing;
      const { entries } = await readAll(publisher, topics);

      for (const { recorder, joined } of recorders) {
        const wanted = entries.filter(({ topic, seq }) => seq > joined.get(topic)!).map(({ seq }) => seq);
        // Behind it may be one that was stored before its topic had joined, and was on its way then.
        await until(() => recorder.entries.some(({ seq }) => seq === wanted.at(-1)), 'the last');
        const delivered = recorder.entries.filter(({ topic, seq }) => seq > joined.get(topic)!).map(({ seq }) => seq);
        expect(delivered).toEqual(wanted);
      }
    },
  );

  it.each([
    ['its first question', false],
    ['a question that was asked before the topic was wanted', true],
  ])('misses nothing that is stored before the answer to %s', async (_, isPolling) => {
    const schema = newSchema();
    const engine = lab.engine({ schema, notify: 'poll', pollMs: 1 });
    await append(engine, 'other');
    const recorder = new Recorder();
    await engine.start(recorder);
    if (isPolling) await engine.subscribe(['other']);
    await using blocker = await lab.begin(`LOCK TABLE ${schema}.entry IN ACCESS EXCLUSIVE MODE`);
    if (isPolling) await eventually(async () => (await lab.waiting()) === 1, 'the question to be asked');
    const subscribing = engine.subscribe(['a']);
    await eventually(async () => (await lab.waiting()) === 1, 'the question to be asked');
    // If it did not wait for an answer, the subscription would have its position by the time that this has one.
    await engine.heads([]);
    await engine.heads([]);
    await blocker.query(
      `SELECT ${schema}.append(gen_random_uuid(), 1, '{a}', '{NULL}', '{1}', 'x', '{9}', '{9}', '{9e9}', false, 99, NULL)`,
    );
    await blocker.query('COMMIT');
    const from = await subscribing;
    const { seq } = await append(engine, 'a', 'fence');

    await until(() => recorder.entries.at(-1)?.seq === seq, 'the fence');
    const delivered = recorder.entries.filter((entry) => entry.seq > from.seq).map((entry) => entry.seq);
    expect(delivered).toEqual([2, 3].filter((place) => place > from.seq));
  });

  it('goes to its own schema only', async () => {
    const [one, other] = [lab.engine(), lab.engine()];
    const recorder = await record(one, [EVERY_TOPIC]);
    await append(other, 'a', 'other');
    await append(one, 'a', 'one');

    await until(() => recorder.entries.length > 0, 'an entry');
    expect(recorder.texts).toEqual(['one']);
    expect(await texts(one, 'a')).toEqual(['one']);
  });
});

describe('close', () => {
  it("leaves the user's pool to the user, and nothing else open", async () => {
    const pool = lab.openPool();
    const engine = lab.engine({ pool });
    await record(engine, ['a']);
    await append(engine, 'a');
    const listeners = pool.listenerCount('error');
    await engine.close();

    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(pool.listenerCount('error')).toBe(listeners - 1);
    expect([pool.totalCount, pool.idleCount]).toEqual([pool.totalCount, pool.totalCount]);
    await eventually(async () => (await lab.connections()).all === 0, 'its connections to be gone');
  });

  it('settles every call that waits, while the server does not answer', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, timeoutMs: 1_000 });
    await append(engine, 'a');
    await using _blocker = await lab.begin(`LOCK TABLE ${schema}.lane, ${schema}.topic IN ACCESS EXCLUSIVE MODE`);
    const calls = [append(engine, 'a'), append(engine, 'b'), readAll(engine, ['a']), engine.heads(['a'])];
    const settled = Promise.allSettled(calls);
    await eventually(async () => (await lab.waiting()) >= 3, 'the calls to be under way');
    await engine.close();

    const [first, , read] = await settled;
    expect(first).toMatchObject({ status: 'rejected' });
    expect(read).toMatchObject({ reason: { code: 'closed' } });
  });

  it('refuses what comes later, in a transaction too', async () => {
    const engine = lab.engine();
    await engine.close();
    await expect(engine.appendInTransaction(lab.pool, request('a'))).rejects.toMatchObject({ code: 'closed' });
  });
});
