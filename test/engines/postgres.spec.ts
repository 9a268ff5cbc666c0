import { afterAll, beforeAll } from '@jest/globals';
import { Pool } from 'pg';
import { postgresEngine, type PostgresEngineOptions } from '../../src/postgres/index.js';
import { engineContract } from '../../src/testing/index.js';
import { ServerProcess } from '../support/server-process.js';
import { postgresServer, urlOf } from '../support/servers/postgres.js';

let server: ServerProcess;
let pool: Pool;
let count = 0;

beforeAll(async () => {
  server = await ServerProcess.start(postgresServer);
  pool = new Pool({ connectionString: urlOf(server.port) });
  pool.on('error', () => undefined);
}, 30_000);

afterAll(async () => {
  await pool.end();
  await server[Symbol.asyncDispose]();
});

function contract(name: string, more: (now: () => number) => PostgresEngineOptions): void {
  const lacks = more(Date.now).now === undefined ? (['clock'] as const) : [];
  const create = ({ now }: { now: () => number }) => {
    const schema = `Contract "${++count}"`;
    const open = (its: () => number) => postgresEngine({ pool, schema, ...more(its) });
    return {
      engine: open(now),
      another: async (needs: { now: () => number }) => open(needs.now),
      reopen: async (needs: { now: () => number }) => open(needs.now),
      housekeep: async () => {
        const quoted = `"Contract ""${count}"""`;
        await pool.query(`SELECT ${quoted}.expire(1000, 15000, 1000, $1), ${quoted}.clear(1000, 15000, $1)`, [now()]);
      },
    };
  };
  engineContract(name, create, { lacks });
}

contract('postgres, that listens', (now) => ({ now }));
contract('postgres, that polls, with the clock of the server', () => ({ notify: 'poll', pollMs: 5 }));
