import { describe, expect, jest, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { Follower, OpenNats, eventually } from '../support/nats.js';
import { ServerProcess } from '../support/server-process.js';
import { bytesSentBy, configure, natsServer } from '../support/servers/nats.js';
import { until } from '../support/until.js';

/** Longer than any wait within: what is waited for says then what it was. */
jest.setTimeout(60_000);

const MIB = 1_048_576;
const HEADERS = 2_048;
/** As many bytes as an id may have, and more characters when they are encoded. */
const LONGEST_ID = '\u{1f98a}'.repeat(256);

const startServer = (maxPayload = MIB): Promise<ServerProcess> =>
  ServerProcess.start(natsServer(maxPayload === MIB ? '' : `max_payload: ${maxPayload}`));

describe.each([
  ['what a server takes by default', MIB],
  ['what a server is set to, 8 MiB', 8 * MIB],
])('an event as large as %s', (_, maxPayload) => {
  test('is stored, delivered to another node and read there, retained or not; a larger one touches nothing', async () => {
    await using server = await startServer(maxPayload);
    await using here = new OpenNats(server.port);
    await using there = new OpenNats(server.port);
    const follower = await Follower.start(there, ['kept', 'passing']);
    expect(here.engine.maxEventBytes).toBe(MIB - HEADERS);
    // The first call of all, before the server has said anything.
    const largest = new Uint8Array(maxPayload - HEADERS).map((_, n) => n % 251);
    const kept = await here.append('kept', largest, { id: LONGEST_ID });
    expect(here.engine.maxEventBytes).toBe(maxPayload - HEADERS);
    const passing = await here.append('passing', largest, { maxEvents: 0, id: LONGEST_ID });

    const larger = new Uint8Array(maxPayload - HEADERS + 1);
    const refusal = {
      code: 'invalid-event',
      message:
        `The NATS engine takes events of at most ${maxPayload - HEADERS} bytes; this one has ${larger.length}. ` +
        `It is max_payload of nats-server, which is ${maxPayload}, less ${HEADERS} for headers`,
    };
    const [refused, next] = await Promise.allSettled([here.append('kept', larger), here.append('kept', 'next')]);
    expect(refused).toMatchObject({ reason: refusal });
    expect(next.status).toBe('fulfilled');

    await until(() => follower.entries.size === 3, 'all three');
    expect(follower.told).toEqual([]);
    for (const { seq } of [kept, passing]) expect(Buffer.compare(follower.entries.get(seq)!.data, largest)).toBe(0);
    const { entries } = await there.read(['kept', 'passing']);
    expect(entries.map(({ data, id }) => [data.length, id])).toEqual([
      [largest.length, LONGEST_ID],
      [4, undefined],
    ]);
    expect(Buffer.compare(entries[0]!.data, largest)).toBe(0);
  });
});

test('many of the largest events are read without the server cutting the connection', async () => {
  await using server = await startServer(8 * MIB);
  await using publisher = new OpenNats(server.port, { timeoutMs: 20_000 });
  const topics = Array.from({ length: 12 }, (_, n) => `t/${n}`);
  for (const topic of topics) await publisher.append(topic, new Uint8Array(8 * MIB - HEADERS));
  await using reader = new OpenNats(server.port, { timeoutMs: 20_000 });
  const follower = await Follower.start(reader, ['quiet']);

  expect((await reader.engine.heads(topics)).topics.map((head) => head !== undefined)).toEqual(topics.map(() => true));
  const before = await bytesSentBy(server);
  const read: string[] = [];
  for (let after: number | undefined; read.length < topics.length;) {
    const { entries, upTo } = await reader.read(topics, { after, maxBytes: MIB });
    read.push(...entries.map(({ topic }) => topic));
    after = upTo.seq;
  }
  expect(read).toEqual(topics);
  expect(follower.told).toEqual([]);
  expect(((await bytesSentBy(server)) - before) / (8 * MIB)).toBeLessThan(3 * topics.length + 1);
});

test('the stream may take less than the server', async () => {
  await using server = await startServer();
  await using nats = new OpenNats(server.port);
  await nats.append('a');
  const admin = await connect({ servers: `127.0.0.1:${server.port}` });
  const ask = async (api: string, body = ''): Promise<any> => (await admin.request(`$JS.API.${api}.test`, body)).json();
  const { config } = await ask('STREAM.INFO');
  await ask('STREAM.UPDATE', JSON.stringify({ ...config, max_msg_size: 100_000 }));
  await admin.close();
  await nats.engine.health();

  expect(nats.engine.maxEventBytes).toBe(100_000 - HEADERS);
  await nats.append('a', new Uint8Array(100_000 - HEADERS), { id: LONGEST_ID });
  const refusal = { code: 'invalid-event', message: expect.stringContaining('max_msg_size of the stream') };
  await expect(nats.append('a', new Uint8Array(100_000))).rejects.toMatchObject(refusal);
});

test('an event that waits for a server which takes less than the one before is refused', async () => {
  await using server = await startServer(8 * MIB);
  await using nats = new OpenNats(server.port, { timeoutMs: 20_000 });
  await nats.append('a', new Uint8Array(2 * MIB));
  const follower = await Follower.start(nats, ['a']);
  await server.kill('SIGTERM');
  await until(() => follower.isInterrupted, 'the engine to notice');
  configure(server.folder, '');
  const appending = nats.append('a', new Uint8Array(2 * MIB)).catch((error: unknown) => error);
  await server.start();

  expect(await appending).toMatchObject({ code: 'invalid-event' });
  await eventually(() => nats.append('a', 'small').then(() => true), 'a small one to be stored');
});
