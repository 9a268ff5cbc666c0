import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { EVERY_TOPIC, type LogEntry } from '../../src/engine/engine.js';
import { KEEP, PostgresLab, append, newSchema, readAll, record, request } from '../support/postgres.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

const NOTHING = { ...KEEP, maxEvents: 0 };
const sizesOf = (entries: readonly LogEntry[]): number[] => entries.map(({ data }) => data.byteLength);

describe('an event of the largest size', () => {
  it('goes between small ones, alone and in transactions, retained or not, to nodes that listen and to nodes that poll', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    const large = randomBytes(engine.maxEventBytes);
    const nodes = [lab.engine({ schema }), lab.engine({ schema, notify: 'poll', pollMs: 20 })];
    const recorders = await Promise.all(nodes.map((node) => record(node, ['a', 'b'])));
    await Promise.all([
      append(engine, 'a', 'before'),
      engine.append(request('a', '', { data: large })),
      append(engine, 'b', 'between'),
      engine.append(request('b', '', { data: large, retention: NOTHING })),
      append(engine, 'a', 'behind'),
    ]);
    await using client = await lab.begin();
    await engine.appendInTransaction(client, request('a', '', { data: large }));
    await engine.appendInTransaction(client, request('a', 'last'));
    await client.query('COMMIT');

    const n = large.byteLength;
    for (const recorder of recorders) {
      await until(() => recorder.entries.length === 7, 'all to be delivered', 30_000);
      expect(sizesOf(recorder.entries)).toEqual([6, n, 7, n, 6, n, 4]);
      expect(recorder.entries.filter(({ data }) => data.byteLength === n && !large.equals(data))).toEqual([]);
      expect([recorder.said, recorder.hints]).toEqual([[], []]);
    }
    const { entries } = await readAll(engine, ['a', 'b']);
    // What the topic b retains was decided by its last event.
    expect(sizesOf(entries)).toEqual([6, n, 6, n, 4]);
    expect(large.equals(entries[1]!.data)).toBe(true);
  }, 60_000);

  it('is read in a page with others of its size, if so much is asked for, and alone if not', async () => {
    const engine = lab.engine();
    const data = Buffer.alloc(engine.maxEventBytes, 'x');
    for (let n = 0; n < 4; n++) await engine.append(request('a', '', { data }));

    expect(sizesOf((await readAll(engine, ['a'])).entries)).toEqual(Array(4).fill(data.byteLength));
    const page = await engine.read({ topics: ['a'], after: 1, maxEntries: 100, maxBytes: 1_000 });
    expect(page.entries.map(({ seq }) => seq)).toEqual([2]);
  }, 60_000);
});

describe('many large events', () => {
  it('that are not retained are fetched by the MiB, whoever wants them', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    const nodes = [lab.engine({ schema, notify: 'poll' }), lab.engine({ schema, notify: 'poll' })];
    const recorders = [await record(nodes[0]!, ['a']), await record(nodes[1]!, [EVERY_TOPIC])];
    const spy = jest.spyOn(Client.prototype, 'query');
    const data = Buffer.alloc(300_000, 'x');
    // In one transaction: all of them are there at once.
    await using client = await lab.begin();
    for (let n = 0; n < 20; n++)
      await engine.appendInTransaction(client, request('a', '', { data, retention: NOTHING }));
    await client.query('COMMIT');
    for (const recorder of recorders) await until(() => recorder.entries.length === 20, 'all');
    const answers = await Promise.all(
      spy.mock.calls.map(([query]: any[], n) => String(query?.text).includes('.tail(') && spy.mock.results[n]!.value),
    );
    spy.mockRestore();

    const bytes = answers.map((answer: any) => JSON.stringify(answer.rows ?? []).length);
    // As base64.
    expect(Math.max(...bytes)).toBeLessThan(((1_048_576 + 300_000) * 4) / 3 + 100_000);
  });
});

describe('a larger event', () => {
  it('is refused, in whichever way it comes, and nothing suffers from it', async () => {
    const engine = lab.engine();
    const recorder = await record(engine, ['a']);
    const tooLarge = request('a', '', { data: Buffer.alloc(engine.maxEventBytes + 1) });
    const refused = { code: 'invalid-event', message: expect.stringContaining('at most 16777216 bytes') };
    await using client = await lab.begin();
    const appending = [append(engine, 'a', '1'), engine.append(tooLarge), append(engine, 'a', '2')];
    const [, second] = await Promise.allSettled(appending);
    expect(second).toMatchObject({ status: 'rejected', reason: refused });
    await expect(engine.appendInTransaction(client, tooLarge)).rejects.toMatchObject(refused);
    await engine.appendInTransaction(client, request('a', '3'));
    await client.query('COMMIT');

    await until(() => recorder.entries.length === 3, 'the others');
    expect([recorder.texts, recorder.said]).toEqual([['1', '2', '3'], []]);
    await engine.health();
  });
});
