import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseError } from '../../src/errors.js';
import type { Position } from '../../src/topic/position.js';
import { PostgresLab, append, eventually, newSchema, persist, readAll, record, texts } from '../support/postgres.js';
import { restart } from '../support/servers/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

function standStill(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until;);
}

/** A message of PostgreSQL's protocol: its type, its length, its body. */
function message(type: string, body: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, Buffer.from(body, 'latin1')]);
}

const through = (proxy: TcpProxy): string => `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;

describe('a reply that is lost', () => {
  it('is asked for again, and the event is stored once', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const schema = newSchema();
    const engine = lab.engine({ schema, connectionString: through(proxy) });
    await append(engine, 'a', 'before');
    proxy.mute(true);
    const appending = append(engine, 'a', 'once');
    await eventually(async () => (await lab.rows(`SELECT FROM ${schema}.entry`)).length === 2, 'it to be stored');
    proxy.cut();
    proxy.mute(false);

    expect(await appending).toMatchObject({ seq: 2 });
    expect(await texts(engine, 'a')).toEqual(['before', 'once']);
    expect((await append(engine, 'a', 'after')).seq).toBe(3);
  });

  it('leaves a first try behind that comes late, which stores nothing', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const schema = newSchema();
    const engine = lab.engine({ schema, connectionString: through(proxy) });
    await append(engine, 'a', 'before');
    await using blocker = await lab.begin(`UPDATE ${schema}.lane SET swept = swept`);
    const appending = append(engine, 'a', 'once');
    await eventually(async () => (await lab.waiting()) === 1, 'the first try to wait for the lane');
    proxy.cut();
    await eventually(async () => (await lab.waiting()) === 2, 'the second try to wait as well');
    await blocker.query('COMMIT');

    const { seq } = await appending;
    expect((await append(engine, 'a', 'after')).seq).toBe(seq + 1);
    await eventually(async () => (await lab.waiting()) === 0, 'the first try to end');
    expect(await texts(engine, 'a')).toEqual(['before', 'once', 'after']);
  });

  it('for good is an uncertain append, within the deadline, and of a read a failure', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const engine = lab.engine({ connectionString: through(proxy), timeoutMs: 600 });
    await persist(() => engine.heads([]));
    await append(engine, 'a');
    proxy.swallow(true);
    const from = performance.now();

    await expect(append(engine, 'a')).rejects.toMatchObject({ code: 'engine-uncertain' });
    await expect(readAll(engine, ['a'])).rejects.toMatchObject({ code: 'engine-failed', cause: expect.any(Error) });
    await expect(engine.health()).rejects.toMatchObject({ code: 'engine-failed' });
    expect(performance.now() - from).toBeLessThan(3 * 600 + 1_200);
    proxy.swallow(false);
    await persist(() => append(engine, 'b', 'again'));
    expect(await texts(engine, 'b')).toEqual(['again']);
  });
});

describe('a server that cannot be reached', () => {
  it('fails what is asked within the deadline, with the certainty that nothing was stored', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const engine = lab.engine({ connectionString: through(proxy), timeoutMs: 600 });
    await persist(() => engine.heads([]));
    await append(engine, 'a', 'before');
    proxy.refuse(true);
    proxy.cut();
    const from = performance.now();
    const settled = await Promise.allSettled([
      append(engine, 'a'),
      append(engine, 'a'),
      readAll(engine, ['a']),
      engine.heads(['a']),
      engine.subscribe(['a']),
      engine.health(),
    ]);

    expect(settled.map((each) => each.status === 'rejected' && (each.reason as SseError).code)).toEqual(
      Array(6).fill('engine-failed'),
    );
    expect(performance.now() - from).toBeLessThan(1_800);
    proxy.refuse(false);
    await persist(() => engine.health());
    expect(await texts(engine, 'a')).toEqual(['before']);
  });

  it('is waited for when it comes back in time', async () => {
    await using proxy = await TcpProxy.start(lab.server.port);
    const engine = lab.engine({ connectionString: through(proxy) });
    proxy.refuse(true);
    const appending = append(engine, 'a');
    const reading = readAll(engine, ['a']);
    setTimeout(() => proxy.refuse(false), 100);

    expect((await appending).seq).toBe(1);
    expect((await reading).upTo.epoch).toBe((await appending).epoch);
  });

  it('may end a connection in the moment in which it is handed over', async () => {
    let number = 0;
    // What a server says that goes down: both messages in one piece, so that the driver reads them in one turn.
    const handedOver = (): Buffer =>
      Buffer.concat([message('R', '\0\0\0\0'), message('Z', 'I'), message('E', 'SFATAL\0C57P01\0Mgone\0\0')]);
    await using proxy = await TcpProxy.start(lab.server.port);
    proxy.answer(() => (number++ < 2 ? handedOver() : undefined));
    const engine = lab.engine({ connectionString: through(proxy) });

    expect((await append(engine, 'a')).seq).toBe(1);
    expect(number).toBeGreaterThan(2);
  });

  it('for a reason that will not pass is told at once', async () => {
    const engine = lab.engine({ connectionString: lab.url.replace(/postgres$/, 'nowhere') });
    const from = performance.now();
    await expect(append(engine, 'a')).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('database "nowhere" does not exist'),
    });
    expect(performance.now() - from).toBeLessThan(1_000);
  });
});

describe('a database that others use', () => {
  it('may be out of connections: what is asked fails at its deadline, and what comes later goes back', async () => {
    const pool = lab.openPool({ max: 1 });
    const engine = lab.engine({ pool, timeoutMs: 500 });
    await persist(() => engine.heads([]));
    await append(engine, 'a');
    const taken = await pool.connect();

    await expect(append(engine, 'a')).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(readAll(engine, ['a'])).rejects.toMatchObject({ code: 'engine-failed' });
    taken.release();
    expect((await append(engine, 'a')).seq).toBe(2);
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 1, 0]);
  });

  it('may be out of connections while this process is busy: what was never sent fails with certainty, and is not sent later', async () => {
    const pool = lab.openPool({ max: 1 });
    const engine = lab.engine({ pool, timeoutMs: 500 });
    await persist(() => engine.heads([]));
    await append(engine, 'a');
    const taken = await pool.connect();

    // The deadline of the append and that of its connection pass in one turn.
    setTimeout(() => standStill(40), 480);
    await expect(append(engine, 'a', 'never')).rejects.toMatchObject({ code: 'engine-failed' });
    taken.release();
    await append(engine, 'a', 'later');
    expect(await texts(engine, 'a')).toEqual(['a', 'later']);
  });

  it('may hold the lane: an append fails at its deadline with certainty, and nobody waits on in the server', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, timeoutMs: 800 });
    await persist(() => engine.heads([]));
    await append(engine, 'a');
    await using blocker = await lab.begin(`UPDATE ${schema}.lane SET swept = swept`);

    await expect(append(engine, 'a', 'never')).rejects.toMatchObject({ code: 'engine-failed' });
    expect(await lab.waiting()).toBe(0);
    await blocker.query('ROLLBACK');
    await append(engine, 'a', 'later');
    expect(await texts(engine, 'a')).toEqual(['a', 'later']);
  });

  it('may answer while this process stands still: that is no answer too late', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, timeoutMs: 800 });
    await persist(() => engine.heads([]));
    await append(engine, 'a');
    await using blocker = await lab.begin(`UPDATE ${schema}.lane SET swept = swept`);
    const appended = append(engine, 'a', 'meanwhile');
    await eventually(async () => (await lab.waiting()) === 1, 'it to wait');
    const released = blocker.query('ROLLBACK');
    // What is written leaves at once.
    standStill(2_000);

    expect(await appended).toMatchObject({ seq: 2 });
    await released;
  });

  it.each(['repeatable read', 'serializable'])('may isolate transactions by default: %s', async (level) => {
    const schema = newSchema();
    const settings = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
    const options = { connectionString: lab.url, options: settings };
    const engines = [lab.engine({ schema, options }), lab.engine({ schema, options })];
    const positions = await Promise.all(
      Array.from({ length: 60 }, (_, n) => append(engines[n % 2]!, `t/${n % 3}`, `${n}`)),
    );

    expect(positions.map(({ seq }) => seq).sort((x, y) => x - y)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
  });
});

describe('a server that is killed twice under load', () => {
  it('has what was acknowledged once, what failed never, and what is uncertain at most once', async () => {
    const schema = newSchema();
    const publisher = lab.engine({ schema, timeoutMs: 500 });
    const nodes = [lab.engine({ schema }), lab.engine({ schema, notify: 'poll', pollMs: 20 })];
    const recorders = await Promise.all(nodes.map((node) => record(node, ['t/0', 't/1', 't/2', 't/3'])));
    const acknowledged = new Map<string, Position>();
    const counts = { 'engine-failed': new Set<string>(), 'engine-uncertain': new Set<string>() };
    let isOver = false;
    const publish = async (writer: number): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const text = `${writer}:${n}`;
        try {
          acknowledged.set(text, await append(publisher, `t/${n % 4}`, text));
        } catch (error) {
          counts[(error as SseError).code as keyof typeof counts].add(text);
        }
      }
    };
    const publishing = Promise.all(Array.from({ length: 8 }, (_, writer) => publish(writer)));
    for (let kills = 1; kills <= 2; kills++) {
      const before = acknowledged.size;
      await until(() => acknowledged.size > before + 300, `events to be published before kill ${kills}`, 20_000);
      await lab.server.kill('SIGKILL');
      await restart(lab.server);
      for (const [n, { said }] of recorders.entries()) {
        await until(() => said.length >= 2 * kills, `node ${n} to be restored after kill ${kills}`, 20_000);
      }
    }
    isOver = true;
    await publishing;
    const last = await persist(() => append(publisher, 't/0', 'last'));

    const { entries, holes } = await readAll(nodes[0]!, ['t/0', 't/1', 't/2', 't/3'], { ...last, seq: 0, at: last.at });
    const stored = entries.map(({ data }) => new TextDecoder().decode(data));
    expect([holes, new Set(stored).size]).toEqual([[], stored.length]);
    for (const text of counts['engine-failed']) expect(stored).not.toContain(text);
    const places = new Map(entries.map(({ seq }, n) => [stored[n], seq]));
    for (const [text, { seq }] of acknowledged) expect(places.get(text)).toBe(seq);
    expect(stored.length).toBeLessThanOrEqual(acknowledged.size + counts['engine-uncertain'].size + 1);
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: entries.length }, (_, n) => n + 1));
    for (const { said, entries: delivered } of recorders) {
      await until(() => delivered.at(-1)?.seq === last.seq, 'the last to be delivered');
      expect(said).toEqual(['interrupted', 'resumed', 'interrupted', 'resumed']);
      const seqs = delivered.map(({ seq }) => seq);
      expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
    }
    // Until one is again, events come by polling.
    await eventually(async () => (await lab.connections()).listening === 1, 'one connection that listens');
  }, 60_000);
});
