import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { PostgresEngineOptions } from '../../src/postgres/index.js';
import { KEEP, PostgresLab, append, eventually, newSchema, readAll, record, request } from '../support/postgres.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

/** Each type that the engine's tables have, and more: bool, bytea, name, int8, int2, int4, text, oid, json, float8, varchar, void, uuid. */
const OIDS = [16, 17, 19, 20, 21, 23, 25, 26, 114, 701, 1043, 2278, 2950];
const strange = (value: unknown): unknown => ({ parsed: value });
const types = { getTypeParser: () => strange };

beforeAll(async () => {
  lab = await PostgresLab.start();
  for (const oid of OIDS) {
    pg.types.setTypeParser(oid, 'text', strange);
    pg.types.setTypeParser(oid, 'binary', strange);
  }
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

const ways: [string, () => PostgresEngineOptions][] = [
  ['with the driver, for an engine with an address', () => ({ connectionString: lab.url })],
  ['with the driver, for an engine with a pool', () => ({ pool: lab.openPool() })],
  ['with its pool', () => ({ pool: lab.openPool({ types }) })],
  ['with the settings of the pool', () => ({ options: { connectionString: lab.url, types } })],
  ['and has its results in binary', () => ({ pool: lab.openPool({ binary: true, types }) })],
  ['and has the results of the engine in binary', () => ({ options: { connectionString: lab.url, binary: true } })],
  ['and polls', () => ({ pool: lab.openPool({ binary: true }), notify: 'poll', pollMs: 5 })],
];

describe('an application that has registered parsers of its own', () => {
  it.each(ways)('%s, publishes, hears and resumes as any other', async (_, way) => {
    const schema = newSchema();
    const options = { ...way(), schema, outboxMs: 20, sweepMs: 10 };
    const [engine, node] = [lab.engine(options), lab.engine(options)];
    const recorder = await record(node, ['a', 'ä/"b"']);
    const data = Uint8Array.from({ length: 1_000 }, (_, n) => n % 256);
    const first = await append(engine, 'a', '1');
    await Promise.all([
      engine.append(request('ä/"b"', '', { data, id: 'Ω' })),
      append(engine, 'a', '2', { ...KEEP, maxEvents: 1 }),
    ]);
    const transaction = lab.openPool({ types, binary: true });
    await engine.appendInTransaction(transaction, request('a', '3', { retention: { ...KEEP, maxEvents: 1 } }));

    await until(() => recorder.entries.length === 4, 'all to be delivered');
    expect(recorder.texts.filter((text) => text.length === 1)).toEqual(['1', '2', '3']);
    const page = await readAll(engine, ['a', 'ä/"b"'], first);
    expect(page.holes).toEqual([{ reason: 'trimmed', topics: ['a'] }]);
    expect(page.upTo).toMatchObject({ epoch: first.epoch, seq: 4 });
    const delivered = recorder.entries.map(({ epoch: __, ...entry }) => entry);
    expect(delivered.filter(({ seq }) => seq === 2 || seq === 4)).toEqual(page.entries);
    expect(page.entries[0]).toMatchObject({ topic: 'ä/"b"', seq: 2, prev: 0, id: 'Ω', data });
    expect(Math.abs(page.upTo.at - Date.now())).toBeLessThan(60_000);
    expect(await engine.locate(['ä/"b"'], 'Ω')).toMatchObject({ seq: 2 });
    expect((await engine.heads(['a', 'none'])).topics).toEqual([{ seq: 4, at: page.entries.at(-1)!.at }, undefined]);
    expect([...(await engine.list('')).names].sort()).toEqual(['a', 'ä/"b"']);
    expect(recorder.said).toEqual([]);
  });

  it.each([
    ['nothing of a row', () => ({})],
    ['NULL where there is something', () => ({ data: null, c: null })],
    ['an object', (row: object) => ({ ...row, data: {}, a: {}, seq: {} })],
    ['a number that is none', (row: object) => ({ ...row, a: 'x', seq: '1.5' })],
    ['a number that is too large', (row: object) => ({ ...row, a: '9007199254740993', seq: '9007199254740993' })],
  ])('with a pool that gives %s is told so, and gets no wrong answer', async (_, mangle) => {
    const schema = newSchema();
    const sane = lab.engine({ schema });
    const before = await append(sane, 'a', 'before');
    let isStrange = false;
    const pool = lab.openPool();
    const connect = async (): Promise<any> => {
      const client = await pool.connect();
      const query = async (given: any): Promise<object> => {
        const { rows } = await client.query(given);
        return { rows: isStrange ? rows.map(mangle) : rows };
      };
      return {
        query,
        release: (error?: boolean) => client.release(error),
        on: client.on.bind(client),
        off: client.off.bind(client),
      };
    };
    const engine = lab.engine({
      schema,
      pool: { connect },
      notify: 'poll',
      pollMs: 5,
      timeoutMs: 1_000,
      migrate: false,
    });
    const recorder = await record(engine, ['a']);
    isStrange = true;
    const settled = await Promise.allSettled([readAll(engine, ['a'], { ...before, seq: 0 }), engine.heads(['a'])]);
    const told = { code: 'engine-failed', message: expect.stringContaining('the driver should have given') };
    expect(settled).toEqual(Array(2).fill({ status: 'rejected', reason: expect.objectContaining(told) }));
    await append(sane, 'a', 'while it is strange');
    await until(() => recorder.said.includes('interrupted'), 'the interruption');
    isStrange = false;

    await eventually(async () => recorder.said.length === 2, 'the end of the interruption');
    expect(recorder.said).toEqual(['interrupted', 'resumed']);
  });
});
