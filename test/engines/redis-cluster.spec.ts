import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { redisEngine } from '../../src/redis/index.js';
import { engineContract } from '../../src/testing/index.js';
import { OpenEngine, Recorder, append, clusterDrivers, read, textsOf } from '../support/redis.js';
import type { ServerProcess } from '../support/server-process.js';
import { ask, replicated } from '../support/servers/redis.js';
import { RedisCluster } from '../support/servers/redis-cluster.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});

afterAll(() => cluster[Symbol.asyncDispose]());

let count = 0;

for (const { name, open } of clusterDrivers) {
  engineContract(
    `Redis Cluster through ${name}`,
    async () => {
      const prefix = `t${++count}`;
      const { client, end } = await open(cluster.servers[count % 3]!.port);
      const engine = redisEngine({ client, prefix });
      return {
        engine,
        another: async () => redisEngine({ client, prefix }),
        reopen: async () => redisEngine({ client, prefix }),
        dispose: end,
      };
    },
    { lacks: ['clock'] },
  );
}

describe.each(clusterDrivers)('the Redis engine on a cluster through $name', ({ open }) => {
  /** The slot of the log, and the server that has it. */
  async function place(prefix: string): Promise<{ slot: number; owner: ServerProcess }> {
    const slot = Number((await ask(cluster.servers[0]!.port, 'CLUSTER', 'KEYSLOT', `{${prefix}}`)).slice(1));
    for (const owner of cluster.servers) {
      const answer = await ask(owner.port, 'HLEN', `{${prefix}}:lane`);
      if (answer.startsWith(':')) return { slot, owner };
    }
    throw new Error(`Nobody has slot ${slot}`);
  }

  const engineFor = (prefix: string) =>
    OpenEngine.over(open(cluster.servers[1]!.port), { prefix, timeoutMs: 15_000, probeMs: 500 });

  test('nothing is lost, repeated or put out of order when the slot moves under load', async () => {
    const prefix = `moves${++count}`;
    await using publisher = await engineFor(prefix);
    await using subscriber = await engineFor(prefix);
    const recorder = await Recorder.start(subscriber.engine);
    const from = await subscriber.engine.subscribe(['a', EVERY_TOPIC]);
    const appending: Promise<unknown>[] = [];
    const publish = async (number: number): Promise<void> => {
      for (const end = appending.length + number; appending.length < end;) {
        appending.push(append(publisher.engine, 'a', `${appending.length}`));
        if (appending.length % 10 === 0) await new Promise(setImmediate);
      }
    };
    await publish(500);
    const { slot, owner } = await place(prefix);
    const target = (await cluster.masters()).find((server) => server !== owner)!;
    await Promise.all([cluster.move(slot, owner, target), publish(1_000)]);
    await until(() => recorder.states.includes('interrupted') && !recorder.isInterrupted, 'live delivery', 10_000);
    await publish(500);
    await Promise.all(appending);

    const { entries } = await read(subscriber.engine, ['a'], from);
    expect(textsOf(entries)).toEqual(appending.map((_, n) => `${n}`));
    const last = entries.at(-1)!.seq;
    await until(() => recorder.entries.some(({ seq }) => seq === last), 'the last event');
    await cluster.move(slot, target, owner);
  });

  test('events of many topics that come together are stored and delivered in order', async () => {
    const prefix = `many${++count}`;
    await using publisher = await engineFor(prefix);
    await using subscriber = await engineFor(prefix);
    const recorder = await Recorder.start(subscriber.engine);
    await subscriber.engine.subscribe([EVERY_TOPIC]);
    const texts = Array.from({ length: 300 }, (_, n) => `${n}`);
    const positions = await Promise.all(texts.map((text, n) => append(publisher.engine, `topic/${n % 100}`, text)));

    await until(() => recorder.entries.length >= 300, 'the delivery', 10_000);
    expect(textsOf(recorder.entries)).toEqual(texts);
    expect(recorder.entries.map(({ seq }) => seq)).toEqual(positions.map(({ seq }) => seq));
  });

  test('the log and its live delivery go on when the master dies and its replica takes over', async () => {
    // The first server and the last are each other's replica.
    const pair = [cluster.servers[0], cluster.servers[3]];
    let prefix: string;
    let master: ServerProcess;
    do master = (await place((prefix = `fails${++count}`))).owner;
    while (!pair.includes(master));
    await using publisher = await engineFor(prefix);
    await using subscriber = await engineFor(prefix);
    const recorder = await Recorder.start(subscriber.engine);
    const from = await subscriber.engine.subscribe(['a']);
    const appending = Array.from({ length: 500 }, (_, n) => append(publisher.engine, 'a', `${n}`));
    await Promise.all(appending);
    await replicated(master.port);
    await master.kill('SIGKILL');
    for (let n = 500; n < 1_000; n++) appending.push(append(publisher.engine, 'a', `${n}`));
    await Promise.all(appending);

    const { entries } = await read(subscriber.engine, ['a'], from);
    expect(textsOf(entries)).toEqual(appending.map((_, n) => `${n}`));
    await until(() => !recorder.isInterrupted, 'live delivery', 15_000);
    const { seq } = await append(publisher.engine, 'a', 'after');
    await until(() => recorder.entries.some((entry) => entry.seq === seq), 'the event after it');
    await master.start();
    await cluster.settled();
  });
});
