// Applications that cannot use their Redis, one for each way to connect, and tell all that they are told:
// `redis-secrets-child.ts <port> <user> <password> <ways> [ready]`. One writes `<way>: ready` once an event has been stored, and ends after
// it has been told of trouble: with `ready` of trouble after that, for on a busy machine there is some before.
import 'reflect-metadata';
import { inspect } from 'node:util';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { type RedisEngineOptions, redisEngine } from '../../src/redis/index.js';
import { adapters, startApp } from './app.js';
import { TopicController } from './controllers.js';

const [, , port = '', username = '', password = '', ways = '', first = ''] = process.argv.splice(0);
const url = `redis://${username}:${encodeURIComponent(password)}@127.0.0.1:${port}/0`;
const at = { host: '127.0.0.1', port: Number(port) };
const onError = (): void => undefined;

interface Way {
  readonly options: RedisEngineOptions;
  /** Ends the application's own client, whose errors are its own. */
  readonly end?: () => void;
}

const WAYS: Readonly<Record<string, () => Way>> = {
  'ioredis url': () => ({ options: { driver: 'ioredis', url } }),
  'ioredis options': () => ({ options: { driver: 'ioredis', options: { ...at, username, password } } }),
  'ioredis sentinel': () => {
    const sentinel = { sentinels: [at], name: 'log', sentinelUsername: username, sentinelPassword: password };
    return { options: { driver: 'ioredis', options: sentinel } };
  },
  'ioredis client': () => {
    const client = new Redis({ ...at, username, password, retryStrategy: () => 50 }).on('error', onError);
    return { options: { client }, end: () => client.disconnect() };
  },
  'ioredis cluster': () => {
    const options = { redisOptions: { username, password }, clusterRetryStrategy: () => 50 };
    const client = new Cluster([at], options).on('error', onError);
    return { options: { client }, end: () => client.disconnect() };
  },
  'node-redis url': () => ({ options: { driver: 'redis', url } }),
  'node-redis options': () => ({ options: { driver: 'redis', options: { socket: at, username, password } } }),
  'node-redis url in options': () => ({ options: { driver: 'redis', options: { url } } }),
  'node-redis client': () => {
    const client = createClient({ socket: { ...at, reconnectStrategy: 50 }, username, password }).on('error', onError);
    client.connect().catch(onError);
    return { options: { client }, end: () => client.destroy() };
  },
  'node-redis cluster': () => {
    const client = createCluster({ rootNodes: [{ url }], defaults: { username, password } }).on('error', onError);
    client.connect().catch(onError);
    return { options: { client }, end: () => client.isOpen && client.destroy() };
  },
};

async function run(way: string): Promise<void> {
  const show = (what: string, value: unknown): void =>
    console.log(`${way}: ${what}`, inspect(value, { depth: Infinity, showHidden: true }), JSON.stringify(value));
  const { options, end } = WAYS[way]!();
  const onWarning = (warning: Error): void => show('onWarning', warning);
  const engine = redisEngine({ ...options, timeoutMs: 500, probeMs: 200, onWarning });
  let isTold = false;
  let isReady = false;
  await using app = await startApp(adapters[0]!, {
    controllers: [TopicController],
    nest: { logger: ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'] },
    options: {
      engine,
      onError: (error) => show('onError', error),
      hooks: {
        onEngineState: (state, error) => {
          show(`onEngineState ${state}`, error);
          isTold ||= error !== undefined && (isReady || first !== 'ready');
        },
      },
    },
  });
  await Promise.all([app.open('/topic'), app.open('/all')]);
  while (!isTold) {
    try {
      await app.streams.publish('topic', { data: 'x' });
      if (!isReady) console.log(`${way}: ready`);
      isReady = true;
    } catch (error) {
      show('publish', error);
    }
  }
  const calls = [app.streams.engine.health(), engine.heads(['topic']), engine.list(''), engine.subscribe(['other'])];
  for (const settled of await Promise.allSettled(calls)) show('settled', settled);
  end?.();
}

process.on('warning', (warning) => console.log(inspect(warning, { depth: Infinity, showHidden: true })));
await Promise.all(ways.split(',').map(run));
