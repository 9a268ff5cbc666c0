import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect, headers } from '@nats-io/transport-node';
import type { Excerpt, LogEntry, ReadPage } from '../../src/engine/engine.js';
import { EVENT_HEADER, encodeMeta } from '../../src/nats/codec.js';
import { mulberry32 } from '../../src/testing/contract/random.js';
import { KEEP, OpenNats, textsOf } from '../support/nats.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS, bytesSentBy } from '../support/servers/nats.js';

jest.setTimeout(60_000);

const QUIET = ['q/0', 'q/1', 'q/2', 'q/3'];
const BUSY = Array.from({ length: 12 }, (_, n) => `b/${n}`);
const topics = [...QUIET, ...BUSY];
const EVENTS = 600;
const retention = { ...KEEP, maxEvents: 100_000 };

let server: ServerProcess;
let count = 0;
let prefix = '';
/** All that is in the log, as a node reads it topic by topic that has read nothing else. */
let log: LogEntry[];

const open = (): OpenNats => new OpenNats(server.port, { prefix });

async function publish(epoch: string, names: readonly string[], isEvent = true): Promise<void> {
  const admin = await connect({ servers: `127.0.0.1:${server.port}` });
  const meta = headers();
  meta.set(EVENT_HEADER, encodeMeta({ retention }));
  for (const [n, topic] of names.entries()) {
    const subject = `${prefix}.s.${epoch}.t.${Buffer.from(topic).toString('base64url')}`;
    admin.publish(subject, `${n}`, isEvent ? { headers: meta } : {});
    if (n % 2_000 === 0) await admin.flush();
  }
  await admin.flush();
  await admin.close();
}

const without = (entries: readonly LogEntry[]) => entries.map(({ topic, seq, prev, at }) => ({ topic, seq, prev, at }));

function wanted(names: readonly string[], after: number, { upTo, last, since }: Excerpt): LogEntry[] {
  const all = names.flatMap((name) => {
    const own = log.filter(({ topic }) => topic === name);
    const before = own.filter(({ seq }) => seq <= upTo);
    const newest = before.slice(before.length - Math.min(last, before.length)).filter(({ at }) => at >= since);
    return [...newest, ...own.slice(before.length)];
  });
  return all.filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq);
}

beforeAll(async () => {
  server = await ServerProcess.start(NATS);
  prefix = `excerpts-${++count}`;
  await using nats = open();
  const { epoch } = await nats.append('other', 'first', retention);
  const busy = Array.from({ length: EVENTS }, () => BUSY).flat();
  await publish(epoch, [...QUIET.flatMap((topic) => Array<string>(EVENTS).fill(topic)), ...busy]);
  log = [];
  for (const topic of topics) {
    await using fresh = open();
    log.push(...(await fresh.read([topic])).entries);
  }
  expect(log).toHaveLength(topics.length * EVENTS);
  log.sort((a, b) => a.seq - b.seq);
});
afterAll(() => server[Symbol.asyncDispose]());

describe('an excerpt of 9,600 events', () => {
  test('of the newest costs what it has, and not what is retained', async () => {
    for (const [names, last] of [
      [topics, 1],
      [topics, 3],
      [['q/1'], 50],
      [['b/1'], 50],
    ] as const) {
      await using nats = open();
      await nats.engine.heads([]);
      const { upTo } = await nats.engine.heads([]);
      const before = await bytesSentBy(server);
      const excerpt = { upTo: upTo.seq, last, since: 0 };
      const { entries, holes } = await nats.read([...names], { excerpt });

      expect(without(entries)).toEqual(without(wanted(names, 0, excerpt)));
      expect(holes).toEqual([]);
      // All of one topic are 150 KB, and all of all 2.4 MB.
      expect((await bytesSentBy(server)) - before).toBeLessThan(names.length === 1 ? 75_000 : 400_000);
    }
  });

  test('is whole page by page, and says that nothing is known of what it leaves out', async () => {
    await using nats = open();
    const { upTo: head } = await nats.engine.heads([]);
    const excerpt = { upTo: head.seq, last: 20, since: 0 };
    const entries: LogEntry[] = [];
    let page: ReadPage = await nats.read(topics, { excerpt, maxEntries: 50 });
    for (; ; page = await nats.read(topics, { excerpt, maxEntries: 50, after: page.upTo.seq, verify: page.upTo })) {
      // What was given of a topic is where it begins.
      const begun = new Set(entries.map(({ topic }) => topic));
      entries.push(...page.entries);
      expect(
        page.holes.filter(({ reason, topics }) => reason !== 'unknown' || topics.some((t) => begun.has(t))),
      ).toEqual([]);
      if (page.upTo.seq >= head.seq) break;
    }
    expect(without(entries)).toEqual(without(wanted(topics, 0, excerpt)));
  });

  test('has the newest events also where another program has published to their subjects', async () => {
    await using nats = open();
    const { epoch } = await nats.append('garbage', '1', retention);
    await publish(epoch, Array<string>(40).fill('garbage'), false);
    await nats.append('garbage', '2', retention);
    await publish(epoch, Array<string>(40).fill('garbage'), false);
    for (const last of [1, 2, 3, 10]) {
      await using fresh = open();
      const excerpt = { upTo: Number.MAX_SAFE_INTEGER, last, since: 0 };
      expect(textsOf((await fresh.read(['garbage'], { excerpt })).entries)).toEqual(last === 1 ? ['2'] : ['1', '2']);
    }
  });

  test('of the newest is not taken for another of what was before', async () => {
    await using nats = open();
    const upTo = (log[2_000] as LogEntry).seq;
    await nats.read(['q/3', 'b/3'], { excerpt: { upTo: Number.MAX_SAFE_INTEGER, last: 1, since: 0 } });
    for (const last of [0, 1]) {
      const excerpt = { upTo, last, since: 0 };
      const { entries } = await nats.read(['q/3', 'b/3'], { excerpt });
      expect(without(entries)).toEqual(without(wanted(['q/3', 'b/3'], 0, excerpt)));
    }
  });

  test('leaves nobody in the belief that it was all, or that something is lost', async () => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const random = mulberry32(seed);
    const below = (bound: number): number => Math.floor(random() * bound);
    const any = (): LogEntry => log[below(log.length)] as LogEntry;
    await using first = open();
    const { epoch } = (await first.engine.heads([])).upTo;

    for (let n = 0; n < 4; n++) {
      await using nats = open();
      for (let step = 0; step < 12; step++) {
        if (random() < 0.3) {
          const topic = topics[below(topics.length)] as string;
          const { seq, at } = await nats.append(topic, 'more', retention);
          const prev = log.findLast((entry) => entry.topic === topic)?.seq ?? 0;
          log.push({ topic, seq, prev, at, data: new Uint8Array() });
        }
        const names = topics.filter(() => random() < 0.2);
        const place = random() < 0.5 ? any() : undefined;
        const verify = place && { epoch, seq: place.seq, at: place.at };
        const last = random() < 0.8 ? below(random() < 0.5 ? 4 : 60) : Infinity;
        const upTo = random() < 0.5 ? any().seq : Number.MAX_SAFE_INTEGER;
        const excerpt = random() < 0.6 ? { upTo, last, since: random() < 0.3 ? any().at : 0 } : undefined;
        const story = `seed ${seed}, node ${n}, step ${step}: ${JSON.stringify({ names, verify, excerpt })}`;

        const page = await nats.read(names, { after: verify?.seq, verify, excerpt });
        const all = { upTo: 0, last: 0, since: 0 };
        const found = without(page.entries);
        const after = verify?.seq ?? 0;
        assert.deepEqual(found, without(wanted(names, after, excerpt ?? all)), story);
        // Of what an excerpt leaves out it need not know whether it is there, but only of that.
        const leftOut = names.filter(
          (t) => excerpt && wanted([t], after, all).length > wanted([t], after, excerpt).length,
        );
        const told = page.holes.flatMap(({ reason, topics }) => topics.map((topic) => `${reason} ${topic}`));
        assert.deepEqual(
          told.filter((hole) => !leftOut.some((t) => hole === `unknown ${t}`)),
          [],
          story,
        );
      }
    }
  });
});
