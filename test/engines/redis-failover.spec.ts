import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { redisEngine } from '../../src/redis/index.js';
import { isDemoted, isPassing, replyCode } from '../../src/redis/driver.js';
import { Recorder, append, read, textsOf } from '../support/redis.js';
import { ServerProcess, freePort } from '../support/server-process.js';
import { ask, redisServer, replicated } from '../support/servers/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

let master: ServerProcess;
let replica: ServerProcess;
/** The name of the master. */
let name: TcpProxy;

beforeEach(async () => {
  master = await ServerProcess.start(redisServer());
  replica = await ServerProcess.start(redisServer('--replicaof', `127.0.0.1 ${master.port}`));
  name = await TcpProxy.start(master.port);
});

afterEach(async () => {
  for (const each of [name, master, replica]) await each[Symbol.asyncDispose]();
});

/** The name stands for the former replica from now on, and the former master follows nobody who is there. */
async function failOver(): Promise<void> {
  await replicated(master.port);
  await ask(replica.port, 'REPLICAOF', 'NO', 'ONE');
  name.retarget(replica.port);
  await ask(master.port, 'REPLICAOF', '127.0.0.1', `${await freePort()}`);
}

describe.each(['ioredis', 'redis'] as const)('a client that the engine has made of %s', (driver) => {
  const engineAt = () => redisEngine({ driver, url: `redis://127.0.0.1:${name.port}`, timeoutMs: 8_000, probeMs: 200 });

  test('leaves a server that has become a replica: what is published is stored by the new master', async () => {
    const engine = engineAt();
    const before = await append(engine, 'a', 'before');
    await failOver();
    const positions = await Promise.all([append(engine, 'a', '1'), append(engine, 'a', '2')]);

    expect(positions.every(({ epoch }) => epoch === before.epoch)).toBe(true);
    expect(textsOf((await read(engine, ['a'])).entries)).toEqual(['before', '1', '2']);
    await engine.health();
    await engine.close();
  });

  test('does so when it only reads and listens', async () => {
    const [writer, reader] = [engineAt(), engineAt()];
    const recorder = await Recorder.start(reader);
    await reader.subscribe(['a']);
    await append(writer, 'a', 'before');
    await until(() => recorder.entries.length === 1, 'the event before');
    await failOver();
    await append(writer, 'a', 'missed');
    await until(() => recorder.states.includes('resumed'), 'another connection of the live delivery');
    const { seq } = await append(writer, 'a', 'after');

    await until(() => recorder.entries.some((entry) => entry.seq === seq), 'the event after it');
    expect(recorder.states).toEqual(['interrupted', 'resumed']);
    expect(textsOf((await read(reader, ['a'])).entries)).toEqual(['before', 'missed', 'after']);
    await Promise.all([writer.close(), reader.close()]);
  });

  test('is not healthy at a server that takes no writes', async () => {
    const writer = engineAt();
    await append(writer, 'a');
    await writer.close();
    await replicated(master.port);
    const engine = redisEngine({ driver, url: `redis://127.0.0.1:${replica.port}`, timeoutMs: 5_000 });

    await expect(engine.health()).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('READONLY'),
    });
    await engine.close();
  });
});

test('Redis 6 wraps the code of an error that a script has come upon', () => {
  const error = new Error(
    'ERR Error running script (call to f_1028a5dba704e1d8a01fd96efeba25bb78f62df2): @user_script:4: @user_script: 4: ' +
      "-READONLY You can't write against a read only replica.",
  );

  expect([replyCode(error), isPassing(error), isDemoted(error)]).toEqual(['READONLY', true, true]);
});
