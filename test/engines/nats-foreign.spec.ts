import { type Socket, connect as connectSocket } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect, headers } from '@nats-io/transport-node';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { EVENT_HEADER, encodeMeta } from '../../src/nats/codec.js';
import { tokenOf } from '../../src/nats/subjects.js';
import { type Random, createRandom } from '../faults/support/random.mjs';
import { watchProcess } from '../support/watch.js';
import { Follower, KEEP, OpenNats, eventually, textsOf } from '../support/nats.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS, restrictedNats } from '../support/servers/nats.js';
import { until } from '../support/until.js';

/** Longer than any wait within: what is waited for says then what it was. */
jest.setTimeout(60_000);

const GARBAGE = 10_000;
const META = `${EVENT_HEADER}: ${encodeMeta({ retention: KEEP })}`;

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(NATS);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A client that sends whatever it is told to. */
async function openRaw(port: number): Promise<Socket> {
  const socket = connectSocket(port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  await once(socket, 'connect');
  socket.write('CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n');
  return socket;
}

const noise = (random: Random, length: number): Buffer => Buffer.from(Array.from({ length }, () => random.int(0, 256)));

function garbageHeaders(random: Random): Buffer {
  const lines = [
    META,
    `${EVENT_HEADER}: 1 NaN -1 x`,
    `${EVENT_HEADER}: ${noise(random, 30).toString('latin1')}`,
    'Nats-Sequence: 9007199254740991',
    `Nats-Sequence: ${random.int(0, 100_000)}`,
    'Nats-Last-Sequence: -1',
    'Nats-Time-Stamp: yesterday',
    'Nats-Msg-Size: 1e9',
    'Nats-Subject: somewhere.else',
    'b(a)d: key',
    'no colon',
    ': nothing',
    '\u0000: \u0001',
  ];
  const first = random.pick([
    'NATS/1.0',
    'NATS/1.0 404 Nothing',
    'NATS/1.0 503',
    'NATS/1.0 100',
    'HTTP/1.1 200 OK',
    '',
  ]);
  const chosen = Array.from({ length: random.int(0, 5) }, () => random.pick(lines));
  return random.chance(0.1) ? noise(random, random.int(1, 60)) : Buffer.from([first, ...chosen, '', ''].join('\r\n'));
}

/** A message to one of our subjects, or something like one. */
function garbage(random: Random, prefix: string, epoch: string): Buffer {
  const tokens = [tokenOf('a'), tokenOf('b'), tokenOf('other'), '%%%', 'AAAAB', 'x'.repeat(200), '_', '\u00e9'];
  const kind = random.pick(['s', 's', 'l', 'l', 'l']);
  const life = kind === 's' || random.chance(0.8) ? epoch : random.pick(['zzzzzz', 'x', 'EPOCH!']);
  const subject = `${prefix}.${kind}.${life}.${random.pick(['t', 't', 't', 'p', 'x'])}.${random.pick(tokens)}`;
  const sizes = [0, 1, random.int(2, 40), random.chance(0.01) ? 100_000 : 100];
  const payload = noise(random, random.pick(sizes));
  if (random.chance(0.3)) return message(`PUB ${subject} ${payload.length}`, payload);
  const head = garbageHeaders(random);
  return message(`HPUB ${subject} ${head.length} ${head.length + payload.length}`, head, payload);
}

function message(line: string, ...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`${line}\r\n`), ...parts, Buffer.from('\r\n')]);
}

describe("what others publish to the engine's subjects", () => {
  test('10000 messages of any kind end nothing, and events still arrive and can be read', async () => {
    using watch = watchProcess();
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
    process.stdout.write(`fuzz nats: FUZZ_SEED=${seed}, ${GARBAGE} cases\n`);
    const random = createRandom(seed);
    await using nats = new OpenNats(server.port, { prefix: 'foreign', maxEventsPerTopic: 100_000 });
    const follower = await Follower.start(nats, ['a', 'b', EVERY_TOPIC]);
    const { epoch } = await nats.append('a', 'first');
    const socket = await openRaw(server.port);
    const own: string[] = ['first'];
    for (let n = 0; n < GARBAGE; n++) {
      socket.write(garbage(random, 'foreign', epoch));
      if (n % 200 > 0) continue;
      own.push(`own ${n}`);
      await nats.append(n % 400 === 0 ? 'a' : 'b', `own ${n}`, { maxEvents: 100_000 });
    }
    const last = await nats.append('a', 'last', { maxEvents: 100_000 });
    socket.destroy();

    await until(() => follower.entries.get(last.seq) !== undefined, 'the last event', 20_000);
    await until(() => own.every((text) => follower.texts.includes(text)), 'all events', 10_000);
    for (const node of [nats, new OpenNats(server.port, { prefix: 'foreign' })]) {
      await using reader = node;
      const { entries, holes } = await reader.read(['a', 'b']);
      expect(textsOf(entries).filter((text) => own.includes(text))).toEqual(own);
      expect(holes).toEqual([]);
      expect([...(await reader.engine.list('')).names].sort()).toEqual(['a', 'b', 'other']);
      expect((await reader.engine.heads(['a', 'b', 'other'])).topics.every((head) => head !== undefined)).toBe(true);
    }
    await follower.settled();
    expect(watch.seen).toEqual([]);
  });

  test('a number that nothing was stored under is not passed on', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'forged' });
    const hints: number[] = [];
    const seqs: number[] = [];
    await nats.engine.start({
      entry: (_, { seq }) => void seqs.push(seq),
      hint: (_, __, seq) => void hints.push(seq),
      interrupted: () => undefined,
      resumed: () => undefined,
    });
    await nats.engine.subscribe(['a']);
    const { epoch } = await nats.append('a');
    const socket = await openRaw(server.port);
    for (const seq of ['9007199254740991', '1000', '9007199254740993', '1e300', '-1', '0', 'x']) {
      const head = Buffer.from(`NATS/1.0\r\n${META}\r\nNats-Sequence: ${seq}\r\nNats-Last-Sequence: 0\r\n\r\n`);
      socket.write(message(`HPUB forged.l.${epoch}.t.${tokenOf('a')} ${head.length} ${head.length}`, head));
    }
    socket.write('PING\r\n');
    await once(socket, 'data');
    const next = await nats.append('a', 'next');
    await until(() => seqs.includes(next.seq), 'the event after them');
    // What is asked about a message is asked before this, one after the other.
    for (let n = 0; n < 5; n++) await nats.engine.health();
    socket.destroy();

    expect(hints).toEqual([]);
    expect(seqs).toEqual([next.seq - 1, next.seq]);
  });

  test('whoever may publish to the live subjects can forge what is delivered, and not what is read', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'lies' });
    const follower = await Follower.start(nats, ['a']);
    const { epoch, seq } = await nats.append('a', 'true');
    await until(() => follower.entries.has(seq), 'the event');
    const forger = await connect({ servers: `127.0.0.1:${server.port}` });
    const meta = headers();
    meta.set(EVENT_HEADER, encodeMeta({ retention: KEEP }));
    meta.set('Nats-Sequence', `${seq}`);
    meta.set('Nats-Last-Sequence', '0');
    forger.publish(`lies.l.${epoch}.t.${tokenOf('a')}`, 'false', { headers: meta });
    await forger.flush();
    await forger.close();

    await until(() => follower.texts.includes('false'), 'what was forged');
    expect(textsOf((await nats.read(['a'])).entries)).toEqual(['true']);
  });
});

describe('permissions', () => {
  test('those that are documented are enough, and without them nobody stores, hears or forges anything', async () => {
    await using restricted = await ServerProcess.start(restrictedNats('sse'));
    const options = { servers: `127.0.0.1:${restricted.port}`, user: 'app', pass: 'secret' };
    const settings = { options, prefix: 'sse', inboxPrefix: '_INBOX_app' };
    await using nats = new OpenNats(restricted.port, settings);
    const follower = await Follower.start(nats, ['a', EVERY_TOPIC]);
    const texts = Array.from({ length: 100 }, (_, n) => `${n}`);
    const [{ epoch } = { epoch: '' }] = await Promise.all(texts.map((text) => nats.append('a', text)));
    await until(() => follower.entries.size === 100, 'all of them');

    const refused: string[] = [];
    const other = await connect({ servers: options.servers, user: 'other', pass: 'other' });
    void (async () => {
      for await (const { type, error } of other.status() as AsyncIterable<{ type: string; error?: Error }>)
        if (type === 'error') refused.push(String(error?.message));
    })();
    const heard: string[] = [];
    for (const subject of ['sse.l.>', 'sse.s.>', '_INBOX_app.>', '$JS.>']) {
      other.subscribe(subject, { callback: (error, { subject: on }) => void (error === null && heard.push(on)) });
    }
    const subjects = [`sse.s.${epoch}.t.YQ`, `sse.l.${epoch}.t.YQ`, 'sse.c', '$JS.API.STREAM.DELETE.sse'];
    for (const subject of subjects) other.publish(subject, 'x');
    await other.flush();
    await until(() => refused.length === 8, 'all of it to be refused');
    const last = await nats.append('a', 'last');
    await until(() => follower.entries.has(last.seq), 'the last event');
    await other.close();

    expect(heard).toEqual([]);
    await using fresh = new OpenNats(restricted.port, settings);
    expect(textsOf((await fresh.read(['a'])).entries)).toEqual([...texts, 'last']);
    expect(textsOf((await fresh.resume(['a'], last)).entries)).toEqual([]);
    expect((await fresh.engine.list('')).names).toEqual(['a']);
    expect(follower.texts).toEqual([...texts, 'last']);
    await eventually(() => fresh.engine.health().then(() => true), 'the engine to be well');
  });
});
