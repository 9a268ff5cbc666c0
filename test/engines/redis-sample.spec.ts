import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, jest, test } from '@jest/globals';
import { Program } from '../support/program.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';

jest.setTimeout(60_000);

const FILE = '.cache/redis-sample.ts';

/** Goes on from the sample's `engine`, and says what becomes of it. */
const USE = `
const say = (text: string): void => console.log(text);
await engine.start({ entry: () => say('delivered'), hint: () => say('hint'), interrupted: () => say('interrupted'), resumed: () => say('resumed') });
await engine.subscribe(['a']);
setInterval(() => {
  engine
    .append({ topic: 'a', data: Buffer.from('x'), retention: { maxEvents: 10, maxBytes: 1_000, maxAgeMs: 1_000 } })
    .then(() => say('stored'), (error: Error) => say('failed: ' + error.message));
}, 50);
`;

afterEach(() => rmSync(FILE, { force: true }));

const [, sample = ''] =
  /```ts\n(import \{ createClient \} from 'redis';[^`]+)```/.exec(readFileSync('docs/engines/redis.md', 'utf8')) ?? [];

test.each([
  ['as the page shows it', sample],
  [
    'that was connected before',
    sample.replace('await client.connect();\n', '').replace('export', 'await client.connect();\nexport'),
  ],
])('a client of node-redis %s lives on when Redis dies, and recovers', async (_, text) => {
  await using server = await ServerProcess.start(redisServer());
  mkdirSync('.cache', { recursive: true });
  const own = text
    .replace('127.0.0.1:6379', `127.0.0.1:${server.port}`)
    .replace('{ client }', '{ client, timeoutMs: 500 }');
  writeFileSync(FILE, own + USE);
  await using program = new Program(FILE);
  await program.says('delivered');
  await server.kill('SIGKILL');
  await program.says('interrupted');
  await program.says('failed: The Redis engine could not store the event');
  program.output = '';
  await server.start();

  await program.says('resumed');
  await program.says('stored');
  await program.says('delivered');
  expect(program.exit).toBeUndefined();
});
