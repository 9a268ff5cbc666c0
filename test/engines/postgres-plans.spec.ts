import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { PostgresLab, newSchema, request } from '../support/postgres.js';

const TOPICS = Array.from({ length: 20 }, (_, n) => `t${n}`);

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

/** How many entries the server looks at for one call of `read` with these arguments. */
async function lookedAt(schema: string, ...values: (number | null)[]): Promise<number> {
  await using client = await lab.begin();
  const parameters = values.map((value) => String(value ?? 'NULL')).join(', ');
  await client.query(`SELECT FROM ${schema}.read($1, ${parameters})`, [TOPICS]);
  const { rows } = await client.query(
    `SELECT idx_tup_fetch::int + seq_tup_read::int AS count FROM pg_stat_xact_user_tables WHERE schemaname = $1 AND relname = 'entry'`,
    [schema],
  );
  return (rows[0] as { count: number }).count;
}

it('a read looks at what it gives, of quiet topics and of busy ones, also when the statistics are those of one topic', async () => {
  const schema = newSchema();
  const engine = lab.engine({ schema });
  await Promise.all(Array.from({ length: 200 }, () => engine.append(request('t0'))));
  await lab.rows(`ANALYZE ${schema}.entry`);
  await lab.rows(`ALTER TABLE ${schema}.entry SET (autovacuum_enabled = off)`);
  for (const quiet of TOPICS.slice(0, 10)) {
    await Promise.all(Array.from({ length: 100 }, () => engine.append(request(quiet))));
  }
  for (let n = 0; n < 100; n++) await Promise.all(TOPICS.slice(10).map((busy) => engine.append(request(busy))));
  const { seq, at } = (await engine.heads(['t0'])).upTo;

  // For each topic a few: its first, the newest before a place, what is left out, and what is given, twice.
  expect(await lookedAt(schema, 10_000, 1e9, seq - 10, seq - 10, null)).toBeLessThan(100);
  expect(await lookedAt(schema, 10, 1e9, null, null, null)).toBeLessThan(500);
  expect(await lookedAt(schema, 10_000, 1e9, null, null, null, seq, 1, 0)).toBeLessThan(200);
  expect(await lookedAt(schema, 10_000, 1e9, null, null, null, seq, 5, 0)).toBeLessThan(500);
  expect(await lookedAt(schema, 10_000, 1e9, null, null, null, seq, 1_000, at + 1)).toBeLessThan(100);
});
