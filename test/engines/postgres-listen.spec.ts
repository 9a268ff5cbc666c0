import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { PostgresLab, append, eventually, newSchema, persist, record } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
  await lab.rows('CREATE DATABASE elsewhere');
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

const through = (proxy: TcpProxy): string => `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
const elsewhere = (): object => ({ connectionString: lab.url.replace(/postgres$/, 'elsewhere') });
const isListening = async (): Promise<boolean> => (await lab.connections()).listening === 1;
/** Longer than any test: what comes before it has been notified of. */
const NEVER_POLLED = { pollMs: 60_000, probeMs: 60_000 };

describe('the connection that listens', () => {
  it('brings what the tables have at once', async () => {
    const engine = lab.engine(NEVER_POLLED);
    const recorder = await record(engine, ['a']);
    await eventually(isListening, 'the connection that listens');
    const from = performance.now();
    for (let n = 1; n <= 20; n++) {
      await append(engine, 'a', `${n}`);
      await until(() => recorder.entries.length === n, 'the entry');
    }

    expect(performance.now() - from).toBeLessThan(4_000);
  });

  it('is replaced when the server ends it, which costs no event and is no interruption', async () => {
    const engine = lab.engine({ pollMs: 5 });
    const recorder = await record(engine, ['a']);
    await eventually(isListening, 'the connection that listens');
    const ending = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%: event stream'`;
    const sent: string[] = [];
    for (let n = 0; n < 20; n++) {
      if (n % 5 === 0) await lab.rows(ending);
      await append(engine, 'a', `${n}`);
      sent.push(`${n}`);
    }

    await until(() => recorder.entries.length === 20, 'all');
    expect([recorder.texts, recorder.said]).toEqual([sent, []]);
    await eventually(isListening, 'its replacement');
  });

  it('is probed: while a network swallows all that it carries, events come over the pool', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const listenOptions = { connectionString: through(proxy) };
    const onWarning = jest.fn<(warning: Error) => void>();
    const engine = lab.engine({ pool: lab.openPool(), listenOptions, pollMs: 5, probeMs: 200, onWarning });
    const recorder = await record(engine, ['a']);
    await eventually(isListening, 'the connection that listens');
    proxy.swallow(true);
    const from = performance.now();
    await append(engine, 'a', 'swallowed');
    await until(() => recorder.texts.includes('swallowed'), 'the event');
    expect(performance.now() - from).toBeLessThan(1_500);
    await engine.subscribe(['b']);
    await append(engine, 'b', 'meanwhile');
    await until(() => recorder.texts.includes('meanwhile'), 'the next');
    proxy.swallow(false);
    proxy.cut();

    await eventually(isListening, 'its replacement');
    expect([recorder.texts, recorder.said]).toEqual([['swallowed', 'meanwhile'], []]);
  });

  it('leaves nobody behind in the server that waits for a lock', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, pollMs: 5, probeMs: 200, timeoutMs: 500 });
    await persist(() => engine.heads([]));
    const recorder = await record(engine, ['a']);
    await append(engine, 'a', 'before');
    await eventually(isListening, 'the connection that listens');
    await using blocker = await lab.begin(`LOCK TABLE ${schema}.entry IN ACCESS EXCLUSIVE MODE`);
    let most = 0;
    const connections = new Set<number>();
    const look = async (): Promise<boolean> => {
      const rows = await lab.rows<{ pid: number }>(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
      most = Math.max(most, rows.length);
      for (const { pid } of rows) connections.add(pid);
      return recorder.said.includes('interrupted') && connections.size >= 2;
    };
    await eventually(look, 'the delivery to be held up');
    for (let n = 0; n < 50; n++) await look();
    await blocker.query('COMMIT');
    await append(engine, 'a', 'after');

    await until(() => recorder.texts.includes('after'), 'the event');
    expect(recorder.texts).toEqual(['before', 'after']);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('is one again after the network has flapped, and so are the others', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const engine = lab.engine({ options: { connectionString: through(proxy), max: 3 }, timeoutMs: 300 });
    await persist(() => engine.heads([]));
    const recorder = await record(engine, ['a']);
    await append(engine, 'a');
    for (let n = 0; n < 30; n++) {
      proxy.refuse(n % 5 === 0);
      proxy.cut();
      await append(engine, 'a', `${n}`).catch(() => undefined);
    }
    proxy.refuse(false);
    await persist(() => engine.subscribe(['b']));
    await append(engine, 'b', 'last');

    await until(() => recorder.texts.includes('last'), 'the last');
    expect(recorder.said.at(-1) ?? 'resumed').toBe('resumed');
    expect(recorder.said.filter((_, n) => n % 2 === 0)).toEqual(Array(recorder.said.length / 2).fill('interrupted'));
    await eventually(async () => {
      const { all, listening } = await lab.connections();
      return listening === 1 && all <= 4;
    }, 'one connection that listens, and no more than the pool has');
    await engine.close();
    await eventually(async () => (await lab.connections()).all === 0, 'all to be gone');
    await until(() => proxy.count === 0, 'the connections to the proxy to be gone');
  });
});

describe('a connection that listens and hears nothing', () => {
  it('of another database is found out at once: events come by polling, and the user is told once, with what to do', async () => {
    const onWarning = jest.fn<(warning: Error) => void>();
    const engine = lab.engine({ pool: lab.openPool(), listenOptions: elsewhere(), pollMs: 5, probeMs: 100, onWarning });
    const recorder = await record(engine, ['a']);
    const from = performance.now();
    await append(engine, 'a');
    await until(() => recorder.entries.length === 1, 'the entry');
    expect(performance.now() - from).toBeLessThan(1_000);

    await until(() => onWarning.mock.calls.length > 0, 'the warning');
    expect(onWarning.mock.calls[0]![0].message).toMatch(
      /^postgresEngine: no notifications arrive, and until then .* every 5 ms: .*past any pooler, to the database of the pool \(listenOptions\)/,
    );
    // Also after further tries, each of which is as vain.
    const tries = async (): Promise<number> => {
      const rows = await lab.rows<{ count: string }>(
        `SELECT sessions AS count FROM pg_stat_database WHERE datname = 'elsewhere'`,
      );
      return Number(rows[0]!.count);
    };
    const before = await tries();
    await eventually(async () => (await tries()) > before + 2, 'further tries', 20_000);
    expect(onWarning).toHaveBeenCalledTimes(1);
    await engine.health();
    expect(recorder.said).toEqual([]);
  }, 30_000);

  it('does not read the tables of the other database, where it has a log of its own', async () => {
    const schema = newSchema();
    const other = lab.engine({ schema, options: elsewhere() });
    for (let n = 0; n < 10; n++) await append(other, 'a', 'of the other');
    const engine = lab.engine({
      schema,
      pool: lab.openPool(),
      listenOptions: elsewhere(),
      pollMs: 5,
      onWarning: () => 0,
    });
    const recorder = await record(engine, ['a']);
    for (let n = 0; n < 10; n++) {
      await append(other, 'a', 'of the other');
      await append(engine, 'a', 'own');
    }

    await until(() => recorder.entries.length === 10, 'all');
    expect(new Set(recorder.texts)).toEqual(new Set(['own']));
  });

  it('is used as soon as it hears, and the user is told again when it does not any more', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const onWarning = jest.fn<(warning: Error) => void>();
    const listenOptions = { connectionString: through(proxy) };
    const engine = lab.engine({ pool: lab.openPool(), listenOptions, pollMs: 60_000, probeMs: 200, onWarning });
    const recorder = await record(engine, ['a']);
    await eventually(isListening, 'the connection that listens');
    await append(engine, 'a', '1');
    await until(() => recorder.texts.includes('1'), 'the first');
    for (let n = 1; n <= 2; n++) {
      proxy.refuse(true);
      proxy.cut();
      await until(() => onWarning.mock.calls.length === n, `warning ${n}`);
      proxy.refuse(false);
      await append(engine, 'a', `${n + 1}`);
      await until(() => recorder.texts.includes(`${n + 1}`), 'the event');
    }

    expect(onWarning.mock.calls[0]![0].message).toContain('no notifications arrive');
    expect(recorder.said).toEqual([]);
  }, 30_000);

  it('is told to the process by default, and what a callback throws harms nobody', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const options = { pool: lab.openPool(), listenOptions: elsewhere(), pollMs: 5, probeMs: 100 };
    const failing = (): never => {
      throw new Error('the callback has failed');
    };
    try {
      const engines = [lab.engine(options), lab.engine({ ...options, onWarning: failing })];
      const recorders = await Promise.all(engines.map((engine) => record(engine, ['a'])));
      await until(() => warned.mock.calls.length >= 2, 'both warnings');
      for (const engine of engines) await append(engine, 'a');
      await until(() => recorders.every(({ entries }) => entries.length === 1), 'the entries');

      const told = warned.mock.calls.map(([warning]) => String(warning));
      expect(told).toEqual(
        expect.arrayContaining([expect.stringContaining('no notifications arrive'), 'the callback has failed']),
      );
    } finally {
      warned.mockRestore();
    }
  });
});
