import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { postgresEngine, type PostgresEngineOptions } from '../../src/postgres/index.js';
import { adapters, startApp } from '../support/app.js';
import { Log } from '../support/log.js';
import { GuardedController, as, byName } from '../support/people.js';
import { PostgresLab, Recorder, request } from '../support/postgres.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

/** With everything in it that an address takes apart. */
const CANARY = 'C4n@ry:p/a#s?s w0rd%';
const ENCODED = encodeURIComponent(CANARY);

beforeAll(async () => {
  lab = await PostgresLab.start();
  await lab.rows(`CREATE ROLE canary LOGIN PASSWORD 'another one'`);
  const [file] = await lab.rows<{ hba_file: string }>('SHOW hba_file');
  const rules = ['host all canary all scram-sha-256', 'host all all all trust'].map((rule) => `('${rule}')`).join(', ');
  await lab.rows(`COPY (VALUES ${rules}) TO '${file!.hba_file}'`);
  await lab.rows('SELECT pg_reload_conf()');
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

function leaksOf(seen: readonly unknown[]): string[] {
  const shown = inspect(seen, { depth: Infinity, showHidden: true, maxStringLength: null, maxArrayLength: null });
  const texts = [shown, JSON.stringify(seen), ...seen.map(String)];
  return texts.filter((text) => text.includes(CANARY) || text.includes(ENCODED) || text.includes('C4n'));
}

interface Place {
  readonly host: string;
  readonly port: number;
}

const ways: [string, (place: Place) => PostgresEngineOptions][] = [
  ['connectionString', (at) => ({ connectionString: `postgres://canary:${ENCODED}@${at.host}:${at.port}/postgres` })],
  [
    'connectionString, behind a question mark',
    (at) => ({ connectionString: `postgresql://canary@${at.host}:${at.port}/postgres?password=${ENCODED}` }),
  ],
  ['options', (at) => ({ options: { ...at, user: 'canary', password: CANARY, database: 'postgres' } })],
  [
    'options, of which a function gives it',
    (at) => ({ options: { ...at, user: 'canary', password: async () => CANARY, database: 'postgres' } }),
  ],
  [
    'a connectionString of options',
    (at) => ({ options: { connectionString: `postgres://canary:${ENCODED}@${at.host}:${at.port}/postgres` } }),
  ],
  ['pool', (at) => ({ pool: lab.openPool({ connectionString: undefined, ...at, user: 'canary', password: CANARY }) })],
  [
    'listenOptions',
    (at) => ({
      pool: lab.openPool(),
      listenOptions: { ...at, user: 'canary', password: CANARY, database: 'postgres' },
    }),
  ],
  [
    'a connectionString of listenOptions',
    (at) => ({
      pool: lab.openPool(),
      listenOptions: { connectionString: `postgres://canary:${ENCODED}@${at.host}:${at.port}/postgres` },
    }),
  ],
];

const places: [string, () => Place][] = [
  ['a server that refuses it', () => ({ host: '127.0.0.1', port: lab.server.port })],
  ['a server that is not there', () => ({ host: '127.0.0.1', port: 1 })],
  ['a name of no server', () => ({ host: 'nowhere.invalid', port: 5432 })],
];

describe.each(places)('a password is not told by an engine that is given %s', (_where, place) => {
  it.each(ways)('in %s', async (_, way) => {
    const seen: unknown[] = [];
    const note = (...told: unknown[]): number => seen.push(...told);
    const options = { timeoutMs: 400, pollMs: 10, probeMs: 50, outboxMs: 20, onWarning: note };
    const engine = lab.engine({ ...way(place()), ...options });
    const recorder = new Recorder();
    recorder.interrupted = note;
    await engine.start(recorder);
    const calls = [
      engine.append(request('a')),
      engine.read({ topics: ['a'], after: 0, maxEntries: 1, maxBytes: 1 }),
      engine.heads(['a']),
      engine.subscribe(['a']),
      engine.appendInTransaction(lab.pool, request('a')),
      engine.health(),
    ];
    for (const call of await Promise.allSettled(calls)) note(call);
    await engine.health().catch(note);
    const isOnlyListening = seen.some((each) => (each as { status?: string }).status === 'fulfilled');
    if (isOnlyListening) await until(() => seen.some((each) => each instanceof Error), 'the warning');

    expect(seen.length).toBeGreaterThan(5);
    expect(leaksOf(seen)).toEqual([]);
  });
});

/** What a driver may do: tell it, and attach it. */
function leak(): Error {
  const config = { password: CANARY, connectionString: `postgres://canary:${ENCODED}@db` };
  return Object.assign(new Error(`no luck with ${CANARY} (${ENCODED})`, { cause: config }), {
    config,
    code: 'ECANARY',
  });
}

class LeakingClient {
  on(): void {}
  off(): void {}
  release(): void {}
  connect = (): Promise<never> => Promise.reject(leak());
  query = (): Promise<never> => Promise.reject(leak());
  end = (): Promise<void> => Promise.resolve();
}

const settings = { password: CANARY };
const drivers: [string, () => PostgresEngineOptions][] = [
  ['connects', () => ({ pool: Object.assign(new LeakingClient(), { options: settings, Client: LeakingClient }) })],
  [
    'runs a statement',
    () => {
      const connect = async (): Promise<LeakingClient> => new LeakingClient();
      return { pool: { connect, options: settings, Client: LeakingClient } as any };
    },
  ],
  [
    'connects to listen',
    () => {
      const pool = lab.openPool();
      const rest = { options: settings, Client: LeakingClient };
      return { pool: { connect: () => pool.connect(), ...rest } };
    },
  ],
];

describe('a password that a driver tells when it', () => {
  it.each(drivers)('%s is not told on', async (_, options) => {
    const seen: unknown[] = [];
    const note = (...told: unknown[]): number => seen.push(...told);
    const engine = lab.engine({ ...options(), timeoutMs: 300, pollMs: 10, probeMs: 20, onWarning: note });
    const recorder = new Recorder();
    recorder.interrupted = note;
    await engine.start(recorder);
    const calls = [engine.append(request('a')), engine.heads(['a']), engine.subscribe(['a'])];
    for (const call of await Promise.allSettled(calls)) note(call);
    await engine.appendInTransaction(new LeakingClient(), request('a')).catch(note);
    await engine.health().catch(note);
    await until(() => inspect(seen, { depth: 9 }).includes('no luck with ***'), 'the reason to be told');

    expect(leaksOf(seen)).toEqual([]);
  });

  it('runs the statement of a transaction is not told on', async () => {
    const { port } = lab.server;
    const engine = lab.engine({ options: { host: '127.0.0.1', port, user: 'postgres', password: CANARY } });
    const failing = engine.appendInTransaction(new LeakingClient(), request('a'));

    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('no luck with *** (***)') });
    expect(leaksOf([await failing.catch((error: unknown) => error)])).toEqual([]);
  });
});

describe('a password', () => {
  it('is in no line of the log, and nothing that hooks are given', async () => {
    const seen: unknown[] = [];
    const note = (...told: unknown[]): number => seen.push(...told);
    const log = new Log();
    const address = `postgres://canary:${ENCODED}@127.0.0.1:${lab.server.port}/postgres`;
    const engine = lab.engine({ connectionString: address, timeoutMs: 300 });
    await using app = await startApp(adapters[0]!, {
      controllers: [GuardedController],
      options: { engine, authenticate: byName, onError: note, hooks: { onEngineState: note } },
      nest: { logger: log },
    });
    const stream = await app.open('/read?topic=a', as('ann'));
    await app.streams.publish('a', { data: 1 }).catch(note);
    app.streams.tickets.issue({ id: 'ann' });
    await app.streams.engine.health().catch(note);
    await until(() => seen.includes('down'), 'the engine to be down');
    stream.leave();

    expect(leaksOf([...seen, log.text])).toEqual([]);
    expect(inspect(seen, { depth: Infinity })).toContain('password authentication failed');
  });

  it.each([
    ['is not encoded', `postgres://canary:${CANARY}@127.0.0.1:5432/postgres`],
    ['has a slash behind digits', 'postgres://canary:12/C4n@127.0.0.1:5432/postgres'],
    ['has a question mark behind digits', 'postgres://canary:12?C4n@127.0.0.1:5432/postgres'],
    ['has a hash behind digits', 'postgres://canary:12#C4n@127.0.0.1:5432/postgres'],
    ['is encoded half', `postgres://canary:${ENCODED}%ff@127.0.0.1:5432/postgres`],
    ['stands before a port that is none', `postgres://canary:${ENCODED}@127.0.0.1:65536/postgres`],
    ['stands before a port in words', `postgres://canary:${ENCODED}@127.0.0.1:port/postgres`],
    ['stands in an address of another scheme', `postgress://canary:${ENCODED}@127.0.0.1:5432/postgres`],
    ['stands in an address without a colon', `postgres//canary:${ENCODED}@127.0.0.1:5432/postgres`],
    ['stands in an address without a scheme', `canary:${ENCODED}@127.0.0.1:5432/postgres`],
    ['stands in a list of words', `host=127.0.0.1 user=canary password=${CANARY}`],
    ['stands alone', CANARY],
  ])('that %s is refused at start, with what is expected, and is not shown', (_, connectionString) => {
    const given: PostgresEngineOptions[] = [
      { connectionString },
      { options: { connectionString } },
      { pool: lab.pool, listenOptions: { connectionString } },
    ];
    for (const options of given) {
      let thrown: unknown;
      try {
        postgresEngine(options);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({
        code: 'invalid-options',
        message: expect.stringContaining('must be'),
      });
      expect(String(thrown)).toContain('postgres://user:password@host:5432/database');
      expect(leaksOf([thrown])).toEqual([]);
      expect(String(thrown)).not.toContain('canary');
    }
  });

  it.each([
    'postgres://db',
    'postgres://db/app',
    'postgresql://user:p%40ss@db:5432/app?sslmode=disable',
    'postgres://user:p@ss@db/app',
    'postgres://user:100%@db/app',
    'postgres://user:with space@db/my app',
    'postgres://user:secret@/app?host=/var/run/postgresql',
    'postgres://%2Fvar%2Frun%2Fpostgresql/app',
    'postgres://[::1]:5432/app',
    'postgres:///app',
    'socket:/var/run/postgresql?db=app',
    '/var/run/postgresql app',
    '/var/run/postgresql',
  ])('or none: %s is an address', async (connectionString) => {
    for (const options of [{ connectionString }, { options: { connectionString } }]) {
      await postgresEngine(options).close();
    }
  });
});
