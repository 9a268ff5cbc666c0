import { cpSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { tokenOf } from '../../src/nats/subjects.js';
import { NatsProxy } from '../support/nats-proxy.js';
import { Follower, OpenNats, codeOf, eventually, textsOf } from '../support/nats.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS, countsOf, storeOf } from '../support/servers/nats.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Longer than any wait within: what is waited for says then what it was. */
jest.setTimeout(30_000);

let server: ServerProcess;
let proxy: TcpProxy;

beforeEach(async () => {
  server = await ServerProcess.start(NATS);
  proxy = await TcpProxy.start(server.port);
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Appends texts until it is stopped, several at once, and keeps what became of each. */
function startPublishing(nats: OpenNats, writers: number) {
  const acknowledged: string[] = [];
  const uncertain: string[] = [];
  const failed: string[] = [];
  let isStopped = false;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; !isStopped; n++) {
      const text = `${writer}:${n}`;
      try {
        await nats.append(`t/${writer % 3}`, text);
        acknowledged.push(text);
      } catch (error) {
        (codeOf(error) === 'engine-uncertain' ? uncertain : failed).push(text);
      }
    }
  };
  const writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const stop = async (): Promise<void> => {
    isStopped = true;
    await writing;
  };
  return { acknowledged, uncertain, failed, stop };
}

const doubles = (texts: readonly string[]): string[] => texts.filter((text, n) => texts.indexOf(text) !== n);

describe('the NATS engine when things break', () => {
  test('what was acknowledged is in the log exactly once when the server is killed twice under load', async () => {
    const options = { timeoutMs: 3_000, maxEventsPerTopic: 100_000 };
    await using publisher = new OpenNats(server.port, options);
    await using subscriber = new OpenNats(server.port, options);
    const follower = await Follower.start(subscriber, ['t/0', 't/1', 't/2']);
    const publishing = startPublishing(publisher, 10);

    for (let round = 1; round <= 2; round++) {
      const before = publishing.acknowledged.length;
      await until(() => publishing.acknowledged.length > before + 300, 'events before the server is killed', 10_000);
      await server.kill('SIGKILL');
      await until(() => follower.isInterrupted, 'the sink to be told');
      await server.start();
      await until(() => !follower.isInterrupted, 'delivery to be restored', 10_000);
    }
    const before = publishing.acknowledged.length;
    await until(() => publishing.acknowledged.length > before + 100, 'events after the last kill', 10_000);
    await publishing.stop();

    const { entries } = await subscriber.read(['t/0', 't/1', 't/2'], { maxEntries: 1e6 });
    const stored = textsOf(entries);
    const known = new Set(stored);
    expect(doubles(stored)).toEqual([]);
    expect(publishing.acknowledged.filter((text) => !known.has(text))).toEqual([]);
    expect(publishing.failed.filter((text) => known.has(text))).toEqual([]);
    for (let writer = 0; writer < 10; writer++) {
      const own = stored.filter((text) => text.startsWith(`${writer}:`)).map((text) => Number(text.split(':')[1]));
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
    await until(() => follower.entries.size >= entries.length, 'the follower to have everything', 10_000);
    await follower.settled();
    expect(follower.texts).toEqual(stored);
    expect(follower.told.join(' ')).toBe('interrupted resumed interrupted resumed');
    expect(follower.epochs.size).toBe(1);
  }, 60_000);

  test('an event whose acknowledgement is lost is stored once, and its position is the first', async () => {
    await using nats = new OpenNats(proxy.port);
    await nats.append('a', 'before');
    proxy.mute(true);
    const appending = Promise.all([nats.append('a', 'one'), nats.append('a', 'two', { id: 'own' })]);
    await using witness = new OpenNats(server.port);
    await eventually(async () => (await witness.read(['a'])).entries.length === 3, 'the events to be stored');
    proxy.mute(false);
    proxy.cut();

    const positions = await appending;
    const { entries } = await nats.read(['a']);
    expect(textsOf(entries)).toEqual(['before', 'one', 'two']);
    expect(positions.map(({ seq, at }) => ({ seq, at }))).toEqual(entries.slice(1).map(({ seq, at }) => ({ seq, at })));
  });

  test('an append in an outage rejects within its time: failed when it was not sent, uncertain when it was', async () => {
    await using nats = new OpenNats(proxy.port, { timeoutMs: 1_000 });
    await nats.append('a', 'before');
    proxy.mute(true);
    const startedAt = performance.now();
    await expect(nats.append('a', 'sent')).rejects.toMatchObject({ code: 'engine-uncertain' });
    expect(performance.now() - startedAt).toBeLessThan(2_500);

    proxy.mute(false);
    proxy.refuse(true);
    proxy.cut();
    await expect(nats.read(['a'])).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(nats.append('a', 'never sent')).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(nats.engine.subscribe(['a'])).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(nats.engine.health()).rejects.toMatchObject({ code: 'engine-failed' });

    proxy.refuse(false);
    await eventually(() => nats.engine.health().then(() => true), 'the connection to be restored');
    expect(textsOf((await nats.read(['a'])).entries)).toEqual(['before', 'sent']);
  });

  test('an outage shorter than the time of a call is waited out, in the order of the calls', async () => {
    await using nats = new OpenNats(proxy.port);
    await nats.append('a', 'before');
    proxy.refuse(true);
    proxy.cut();
    const appending = Promise.all(Array.from({ length: 50 }, (_, n) => nats.append('a', `${n}`)));
    const reading = nats.read(['a']);
    proxy.refuse(false);

    const seqs = (await appending).map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect((await reading).entries.length).toBeGreaterThan(0);
  });

  test('a server that was not there yet is waited for', async () => {
    await server.kill();
    await using nats = new OpenNats(server.port);
    const appending = nats.append('a', 'patient');
    await server.start();

    expect((await appending).seq).toBeGreaterThan(0);
  });

  test('a server that comes back empty has a new epoch, for those who publish and those who listen', async () => {
    await using publisher = new OpenNats(server.port);
    await using subscriber = new OpenNats(server.port);
    const follower = await Follower.start(subscriber, ['a']);
    const before = await publisher.append('a', 'before');
    await until(() => follower.entries.size === 1, 'the first event');

    await server.kill();
    rmSync(storeOf(server.folder), { recursive: true });
    await server.start();
    const after = await publisher.append('a', 'after');
    await until(() => follower.texts.includes('after'), 'the event in the new log', 10_000);

    expect(after.epoch).not.toBe(before.epoch);
    expect(await subscriber.holes(['a'], before)).toEqual(['epoch a']);
    expect(follower.told).toEqual(['interrupted', 'resumed']);
    await follower.settled();
  });

  test('a stream that is deleted while all are connected is made anew, with a new epoch', async () => {
    await using publisher = new OpenNats(server.port);
    await using subscriber = new OpenNats(server.port);
    const follower = await Follower.start(subscriber, ['a']);
    const before = await publisher.append('a', 'before');
    const admin = await connect({ servers: `127.0.0.1:${server.port}` });
    await admin.request('$JS.API.STREAM.DELETE.test');
    await admin.close();

    const after = await publisher.append('a', 'after');
    expect(after.epoch).not.toBe(before.epoch);
    await until(() => follower.epochs.has(after.epoch), 'the event in the new log');
    expect((await subscriber.engine.heads(['a'])).upTo.epoch).toBe(after.epoch);
    const { entries } = await subscriber.read(['a']);
    expect(entries.map(({ seq, at }) => ({ epoch: after.epoch, seq, at }))).toEqual([after]);
  });

  test('the order of the calls is kept when the stream is deleted and made anew under load', async () => {
    await using nats = new OpenNats(server.port, { maxEventsPerTopic: 100_000, timeoutMs: 2_000 });
    const { epoch } = await nats.append('a', 'before');
    const admin = await connect({ servers: `127.0.0.1:${server.port}` });
    let deletedAfter: number | undefined;
    let count = 0;
    const appending: Promise<unknown>[] = [];
    while (count < (deletedAfter ?? Infinity) + 1_000) {
      appending.push(nats.append(`t/${count % 3}`, `${count}`));
      if (++count % 100 === 0) await new Promise(setImmediate);
      if (count === 500) {
        const deleting = admin.request('$JS.API.STREAM.DELETE.test', '', { timeout: 10_000 });
        appending.push(deleting.finally(() => (deletedAfter = count)));
      }
    }
    await Promise.allSettled(appending);
    await admin.close();

    const { entries, upTo } = await nats.read(['t/0', 't/1', 't/2']);
    const numbers = textsOf(entries).map(Number);
    expect(upTo.epoch).not.toBe(epoch);
    expect(numbers.at(-1)).toBe(count - 1);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  test('a log restored from an older copy is seen to have used its numbers again', async () => {
    await using nats = new OpenNats(server.port);
    const kept = await nats.append('a', 'kept');
    await server.kill('SIGTERM');
    cpSync(storeOf(server.folder), `${server.folder}/copy`, { recursive: true });
    await server.start();
    await eventually(() => nats.engine.health().then(() => true), 'the server to be back');
    const lost = await nats.append('a', 'lost');
    await nats.read(['a']);
    await server.kill();
    rmSync(storeOf(server.folder), { recursive: true });
    cpSync(`${server.folder}/copy`, storeOf(server.folder), { recursive: true });
    await server.start();

    await eventually(async () => (await nats.holes(['a'], lost)) !== undefined, 'the server to be back');
    expect(await nats.holes(['a'], lost)).toEqual(['ahead a']);
    const again = await nats.append('a', 'again');
    expect([again.epoch, again.seq]).toEqual([lost.epoch, lost.seq]);
    expect(again.at).toBeGreaterThan(lost.at);
    expect(await nats.holes(['a'], lost)).toEqual(['diverged a']);
    expect(await nats.holes(['a'], kept)).toEqual([]);
    expect(textsOf((await nats.read(['a'])).entries)).toEqual(['kept', 'again']);
  });

  test('a connection that swallows everything is found, and delivery is restored', async () => {
    await using subscriber = new OpenNats(proxy.port, { probeMs: 100, timeoutMs: 1_000 });
    await using publisher = new OpenNats(server.port);
    const follower = await Follower.start(subscriber, ['quiet']);
    proxy.swallow(true);
    await until(() => follower.isInterrupted, 'the black hole to be found', 400);
    await publisher.append('quiet', 'missed');
    proxy.swallow(false);

    await until(() => !follower.isInterrupted, 'delivery to be restored', 10_000);
    await until(() => follower.texts.includes('missed'), 'what was missed');
    await publisher.append('quiet', 'live');
    await until(() => follower.texts.includes('live'), 'what comes after');
    expect(follower.told).toEqual(['interrupted', 'resumed']);
    await follower.settled();
  });

  describe('when the server republishes an event after one that it stored later', () => {
    /** Two events, the first of which is on its way when all that the engine asks about the second has been answered. */
    async function overtake(through: NatsProxy, topics: string[]) {
      const nats = new OpenNats(through.port);
      const follower = await Follower.start(nats, topics);
      through.hold((subject) => subject.includes('.l.') && subject.endsWith(tokenOf('one')));
      await using publisher = new OpenNats(server.port);
      const positions = [await publisher.append('one'), await publisher.append('two')];
      const hasPassed = (topic: string): boolean => through.passed.some((subject) => subject.endsWith(tokenOf(topic)));
      await until(() => hasPassed('two'), 'the second to be delivered');
      // The first answer comes behind the event, and the second behind those to what the engine has asked then.
      for (let n = 0; n < 2; n++) await nats.engine.health();
      return { nats, follower, positions: positions.map(({ seq }) => seq) };
    }

    let waiting: (() => void)[];

    // The wait of a quarter of a second ends only when the test says so.
    beforeEach(() => {
      waiting = [];
      const wait = globalThis.setTimeout;
      jest.spyOn(globalThis, 'setTimeout').mockImplementation(((end: () => void, ms: number) => {
        if (ms === 250) waiting.push(end);
        return wait(ms === 250 ? () => undefined : end, ms);
      }) as typeof setTimeout);
    });
    afterEach(() => void jest.restoreAllMocks());

    test.each([
      ['named topics', ['one', 'two']],
      ['all topics', [EVERY_TOPIC]],
    ])('both come in order: %s', async (_, topics) => {
      await using through = await NatsProxy.start(server.port);
      const { nats, follower, positions } = await overtake(through, topics);
      await using _nats = nats;
      expect([...follower.entries.keys()]).toEqual([]);
      through.release();
      await until(() => follower.entries.size === 2, 'both');
      expect([...follower.entries.keys()]).toEqual(positions);
    });

    test('an event whose predecessor was lost comes by itself after a quarter of a second', async () => {
      await using through = await NatsProxy.start(server.port);
      const { nats, follower, positions } = await overtake(through, ['one', 'two']);
      await using _nats = nats;
      await until(() => waiting.length > 0, 'the wait for the first');
      for (const end of waiting) end();
      await until(() => follower.entries.size === 1, 'the second');
      expect([...follower.entries.keys()]).toEqual([positions[1]]);
    });

    test('nobody waits for an event of a topic that is not subscribed to', async () => {
      await using through = await NatsProxy.start(server.port);
      const { nats, follower, positions } = await overtake(through, ['two']);
      await using _nats = nats;
      await until(() => follower.entries.size === 1, 'the second');
      expect([...follower.entries.keys()]).toEqual([positions[1]]);
      expect(waiting).toEqual([]);
    });
  });

  test('one connection is left after many were cut', async () => {
    await using nats = new OpenNats(proxy.port);
    const follower = await Follower.start(nats, ['a']);
    for (let round = 0; round < 5; round++) {
      proxy.cut();
      await until(() => follower.told.length === 2 * round + 2, 'delivery to be restored', 5_000);
    }
    const { seq } = await nats.append('a');

    await until(() => follower.entries.has(seq), 'an event after all that');
    expect(proxy.count).toBe(1);
    expect((await countsOf(server)).connections).toBe(1);
    await follower.settled();
  });
});
