import { afterAll, beforeAll, describe, expect, it, jest, test } from '@jest/globals';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { natsEngine } from '../../src/nats/index.js';
import type { NatsEngineOptions } from '../../src/nats/index.js';
import { Follower, OpenNats, eventually, textsOf } from '../support/nats.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS, countsOf, restrictedNats } from '../support/servers/nats.js';
import { until } from '../support/until.js';

/** Longer than any wait within: what is waited for says then what it was. */
jest.setTimeout(30_000);

let server: ServerProcess;
let admin: NatsConnection;
let count = 0;

beforeAll(async () => {
  server = await ServerProcess.start(NATS);
  admin = await connect({ servers: `127.0.0.1:${server.port}` });
});

afterAll(async () => {
  await admin.close();
  await server[Symbol.asyncDispose]();
});

/** An engine on a log of its own. */
const openNew = (options = {}): OpenNats => new OpenNats(server.port, { prefix: `log-${++count}`, ...options });
const openSame = (options = {}): OpenNats => new OpenNats(server.port, { prefix: `log-${count}`, ...options });

const ask = async (api: string, body: object = {}): Promise<any> =>
  (await admin.request(`$JS.API.${api}`, JSON.stringify(body))).json();

/** What the server has of the administrator alone, once it has noticed that all others have left. */
const baseCounts = async () => {
  await eventually(async () => (await countsOf(server)).connections === 1, 'the engines before to be gone');
  return countsOf(server);
};

describe('the log in a JetStream stream', () => {
  test('an event that is too old is not read, and who has not read it is told', async () => {
    await using nats = openNew();
    const before = await nats.append('before');
    const [first, second] = [await nats.append('a', '1', { maxAgeMs: 1_500 }), await nats.append('a', '2')];
    await nats.append('a', '3', { maxAgeMs: 1_500 });
    expect((await nats.read(['a'])).entries.length).toBe(3);

    await eventually(async () => (await nats.read(['a'])).entries.length === 0, 'the events to be too old');
    expect(await nats.holes(['a'], before)).toEqual(['trimmed a']);
    expect(await nats.holes(['a'], second)).toEqual(['trimmed a']);
    await nats.append('a', '4', { maxAgeMs: 1_500 });
    const last = await nats.resume(['a'], first);
    expect(textsOf(last.entries)).toEqual(['4']);
    expect([...(await nats.engine.list('')).names].sort()).toEqual(['a', 'before']);
  });

  test('a topic that is idle for long disappears, and only who may have missed something is told', async () => {
    await using nats = openNew({ maxAgeMs: 100 });
    const behind = await nats.append('idle', '1');
    const upToDate = await nats.append('idle', '2');
    await eventually(async () => (await nats.engine.list('')).names.length === 0, 'the topic to disappear');

    expect(await nats.holes(['idle'], behind)).toEqual(['unknown idle']);
    expect(await nats.holes(['idle', 'never'], upToDate)).toEqual([]);
    const { forgottenUpTo } = await nats.engine.list('');
    expect(forgottenUpTo).toBe(upToDate.seq);
    const back = await nats.append('idle', 'back');
    expect(await nats.holes(['idle'], behind)).toEqual(['unknown idle']);
    expect(textsOf((await nats.resume(['idle'], upToDate)).entries)).toEqual(['back']);
    expect(await nats.holes(['idle'], upToDate)).toEqual([]);
    expect(back.seq).toBeGreaterThan(upToDate.seq);
  });

  test('tells exactly what is trimmed of a topic of which the server has dropped the oldest itself', async () => {
    await using nats = openNew({ maxEventsPerTopic: 5 });
    const other = await nats.append('quiet');
    const positions = [];
    for (let n = 0; n < 30; n++) positions.push(await nats.append('busy', `${n}`));

    await using fresh = openSame();
    for (const node of [nats, fresh]) {
      expect(textsOf((await node.read(['busy'])).entries)).toEqual(['25', '26', '27', '28', '29']);
      expect(await node.holes(['busy', 'quiet'], positions[24]!)).toEqual([]);
      expect(await node.holes(['busy', 'quiet'], positions[23]!)).toEqual(['trimmed busy']);
      expect(await node.holes(['busy', 'quiet'], positions[2]!)).toEqual(['trimmed busy']);
      expect(await node.holes(['busy', 'quiet'], other)).toEqual(['trimmed busy']);
    }
    expect((await ask(`STREAM.INFO.log-${count}`)).state.messages).toBeLessThan(10);
  });

  test('a busy topic makes nobody believe that something of a quiet one was lost', async () => {
    await using nats = openNew({ maxEventsPerTopic: 2 });
    const before = await nats.append('busy');
    for (let n = 0; n < 20; n++) await nats.append('busy');

    expect(await nats.holes(['never'], before)).toEqual([]);
    expect((await nats.engine.list('')).forgottenUpTo).toBe(0);
  });

  test('who comes back from before what the whole stream has dropped is told', async () => {
    await using nats = openNew({ maxTotalBytes: 20_000 });
    const before = await nats.append('quiet');
    const next = await nats.append('quiet');
    for (let n = 0; n < 60; n++) await nats.append('busy', new Uint8Array(1_000));

    expect(await nats.holes(['quiet'], before)).toEqual(['unknown quiet']);
    expect(await nats.holes(['never'], next)).toEqual(['unknown never']);
    const { state } = await ask(`STREAM.INFO.log-${count}`);
    expect(state.bytes).toBeLessThanOrEqual(20_000);
    expect((await nats.engine.list('')).forgottenUpTo).toBe(state.first_seq - 1);
  });

  test('what one append has evicted stays evicted when the next would keep more', async () => {
    await using nats = openNew();
    for (let n = 0; n < 5; n++) await nats.append('a', `${n}`);
    const small = await nats.append('a', 'small', { maxEvents: 2 });
    await nats.append('a', 'large');

    for (const node of [nats, openSame()]) {
      await using each = node;
      expect(textsOf((await each.read(['a'])).entries)).toEqual(['4', 'small', 'large']);
      expect(textsOf((await each.resume(['a'], small)).entries)).toEqual(['large']);
    }
  });

  test('a long topic is read in batches, by pages, and an id is found in it', async () => {
    await using nats = openNew();
    const texts = Array.from({ length: 1_000 }, (_, n) => `${n}`);
    const positions = await Promise.all(texts.map((text) => nats.append('long', text, { id: `id-${text}` })));

    await using fresh = openSame();
    const before = (await countsOf(server)).received;
    expect(textsOf((await fresh.read(['long'])).entries)).toEqual(texts);
    expect((await countsOf(server)).received - before).toBeLessThan(100);
    await using paging = openSame();
    const paged: string[] = [];
    for (let after: number | undefined; after !== positions[999]!.seq;) {
      const { entries, upTo } = await paging.read(['long'], { after, maxEntries: 300 });
      paged.push(...textsOf(entries));
      after = upTo.seq;
    }
    expect(paged).toEqual(texts);
    expect(await paging.engine.locate(['long'], 'id-777')).toEqual(positions[777]);
    const consumers = async () => (await ask(`CONSUMER.NAMES.log-${count}`)).consumers ?? [];
    await eventually(async () => (await consumers()).length === 0, 'what was made for the reading to be gone');
  });

  test('the place before the first entry of a page is that of the topic, also among many others', async () => {
    await using nats = openNew();
    const first = await nats.append('a', 'first');
    for (let n = 0; n < 40; n++) await nats.append(`other/${n % 7}`);
    const between = await nats.append('b');
    await nats.append('a', 'second');

    await using fresh = openSame();
    const { entries } = await fresh.resume(['a'], between);
    expect(entries.map(({ prev }) => prev)).toEqual([first.seq]);
  });

  test('pages that are read while others publish have everything once', async () => {
    await using nats = openNew();
    await using reader = openSame();
    const topics = ['a', 'b', 'c'];
    const appending = Promise.all(Array.from({ length: 900 }, (_, n) => nats.append(topics[n % 3]!, `${n}`)));
    let isOver = false;
    void appending.then(() => (isOver = true));
    const read: string[] = [];
    for (let after = 0, isLast = false; !isLast;) {
      isLast = isOver;
      const { entries, upTo } = await reader.read(topics, { after });
      read.push(...textsOf(entries));
      after = upTo.seq;
    }

    expect(read).toEqual(Array.from({ length: 900 }, (_, n) => `${n}`));
    await appending;
  });

  test('nodes that start at once make one log, and one of them makes the stream', async () => {
    const created: string[] = [];
    const watching = admin.subscribe(`$JS.API.STREAM.CREATE.log-${count + 1}`, {
      callback: (_error, { subject }) => void created.push(subject),
    });
    await admin.flush();
    const nodes = [openNew(), ...Array.from({ length: 7 }, () => openSame())];
    try {
      const positions = await Promise.all(nodes.map((node) => node.append('a')));
      await admin.flush();
      watching.unsubscribe();
      expect(created).toHaveLength(1);
      expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1);
      expect(new Set(positions.map(({ seq }) => seq)).size).toBe(8);
    } finally {
      await Promise.all(nodes.map((node) => node.engine.close()));
    }
  });

  test('a question that the server leaves unanswered is asked again', async () => {
    await using nats = openNew();
    await nats.append('a');
    const name = `log-${count}`;
    const { config } = await ask(`STREAM.INFO.${name}`);
    await ask(`STREAM.UPDATE.${name}`, { ...config, allow_direct: false });
    const appending = nats.append('a', 'unread');
    await eventually(async () => (await ask(`STREAM.INFO.${name}`)).state.messages === 3, 'the event to be stored');
    await ask(`STREAM.UPDATE.${name}`, { ...config, allow_direct: true });

    const { seq, at } = await appending;
    expect((await nats.read(['a'])).entries.at(-1)).toMatchObject({ seq, at });
  });

  test('what a client is told of a made-up place says nothing of topics that it did not ask for', async () => {
    await using nats = openNew();
    const own = await nats.append('own');
    let secret = await nats.append('secret');
    while (secret.at < own.at + 5) secret = await nats.append('secret');
    const places = Array.from({ length: 8 }, (_, n) => ({ ...secret, at: own.at + n }));

    for (const place of places) expect(await nats.holes(['own', 'never'], place)).toEqual([]);
    const later = await nats.append('own');
    for (const place of places) expect(await nats.holes(['own', 'never'], place)).toEqual([]);
    expect(await nats.holes(['own', 'secret'], { ...secret, at: secret.at - 1 })).toEqual([
      'diverged own',
      'diverged secret',
    ]);
    expect(await nats.holes(['own'], { ...later, at: later.at - 1 })).toEqual(['diverged own']);
  });

  test('what another program publishes to a subject of a topic is passed over', async () => {
    await using nats = openNew();
    const follower = await Follower.start(nats, ['a']);
    const { epoch } = await nats.append('a', 'before');
    const subject = `log-${count}.s.${epoch}.t.${Buffer.from('a').toString('base64url')}`;
    await admin.request(subject, 'garbage');
    await admin.request(subject, new Uint8Array(100));
    const { seq } = await nats.append('a', 'after');

    await until(() => follower.entries.has(seq), 'what comes after');
    expect(follower.texts).toEqual(['before', 'after']);
    await using fresh = openSame();
    expect(textsOf((await fresh.read(['a'])).entries)).toEqual(['before', 'after']);
    await admin.request(subject, 'the newest');
    expect(textsOf((await fresh.read(['a'])).entries)).toEqual(['before', 'after']);
  });

  test('a stream that somebody else made is left alone', async () => {
    await ask('STREAM.CREATE.theirs', { name: 'theirs', subjects: ['theirs.>'] });
    await using nats = openNew({ stream: 'theirs' });

    const refusal = { code: 'engine-failed', message: expect.stringContaining('theirs') };
    await expect(nats.append('a')).rejects.toMatchObject(refusal);
    await expect(nats.engine.health()).rejects.toMatchObject(refusal);
    expect((await ask('STREAM.INFO.theirs')).state.messages).toBe(0);
  });
});

describe('live delivery through NATS', () => {
  test('subscribing and unsubscribing 10,000 times leaves nothing on the server, and one connection serves all', async () => {
    const base = await baseCounts();
    await using nats = openNew();
    const follower = await Follower.start(nats, ['stays']);
    const before = await countsOf(server);
    expect(before.connections).toBe(base.connections + 1);
    for (let round = 0; round < 100; round++) {
      const topics = Array.from({ length: 100 }, (_, n) => `t/${round}/${n}`);
      const subscribing = nats.engine.subscribe(topics);
      nats.engine.unsubscribe(topics);
      await subscribing;
    }
    await nats.engine.subscribe([EVERY_TOPIC]);
    nats.engine.unsubscribe([EVERY_TOPIC]);

    await eventually(
      async () => (await countsOf(server)).subscriptions === before.subscriptions,
      'no subscription left',
    );
    const { seq } = await nats.append('stays');
    await until(() => follower.entries.has(seq), 'what stays');
  });

  test('the engine works on a connection of the application, and leaves it as it was', async () => {
    await baseCounts();
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    const before = await countsOf(server);
    const options: NatsEngineOptions = { connection };
    const nats = openNew(options);
    const follower = await Follower.start(nats, ['a']);
    const { seq } = await nats.append('a');
    await until(() => follower.entries.has(seq), 'the event');
    expect((await countsOf(server)).connections).toBe(before.connections);
    await nats.engine.close();

    expect(connection.isClosed()).toBe(false);
    expect((connection as any).protocol.listeners).toEqual([]);
    await connection.flush();
    expect({ ...(await countsOf(server)), received: 0 }).toEqual({ ...before, received: 0 });
    await connection.close();
  });

  test('the engine works in a domain, with no more permissions than are documented', async () => {
    await using restricted = await ServerProcess.start(restrictedNats('sse', 'hub'));
    const options = { servers: `127.0.0.1:${restricted.port}`, user: 'app', pass: 'secret' };
    const settings = { options, prefix: 'sse', domain: 'hub', inboxPrefix: '_INBOX_app' };
    await using nats = new OpenNats(restricted.port, settings);
    const follower = await Follower.start(nats, ['a']);
    const positions = await Promise.all(Array.from({ length: 100 }, (_, n) => nats.append('a', `${n}`)));
    await until(() => follower.entries.size === 100, 'all of them');

    await using fresh = new OpenNats(restricted.port, settings);
    const { entries } = await fresh.read(['a']);
    expect(entries.map(({ seq, at }) => ({ seq, at }))).toEqual(positions.map(({ seq, at }) => ({ seq, at })));
    expect((await fresh.engine.list('')).names).toEqual(['a']);
    expect(follower.told).toEqual([]);

    await using other = new OpenNats(restricted.port, { ...settings, prefix: 'other', timeoutMs: 200 });
    const refusal = { code: 'engine-failed', message: expect.stringContaining('Permissions Violation') };
    await expect(other.engine.health()).rejects.toMatchObject(refusal);
  });

  test('when the application closes its connection, every call says so', async () => {
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    await using nats = openNew({ connection });
    const follower = await Follower.start(nats, ['a']);
    await connection.close();

    const refusal = { code: 'engine-failed', message: expect.stringContaining('has been closed') };
    await expect(nats.append('a')).rejects.toMatchObject(refusal);
    await expect(nats.read(['a'])).rejects.toMatchObject(refusal);
    expect(follower.told).toEqual(['interrupted']);
  });

  test('a process that only appends and reads subscribes to no topic', async () => {
    const base = await baseCounts();
    await using nats = openNew();
    await nats.append('a');
    await nats.read(['a']);

    const { connections, subscriptions } = await countsOf(server);
    expect([connections - base.connections, subscriptions - base.subscriptions]).toEqual([1, 1]);
  });
});

describe('the options of natsEngine', () => {
  const servers = '127.0.0.1';

  it.each([
    [{}, 'exactly one of'],
    [{ servers, options: {} }, 'exactly one of'],
    [{ servers: '' }, 'servers'],
    [{ servers: [] }, 'servers'],
    [{ connection: {} }, 'connection'],
    [{ options: 'x' }, 'options'],
    [{ servers, prefix: 'a b' }, 'prefix'],
    [{ servers, prefix: 'a..b' }, 'prefix'],
    [{ servers, prefix: 'x'.repeat(65) }, 'prefix'],
    [{ servers, stream: 'a.b' }, 'stream'],
    [{ servers, domain: '*' }, 'domain'],
    [{ servers, inboxPrefix: '>' }, 'inboxPrefix'],
    [{ servers, storage: 'disk' }, 'storage'],
    [{ servers, replicas: 0 }, 'replicas'],
    [{ servers, maxAgeMs: 0 }, 'maxAgeMs'],
    [{ servers, maxEventsPerTopic: 0.5 }, 'maxEventsPerTopic'],
    [{ servers, maxTotalBytes: NaN }, 'maxTotalBytes'],
    [{ servers, timeoutMs: 0 }, 'timeoutMs'],
    [{ servers, probeMs: Infinity }, 'probeMs'],
    [{ servers, maxAge: 1 }, 'maxAge'],
    [null, 'an object'],
  ])('refuses %p, naming %p', (options: any, name) => {
    expect(() => natsEngine(options)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(name) }),
    );
  });
});
