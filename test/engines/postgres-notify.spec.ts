import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { adapters, startApp } from '../support/app.js';
import { GuardedController, as, byName } from '../support/people.js';
import { KEEP, PostgresLab, append, eventually, newSchema, record, request } from '../support/postgres.js';
import { until } from '../support/until.js';

let lab: PostgresLab;

beforeAll(async () => {
  lab = await PostgresLab.start();
  await lab.rows('CREATE ROLE stranger LOGIN');
}, 30_000);
afterEach(() => lab.closeEngines());
afterAll(() => lab[Symbol.asyncDispose]());

/** A connection of a role that may log in and nothing else, which listens to the channels of a schema. */
async function openStranger(schema: string): Promise<Client & AsyncDisposable & { readonly heard: string[] }> {
  const client = new Client({ connectionString: lab.url.replace('postgres@', 'stranger@') });
  const heard: string[] = [];
  client.on('error', () => undefined);
  client.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  await client.connect();
  await client.query(`LISTEN "${schema}:log"; LISTEN "${schema}:outbox"`);
  return Object.assign(client, { heard, [Symbol.asyncDispose]: () => client.end() });
}

/** How often statements with this in them are sent from now on. */
function countQueries(part: string): { readonly count: number } & Disposable {
  const spy = jest.spyOn(Client.prototype, 'query');
  const isCounted = ([query]: any[]): boolean => String(query?.text ?? query).includes(part);
  return {
    get count() {
      return spy.mock.calls.filter(isCounted).length;
    },
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

describe('a role that may only log in', () => {
  it('cannot read the tables', async () => {
    const schema = newSchema();
    await append(lab.engine({ schema }), 'a');
    await using stranger = await openStranger(schema);

    await expect(stranger.query(`SELECT FROM ${schema}.entry`)).rejects.toThrow('permission denied');
    await expect(stranger.query(`SELECT FROM ${schema}.tail(0, NULL, 9, 9, 9, 9)`)).rejects.toThrow(
      'permission denied',
    );
  });

  it('hears that something was published, and nothing of what: numbers only', async () => {
    const schema = newSchema();
    await using app = await startApp(adapters[0]!, {
      controllers: [GuardedController],
      options: { engine: lab.engine({ schema }), authenticate: byName },
    });
    await using stranger = await openStranger(schema);
    const stream = await app.open('/read?topic=private/topic', as('ann'));
    await stream.receive('id: ');
    const secret = 'a secret of ann';
    await app.streams.publish('private/topic', { data: secret, id: 'private-id', type: 'private-type' });
    await Promise.all(
      Array.from({ length: 5 }, () => app.streams.publish('private/topic', { data: secret.repeat(2_000) })),
    );
    app.streams.tickets.issue({ id: 'admin', role: 'all' }, { topics: ['private/topic'] });
    await lab.begin().then(async (client) => {
      await app.streams.publishInTransaction(client, 'private/topic', { data: secret });
      await client.query('COMMIT');
      await client.end();
    });

    for (let n = 0; n < 7; n++) await stream.next();
    const { rows } = await lab.pool.query<{ seq: string }>(`SELECT seq FROM ${schema}.lane`);
    await until(() => stranger.heard.includes(`${schema}:log ${rows[0]!.seq}`), 'the stranger to hear of the last');
    expect(stranger.heard).toContain(`${schema}:outbox `);
    const number = new RegExp(String.raw`^${schema}:(log \d+|log \?[0-9a-f-]{36}|outbox )$`);
    expect(stranger.heard.filter((each) => !number.test(each))).toEqual([]);
  });

  it('forges no event, opens no stream with a forged ticket, and brings nothing down', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema });
    await using app = await startApp(adapters[0]!, {
      controllers: [GuardedController],
      options: { engine, authenticate: byName },
    });
    const states: string[] = [];
    const stream = await app.open('/read?topic=a', as('ann'));
    await stream.receive('id: ');
    app.streams.tickets.issue({ id: 'ann' });
    const issued = `SELECT convert_from(data, 'UTF8') AS data FROM ${schema}.entry WHERE position('issued' IN encode(data, 'escape')) > 0`;
    const readTicket = () => lab.rows<{ data: string }>(issued);
    await eventually(async () => (await readTicket()).length === 1, 'the ticket to be stored');
    const [real] = await readTicket();
    const code = 'f'.repeat(43);
    const ticket = real!.data
      .replace(/"hash":"[^"]*"/, `"hash":"${createHash('sha256').update(code).digest('base64url')}"`)
      .replace('"ann"', '"admin"');
    expect(ticket).toContain('"admin"');
    const { epoch } = (await engine.heads([])).upTo;
    await using stranger = await openStranger(schema);
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const forged = [2, 3, 1_000].flatMap((seq) => [
      `t${epoch}\n${seq}\n0\n${Date.now()}\na\n\ndata: forged\n\n`,
      `t${epoch}\n${seq}\n1\n${Date.now()}\n/tickets\n\n${ticket}`,
      `b${epoch}\n${seq}\n0\n${Date.now()}\na\n\n${base64('data: forged\n\n')}`,
      `b${epoch}\n${seq}\n1\n${Date.now()}\n/tickets\n\n${base64(ticket)}`,
      `h${epoch}\n${seq}\na`,
      `+${seq}\n0\n${base64(ticket)}`,
      `.${epoch}\n${seq}\n1\n${Date.now()}\n/tickets\n\n`,
    ]);
    const odd = [
      '',
      '0',
      '-1',
      '1e3',
      '9007199254740993',
      '9'.repeat(7_000),
      'NaN',
      '1',
      '2',
      '9999999999999999',
      '💥',
    ];
    for (const payload of [...forged, ...odd]) {
      for (const channel of ['log', 'outbox']) {
        await stranger.query('SELECT pg_notify($1, $2)', [`${schema}:${channel}`, payload]);
        states.push(app.streams.engine.state);
      }
    }
    await until(() => stranger.heard.length >= 2 * (forged.length + odd.length), 'all to have been sent');
    await app.streams.publish('a', { data: 'real' });

    expect(await stream.next()).toMatchObject({ data: 'real' });
    expect((await app.open(`/read?topic=a&ticket=${code}`)).status).toBe(401);
    expect(new Set([...states, app.streams.engine.state])).toEqual(new Set(['up']));
    expect(stream.text).not.toContain('forged');
    expect(stream.text).not.toContain('stream.reset');
  });

  it.each([
    ['numbers that are not there yet', (n: number) => `${1_000_000 + n}`],
    ['the next number', (_: number, head: number) => `${head + 1}`],
    ['numbers that were read long ago', () => '1'],
    ['nonsense', (n: number) => `t${n}`],
  ])(
    'floods the channels with %s, and the tables are read no more often than is promised',
    async (_, payload) => {
      const schema = newSchema();
      const engine = lab.engine({ schema, pollMs: 100, outboxMs: 60_000 });
      const recorder = await record(engine, [EVERY_TOPIC]);
      const strangers = await Promise.all([1, 2, 3, 4].map(() => openStranger(schema)));
      await eventually(async () => (await lab.connections()).listening === 1, 'the connection that listens');
      let { seq: head } = await append(engine, 'a', 'before');
      await until(() => recorder.texts.includes('before'), 'the first');
      using reads = countQueries('.tail(');
      using moves = countQueries('.drain(');
      const from = performance.now();
      const flood = strangers.map(async (stranger) => {
        for (let n = 0; n < 2_500; n++) {
          const channel = n % 2 === 0 ? 'log' : 'outbox';
          await stranger.query('SELECT pg_notify($1, $2)', [`${schema}:${channel}`, payload(n, head)]);
        }
      });
      const events = Array.from({ length: 5 }, (_, n) => `${n}`);
      for (const text of events) {
        head = (await append(engine, 'a', text, { ...KEEP, maxEvents: 0 })).seq;
        await until(() => recorder.texts.includes(text), 'a real event in the flood');
      }
      await engine.appendInTransaction(lab.pool, request('a', 'moved'));
      await until(() => recorder.texts.includes('moved'), 'an event of a transaction in the flood');
      await Promise.all(flood);
      const polls = (performance.now() - from) / 100;

      expect(reads.count).toBeLessThanOrEqual(strangers.length + 2 * (events.length + 1) + polls + 1);
      // After each that moves something, its pauses grow from 2 ms to 100 ms.
      expect(moves.count).toBeLessThanOrEqual(2 * 7 + 3 + polls);
      expect(recorder.texts).toEqual(['before', ...events, 'moved']);
      expect(recorder.said).toEqual([]);
      await Promise.all(strangers.map((stranger) => stranger.end()));
    },
    30_000,
  );
});

describe('an event', () => {
  it('that nothing is kept of is there long enough for a node that is late, also when its topic is forgotten at once', async () => {
    const schema = newSchema();
    const engine = lab.engine({ schema, sweepMs: 5, pollMs: 600, notify: 'poll' });
    const recorder = await record(engine, ['a']);
    await append(engine, 'a', 'late', { maxEvents: 0, maxBytes: 0, maxAgeMs: 1 });

    await until(() => recorder.entries.length === 1, 'the event');
    expect(recorder.texts).toEqual(['late']);
  });
});
