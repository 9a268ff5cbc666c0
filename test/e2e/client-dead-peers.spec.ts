import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Clients } from '../support/client.js';
import { FakeServer, begin } from '../support/fake-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Silence of 600 ms. */
const BEAT = { heartbeat: 200, retryInterval: 20, maxRetryInterval: 40 };

it.each([
  ['a comment', ':\n'],
  ['a part of a line', 'x'],
])('%s each 100 ms keeps a stream that has no events', async (_, sign) => {
  await using server = await FakeServer.start((response) => begin(response));
  using clients = new Clients();
  const client = clients.open(server.url, { ...BEAT, heartbeat: 100 });
  await client.reached('open');
  for (let n = 0; n < 10; n++) {
    server.say(sign);
    await delay(100);
  }

  expect(client.story).not.toContain('waiting silent');
  expect(server.requests).toHaveLength(1);
});

it.each([200, 400])('takes a silence of thrice the %i ms that the server announces for a dead peer', async (beat) => {
  await using server = await FakeServer.start((response) =>
    begin(response, `: heartbeat ${beat}\n\nid: 1\ndata: 1\n\n`),
  );
  using clients = new Clients();
  const client = clients.open(server.url, { ...BEAT, heartbeat: undefined });
  await client.told('waiting silent');

  await server.asked(2);
  expect(server.gaps[0]).toBeGreaterThanOrEqual(3 * beat - 5);
  expect(server.gaps[0]).toBeLessThan(3 * beat + 5_000);
  expect(server.places[1]).toBe('1');
});

it('goes by what it is told, whatever the server announces', async () => {
  await using server = await FakeServer.start((response) => begin(response, ': heartbeat 3600000\n\n'));
  using clients = new Clients();
  await clients.open(server.url, BEAT).told('waiting silent');
});

it('does not take a count of heartbeats for their period', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  using clients = new Clients();
  const client = clients.open(server.url);
  await client.reached('open');
  server.say(': heartbeat 1\n\n');
  const saidAt = performance.now();
  // Ten times as long as a peer could be silent whose period that was.
  await until(() => performance.now() > saidAt + 30, 'a silence');
  server.say(': heartbeat 2\n\ndata: 2\n\n');
  await client.received(1);

  expect(server.requests).toHaveLength(1);
});

it('reopens at its place when a network stops to carry anything, and loses nothing', async () => {
  await using server = await FakeServer.start((response, { headers }) => {
    const from = Number(headers['last-event-id'] ?? 0);
    begin(response);
    for (let n = from + 1; n <= from + 3; n++) response.write(`id: ${n}\ndata: ${n}\n\n`);
  });
  await using proxy = await TcpProxy.start(server.port);
  using clients = new Clients();
  const client = clients.open(`http://127.0.0.1:${proxy.port}/`, BEAT);
  await client.received(3);
  proxy.swallow(true);
  server.say('id: 4\ndata: 4\n\n');
  await client.told('waiting silent');
  proxy.swallow(false);
  await client.received(6);

  expect(client.data).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(server.places).toEqual([undefined, '3']);
});

it('gives up an attempt that is not answered in time, and makes another', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    if (n > 1) begin(response, 'data: 1\n\n');
  });
  using clients = new Clients();
  const client = clients.open(server.url, { ...BEAT, connectTimeout: 150 });
  await client.received(1);

  expect(client.story.filter((each) => each === 'waiting timeout')).toHaveLength(2);
  // The attempts that were given up do not stay connected.
  await until(() => server.open.size === 1, 'one connection');
});

it('counts headers and a URL that do not come as no answer', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\n'));
  using clients = new Clients();
  const never = new Promise<never>(() => undefined);
  const client = clients.open(server.url, {
    ...BEAT,
    connectTimeout: 100,
    headers: ({ number }) => (number === 1 ? never : {}),
  });
  await client.received(1);

  expect(client.story.slice(0, 4)).toEqual(['connecting', 'waiting timeout', 'connecting', 'open']);
});

it('waits for an answer for ever when it is told to', async () => {
  let give = (): void => undefined;
  await using server = await FakeServer.start((response) => (give = () => begin(response, 'data: 1\n\n')));
  using clients = new Clients();
  const client = clients.open(server.url, { connectTimeout: Infinity });
  await server.asked(1);
  give();
  await client.received(1);

  expect(client.story).toEqual(['connecting', 'open']);
});

it('has a process that stood still read what has come meanwhile', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\n'));
  using clients = new Clients();
  const client = clients.open(server.url, BEAT);
  await client.received(1);
  server.say('data: 2\n\n');
  for (const until = performance.now() + 1_000; performance.now() < until;);
  await client.received(2);
  server.say('data: 3\n\n');
  await client.received(3);

  expect(server.requests).toHaveLength(1);
});
