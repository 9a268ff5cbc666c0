import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { natsEngine } from '../../src/nats/index.js';
import type { NatsEngineOptions } from '../../src/nats/index.js';
import { adapters, startApp } from '../support/app.js';
import type { Adapter } from '../support/app.js';
import { Log } from '../support/log.js';
import { OpenNats } from '../support/nats.js';
import { ServerProcess, freePort } from '../support/server-process.js';
import { natsServer } from '../support/servers/nats.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

/** Needs to be encoded in an address. */
const CANARY = 'c4n@ry/s3cret';
const ENCODED = encodeURIComponent(CANARY);
const USER = 'us3r';

let port: number;
let server: ServerProcess;
let tokenServer: ServerProcess;
let closedPort: number;

beforeAll(async () => {
  const users = `authorization { users: [{ user: ${USER}, password: "${CANARY}" }, { user: other, password: other }] }`;
  server = await ServerProcess.start({ ...natsServer(users), ready: answersAs({ user: USER, pass: CANARY }) });
  const token = `authorization { token: "${CANARY}" }`;
  tokenServer = await ServerProcess.start({ ...natsServer(token), ready: answersAs({ token: CANARY }) });
  port = server.port;
  closedPort = await freePort();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await tokenServer[Symbol.asyncDispose]();
});

function answersAs(credentials: object) {
  return async (to: number): Promise<void> => {
    const connection = await connect({ servers: `127.0.0.1:${to}`, reconnect: false, timeout: 1_000, ...credentials });
    await connection.close();
  };
}

/** Everything that can be seen of a value, however deep and hidden. */
function seenOf(...values: unknown[]): string {
  const json = values.map((value) => JSON.stringify(value, Object.getOwnPropertyNames(Object(value))) ?? '');
  const shown = values.map((value) => inspect(value, { depth: Infinity, showHidden: true, getters: true }));
  const stacks = values.flatMap((value) => chainOf(value).map((error) => `${String(error)} ${error.stack}`));
  return [...json, ...shown, ...stacks].join('\n');
}

function chainOf(value: unknown): Error[] {
  return value instanceof Error ? [value, ...chainOf(value.cause)] : [];
}

function expectNothing(seen: string): void {
  for (const secret of [CANARY, ENCODED, 's3cret']) expect(seen).not.toContain(secret);
}

const wrong = (given: NatsEngineOptions): NatsEngineOptions => ({ ...given, timeoutMs: 300 });

describe('credentials', () => {
  test.each([
    ['in an address', () => ({ servers: `nats://${USER}:${ENCODED}@127.0.0.1:${port}` })],
    ['in an address without a scheme', () => ({ servers: [`${USER}:${ENCODED}@127.0.0.1:${port}`] })],
    ['in an address in the options', () => ({ options: { servers: `nats://${USER}:${ENCODED}@127.0.0.1:${port}` } })],
    ['in the options', () => ({ options: { servers: `127.0.0.1:${port}`, user: USER, pass: CANARY } })],
    ['as a token in an address', () => ({ servers: `nats://${ENCODED}@127.0.0.1:${tokenServer.port}` })],
  ])('%s let the engine in', async (_, given: () => NatsEngineOptions) => {
    const engine = natsEngine(given());
    await engine.health();
    await engine.close();
  });

  test.each<[string, () => NatsEngineOptions, string]>([
    [
      'a wrong password in an address',
      () => ({ servers: `nats://other:${ENCODED}@127.0.0.1:${port}` }),
      'Authorization',
    ],
    ['a wrong token in an address', () => ({ servers: `${ENCODED}@127.0.0.1:${port}` }), 'Authorization'],
    [
      'a wrong password in the options',
      () => ({ options: { servers: `127.0.0.1:${port}`, user: 'other', pass: CANARY } }),
      'Authorization',
    ],
    [
      'a wrong token in the options',
      () => ({ options: { servers: `127.0.0.1:${port}`, token: CANARY } }),
      'Authorization',
    ],
    ['a server that is not there', () => ({ servers: `nats://${USER}:${ENCODED}@127.0.0.1:${closedPort}` }), 'refused'],
  ])('%s: what went wrong is told, and never with what', async (_, given, told) => {
    const log = new Log();
    const hooks: unknown[] = [];
    const app = await startApp(adapters[0] as Adapter, {
      options: {
        engine: natsEngine(wrong(given())),
        hub: { path: 'events' },
        authorize: 'public',
        onError: (...all: unknown[]) => void hooks.push(...all),
        hooks: { onEngineState: (...all: unknown[]) => void hooks.push(...all) },
      },
      nest: { logger: log },
    });
    const caught: unknown[] = [];
    await using _app = app;
    await app.open('/events?topic=a');
    for (const call of [() => app.streams.publish('a', { data: 1 }), () => app.streams.engine.health()]) {
      await call().catch((error: unknown) => caught.push(error));
    }
    await until(() => hooks.length > 0 && log.text.includes('ngine'), 'the trouble to be told');

    expect(caught.length).toBe(2);
    for (const error of caught) expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(told, 'i')) });
    expectNothing(seenOf(...caught, ...hooks) + log.text);
  });

  test('of a connection that was given nothing is told either', async () => {
    const connection = await connect({ servers: `127.0.0.1:${port}`, user: USER, pass: CANARY });
    let close = (_reason: Error): void => undefined;
    const closed = new Promise<Error>((resolve) => (close = resolve));
    const given = Object.create(connection, { closed: { value: () => closed } }) as typeof connection;
    await using nats = new OpenNats(port, { connection: given, timeoutMs: 1_000 });
    const told: unknown[] = [];
    await nats.engine.start({
      entry: () => undefined,
      hint: () => undefined,
      interrupted: (error) => void told.push(error),
      resumed: () => undefined,
    });
    await nats.engine.subscribe(['a']);
    close(new Error(`It was ${CANARY}, in an address ${ENCODED}`, { cause: connection }));
    await until(() => told.length > 0, 'the end of the connection to be told');
    await nats.append('a').catch((error: unknown) => told.push(error));
    await connection.close();

    expect(told).toHaveLength(2);
    expect(told[1]).toMatchObject({ code: 'engine-failed' });
    expect(chainOf(told[1]).map(({ message }) => message)).toContain('It was ***, in an address ***');
    expectNothing(seenOf(...told, nats.engine));
  });

  it.each([
    `nats:/${USER}:${CANARY}@127.0.0.1:4222`,
    `nats://${USER}:${CANARY}@127.0.0.1:4222`,
    `nats://${USER}:${ENCODED}@127.0.0.1:port`,
    `nats://${USER}:${ENCODED}@127.0.0.1:99999`,
    `nats://${USER}:${ENCODED}@`,
    `nats://:${ENCODED}@127.0.0.1`,
    `nats://${USER}:%c4${ENCODED}@127.0.0.1`,
    `nats://${USER}:${ENCODED}@127.0.0.1/${USER}`,
    `ws://${USER}:${ENCODED}@127.0.0.1`,
    `http://${USER}:${ENCODED}@127.0.0.1`,
    `nats://${USER}:${ENCODED}@one host`,
  ])('an address that is mistyped is refused at the start, and not told: %s', (address) => {
    const attempts = [{ servers: address }, { servers: ['127.0.0.1', address] }, { options: { servers: address } }];
    for (const options of [...attempts, { options: address }, address]) {
      let thrown: unknown;
      try {
        natsEngine(options as NatsEngineOptions);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'invalid-options', message: expect.stringMatching(/host:port|an object/) });
      expectNothing(seenOf(thrown));
      expect(seenOf(thrown)).not.toContain(USER);
    }
  });

  it.each([
    'host',
    'host:4222',
    '127.0.0.1',
    '[::1]:4222',
    '::1',
    'nats://host',
    'NATS://host:4222/',
    'tls://host:4222',
    'nats://user:password@host:4222',
    'nats://user:@host',
    'token@host:4222',
    ' nats://host ',
  ])('the address %j is taken', async (servers) => {
    await natsEngine({ servers }).close();
  });

  test('addresses with different credentials are refused: there is one connection', () => {
    const servers = ['nats://a:1@one', 'nats://a:2@two'];
    expect(() => natsEngine({ servers })).toThrow(/the same user and password/);
  });

  test('tls:// does not go on without TLS', async () => {
    const engine = natsEngine({ servers: `tls://${USER}:${ENCODED}@127.0.0.1:${port}`, timeoutMs: 300 });
    await expect(engine.health()).rejects.toMatchObject({ message: expect.stringMatching(/tls/i) });
    await engine.close();
  });
});
