import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { Follower, OpenNats, codeOf, eventually, textsOf } from '../support/nats.js';
import { ServerProcess, freePort } from '../support/server-process.js';
import { natsNode } from '../support/servers/nats.js';
import { until } from '../support/until.js';

let servers: ServerProcess[];

beforeAll(async () => {
  const routes = [await freePort(), await freePort(), await freePort()];
  servers = await Promise.all(routes.map((_, n) => ServerProcess.start(natsNode(n, routes))));
}, 30_000);

afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

/** The place of the server that leads the stream. */
async function leaderOf(stream: string): Promise<number> {
  for (const { port } of servers) {
    const admin = await connect({ servers: `127.0.0.1:${port}`, reconnect: false }).catch(() => undefined);
    if (admin === undefined) continue;
    const info: any = await admin.request(`$JS.API.STREAM.INFO.${stream}`).then((reply) => reply.json());
    await admin.close();
    if (info.cluster?.leader !== undefined) return Number(info.cluster.leader.slice(1));
  }
  throw new Error('There is no leader');
}

describe('the NATS engine on a stream with three replicas', () => {
  test('nothing is lost, stored twice or read too early when the leader of the stream is killed under load', async () => {
    const options = { replicas: 3, timeoutMs: 10_000, maxEventsPerTopic: 100_000 };
    await using first = new OpenNats(servers[0]!.port, options);
    await eventually(() => first.append('warm').then(() => true), 'the stream', 20_000);
    const leader = await leaderOf('test');
    const [here, there] = [0, 1, 2].filter((n) => n !== leader).map((n) => servers[n]!);
    await using publisher = new OpenNats(here!.port, options);
    await using subscriber = new OpenNats(there!.port, options);
    const follower = await Follower.start(subscriber, ['a', 'b']);

    const acknowledged: string[] = [];
    const failed: string[] = [];
    const unread: string[] = [];
    let isStopped = false;
    const write = async (topic: string): Promise<void> => {
      for (let n = 0; !isStopped; n++) {
        try {
          const { seq } = await publisher.append(topic, `${topic}${n}`);
          acknowledged.push(`${topic}${n}`);
          if (n % 10 > 0) continue;
          const { entries } = await subscriber.read([topic], { after: seq - 1 });
          if (entries[0]?.seq !== seq) unread.push(`${topic}${n}`);
        } catch (error) {
          if (codeOf(error) === 'engine-failed') failed.push(`${topic}${n}`);
        }
      }
    };
    const writing = Promise.all(['a', 'b'].map(write));
    await until(() => acknowledged.length > 200, 'events before', 10_000);
    await servers[leader]!.kill('SIGKILL');
    const before = acknowledged.length;
    await until(() => acknowledged.length > before + 200, 'events after', 30_000);
    isStopped = true;
    await writing;

    const { entries } = await subscriber.read(['a', 'b']);
    const stored = textsOf(entries);
    expect(new Set(stored).size).toBe(stored.length);
    expect(acknowledged.filter((text) => !stored.includes(text))).toEqual([]);
    expect(failed.filter((text) => stored.includes(text))).toEqual([]);
    expect(unread).toEqual([]);
    expect(follower.told.slice(0, 2)).toEqual(['interrupted', 'resumed']);
    await until(() => follower.entries.size >= stored.length, 'the follower to have everything', 10_000);
    await follower.settled();
    expect(follower.texts).toEqual(stored);
  }, 60_000);
});
