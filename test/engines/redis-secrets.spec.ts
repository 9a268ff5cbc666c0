import { describe, expect, jest, test } from '@jest/globals';
import { redisEngine } from '../../src/redis/index.js';
import { Program } from '../support/program.js';
import { ServerProcess, freePort } from '../support/server-process.js';
import { ask, redisServer } from '../support/servers/redis.js';

jest.setTimeout(60_000);

/** No password of a machine: what has to be encoded in an address, and what need not be. */
const CANARY = 'c4n4ry/§ p@ss:%';
const FORMS = [CANARY, encodeURIComponent(CANARY), encodeURI(CANARY), JSON.stringify(CANARY).slice(1, -1), 'c4n4ry'];
const ways = [
  ...['ioredis url', 'ioredis options', 'ioredis sentinel', 'ioredis client', 'ioredis cluster'],
  ...['node-redis url', 'node-redis options', 'node-redis url in options', 'node-redis client', 'node-redis cluster'],
];

const start = (port: number, those = ways, ...first: 'ready'[]): Program =>
  new Program('test/support/redis-secrets-child.ts', `${port}`, 'app', CANARY, those.join(), ...first);

/** Waits for the end of the program, all applications of which have been told of trouble by then. */
async function expectNoSecret(program: Program, those = ways): Promise<void> {
  await program.ended(40_000);
  for (const way of those) {
    expect(program.output).toMatch(new RegExp(`${way}: onEngineState (degraded|down) \\w*Error`));
    expect(program.output).toContain(`${way}: settled`);
  }
  const leaks = program.output.split('\n').filter((line) => FORMS.some((form) => line.includes(form)));
  expect(leaks).toEqual([]);
  expect(program.exit).toBe(0);
}

describe('in no way to connect is a password told', () => {
  test('that is wrong', async () => {
    await using server = await ServerProcess.start(redisServer());
    await ask(server.port, 'ACL', 'SETUSER', 'app', 'on', '>other', '~*', '&*', '+@all');
    await using program = start(server.port);

    await expectNoSecret(program);
    expect(program.output).toContain('WRONGPASS');
  });

  test('when nobody listens', async () => {
    await using program = start(await freePort());

    await expectNoSecret(program);
    expect(program.output).toContain('ECONNREFUSED');
  });

  test('when the server repeats in its answer what it was sent', async () => {
    const renamed = ['--rename-command', 'HELLO', '', '--rename-command', 'AUTH', ''];
    await using server = await ServerProcess.start(redisServer(...renamed));
    await using program = start(server.port);

    await expectNoSecret(program);
    expect(program.output).toContain('with args beginning with');
  });

  test('that is changed while it is in use', async () => {
    const those = ways.filter((way) => !/sentinel|cluster/.test(way));
    await using server = await ServerProcess.start(redisServer());
    await ask(server.port, 'ACL', 'SETUSER', 'app', 'on', `>${CANARY}`, '~*', '&*', '+@all');
    await using program = start(server.port, those, 'ready');
    for (const way of those) await program.says(`${way}: ready`);
    await ask(server.port, 'ACL', 'SETUSER', 'app', 'resetpass', '>other');
    await ask(server.port, 'CLIENT', 'KILL', 'USER', 'app');

    await expectNoSecret(program, those);
  });
});

describe('an address is refused at the start, and not shown', () => {
  const encoded = encodeURIComponent(CANARY);
  test.each([
    ['another scheme', `http://app:${encoded}@127.0.0.1:6379`, 'begin with redis://'],
    ['no scheme', `app:${encoded}@127.0.0.1:6379`, 'begin with redis://'],
    ['a scheme in capitals, which ioredis takes without TLS', `REDISS://:${encoded}@host`, 'begin with redis://'],
    ['one slash', `redis:/:${encoded}@host`, 'begin with redis://'],
    ['a port that is none', `redis://:${encoded}@127.0.0.1:port`, 'host or port'],
    ['a port beyond all', `redis://:${encoded}@127.0.0.1:65536`, 'host or port'],
    ['port 0', `redis://:${encoded}@127.0.0.1:0`, 'port'],
    ['no host', 'redis:///0', 'no host'],
    ['a slash in the password', `redis://:${CANARY}@127.0.0.1:6379/0`, '/ is written %2F'],
    ['a slash behind digits', `redis://app:1234/c4n4ry@127.0.0.1`, '/ is written %2F'],
    ['a # behind digits', `redis://app:1234#c4n4ry@127.0.0.1`, '# %23'],
    ['a ? behind digits', `redis://app:1234?c4n4ry@127.0.0.1`, '? %3F'],
    ['a % that encodes nothing', 'redis://:c4n4ry%@127.0.0.1', '% %25'],
    ['a database that is none', `redis://:${encoded}@127.0.0.1/first`, 'number of a database'],
  ])('%s', (_, url, why) => {
    const refusals = [{ url }, { driver: 'redis', options: { url } }].map((options) => {
      try {
        redisEngine(options as object);
        return undefined;
      } catch (error) {
        return error as Error;
      }
    });
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'invalid-options', message: expect.stringContaining(why) });
      expect(FORMS.filter((form) => String(refusal!.stack).includes(form))).toEqual([]);
    }
  });

  test.each([
    ['in place of the options', `redis://:${encodeURIComponent(CANARY)}@host`],
    ['as client', { client: `redis://:${CANARY}@host` }],
    ['as options', { options: `redis://:${CANARY}@host` }],
  ])('%s', (_, options: any) => {
    expect(() => redisEngine(options)).toThrow(expect.objectContaining({ code: 'invalid-options' }));
    expect(() => redisEngine(options)).not.toThrow(/c4n4ry/);
  });

  test.each([
    'redis://127.0.0.1',
    'redis://127.0.0.1:6379/',
    'redis://127.0.0.1:6379/15',
    'rediss://redis.example',
    'redis://[::1]:6379/0',
    'redis://app@host',
    `redis://app:${encoded}@host:1/0`,
    'redis://app:p@ss@host:1/0',
    'redis://host:6379/0?family=6',
  ])('but %s is taken', (url) => {
    expect(() => redisEngine({ url })).not.toThrow();
  });
});
