import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Engine } from 'nestjs-event-stream';
import { natsEngine } from 'nestjs-event-stream/nats';
import { postgresEngine } from 'nestjs-event-stream/postgres';
import { redisEngine } from 'nestjs-event-stream/redis';
import { adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';

/** What the package itself needs; no driver is among it. */
const NEEDED = ['@nestjs', '@swc', '@standard-schema', 'rxjs', 'reflect-metadata'];

/** Starts an application for each engine, and tells what became of it. */
const PROGRAM = `
  import 'reflect-metadata';
  import { NestFactory } from '@nestjs/core';
  import { SseModule } from 'nestjs-event-stream';
  import { natsEngine } from 'nestjs-event-stream/nats';
  import { postgresEngine } from 'nestjs-event-stream/postgres';
  import { redisEngine } from 'nestjs-event-stream/redis';
  import { sqliteEngine } from 'nestjs-event-stream/sqlite';

  const engines = {
    sqlite: () => sqliteEngine({ path: 'log.db', driver: 'better-sqlite3' }),
    redis: () => redisEngine({ url: 'redis://127.0.0.1:1' }),
    ioredis: () => redisEngine({ url: 'redis://127.0.0.1:1', driver: 'ioredis' }),
    'node-redis': () => redisEngine({ url: 'redis://127.0.0.1:1', driver: 'redis' }),
    postgres: () => postgresEngine({ connectionString: 'postgres://127.0.0.1:1/x' }),
    nats: () => natsEngine({ servers: 'nats://127.0.0.1:1' }),
  };
  const outcomes = {};
  for (const [name, create] of Object.entries(engines)) {
    class AppModule {}
    const root = { module: AppModule, imports: [SseModule.forRoot({ engine: create() })] };
    const options = { abortOnError: false, logger: false };
    const starting = NestFactory.createApplicationContext(root, options);
    outcomes[name] = await starting.then(() => 'started', ({ code, message }) => code + ': ' + message);
  }
  process.stdout.write(JSON.stringify(outcomes), () => process.exit());
`;

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'missing-driver-'));
  mkdirSync(join(home, 'node_modules'));
  for (const name of NEEDED) symlinkSync(resolve('node_modules', name), join(home, 'node_modules', name));
  for (const path of ['src', 'package.json', 'test/support/typescript.mjs']) {
    cpSync(path, join(home, path), { recursive: true });
  }
  writeFileSync(join(home, 'main.mjs'), PROGRAM);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What became of the applications, where these packages are installed beside what is needed. */
async function outcomesWith(packages: Readonly<Record<string, string>> = {}): Promise<Record<string, string>> {
  const folders = Object.keys(packages).map((name) => join(home, 'node_modules', name));
  for (const [n, code] of Object.values(packages).entries()) {
    mkdirSync(folders[n]!, { recursive: true });
    writeFileSync(join(folders[n]!, 'index.js'), code);
  }
  try {
    const args = ['--import', './test/support/typescript.mjs', 'main.mjs'];
    const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: home, env });
    return JSON.parse(stdout) as Record<string, string>;
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
}

const mistake = (...words: string[]): unknown => expect.stringMatching(`^invalid-options: .*${words.join('.*')}`);

describe('an application whose engine can never work does not start, and says what to install', () => {
  test('when the driver is missing', async () => {
    expect(await outcomesWith()).toEqual({
      sqlite: mistake('sqliteEngine', 'install the npm package better-sqlite3'),
      redis: mistake('redisEngine', 'ioredis or redis', 'npm install ioredis'),
      ioredis: mistake('redisEngine', 'npm install ioredis'),
      'node-redis': mistake('redisEngine', 'npm install redis'),
      postgres: mistake('postgresEngine', 'npm install pg'),
      nats: mistake('natsEngine', 'npm install @nats-io/transport-node'),
    });
  });

  test('when the driver is too old, or was compiled for another Node', async () => {
    const outcomes = await outcomesWith({
      'better-sqlite3': 'module.exports = class { constructor() { throw new Error("NODE_MODULE_VERSION 93"); } };',
      ioredis: 'module.exports = class Redis {};',
      redis: 'exports.RedisClient = class {};',
      pg: 'exports.Client = class {};',
      '@nats-io/transport-node': 'throw new Error("unsupported");',
    });

    expect(outcomes).toEqual({
      sqlite: mistake('sqliteEngine', 'install the npm package better-sqlite3'),
      redis: mistake('redisEngine', 'ioredis that is installed', 'npm install ioredis@latest'),
      ioredis: mistake('redisEngine', 'ioredis that is installed', 'npm install ioredis@latest'),
      'node-redis': mistake('redisEngine', 'redis that is installed', 'npm install redis@latest'),
      postgres: mistake('postgresEngine', 'npm install pg'),
      nats: mistake('natsEngine', 'npm install @nats-io/transport-node'),
    });
  });
});

const unreachable: readonly [name: string, create: () => Engine][] = [
  ['redis', () => redisEngine({ url: 'redis://127.0.0.1:1', timeoutMs: 200 })],
  ['postgres', () => postgresEngine({ connectionString: 'postgres://127.0.0.1:1/x', timeoutMs: 200 })],
  ['nats', () => natsEngine({ servers: 'nats://127.0.0.1:1', timeoutMs: 200 })],
];

test.each(unreachable)('an application whose %s is away starts, and is told', async (_, create) => {
  let told: (state: string) => void;
  const state = new Promise<string>((resolve) => (told = resolve));
  const options = { engine: create(), hooks: { onEngineState: (now: string) => told(now) } };
  await using app = await startApp(adapters[0]!, { options, controllers: [TopicController] });

  expect(await state).toBe('down');
  expect(app.streams.connections.count).toBe(0);
});
