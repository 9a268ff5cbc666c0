// The publisher inside every server in Node: the same for all of them, so that what differs is the server.
//
// It obeys lines from standard input with lines of JSON, as the C programs do (bench/load/common.h has the form of an
// event, bench/load/pace.h the commands). Each server hands over how it publishes: `publish(topic, text, n)`, which may
// return a promise. What making the text costs is paid once for each event, not for each connection.
//
// - `paced` publishes what is due whenever a timer fires, every `tickMs` at most (Node's timers: 1); it awaits nothing.
// - `burst` publishes all of it in one turn of the event loop.
// - `saturate` publishes `perTurn` events in a turn, awaiting what `publish` returns, and then lets a turn pass. While
//   more than `MAX_WAITING_BYTES` wait in this process for any client, it does not go on: so memory is stable, and
//   nobody is measured by how long a queue it makes.
import { createInterface } from 'node:readline';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';

/** The number of the topic that all read, where each reads one of its own as well. */
export const SHARED = 999_999;
const MARKER_BYTES = 38;
const MAX_WAITING_BYTES = 32_768;
/** Looking at thousands of sockets in every turn would be measured too. */
const CHECK_EVERY_MS = 2;

/**
 * Tells the port and obeys from then on.
 *
 * @param {{ server?: import('node:net').Server, publish: (topic: number, text: string, n: number) => unknown }} options
 */
export function drive({ server, publish }) {
  const sockets = new Set();
  server?.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const counts = new Map();
  let lastId;
  let failures = 0;

  function publishTo(topic, bytes) {
    const n = (counts.get(topic) ?? 0) + 1;
    counts.set(topic, n);
    return publish(topic, textOf(topic, n, bytes), n);
  }
  const note = (result) => {
    if (typeof result?.id === 'string') lastId = result.id;
  };
  let newest;
  const publishAndForget = (topic, bytes) => {
    newest = Promise.resolve(publishTo(topic, bytes)).then(note, () => failures++);
  };

  const commands = {
    async paced({ rate, seconds, bytes = 100, topics = 1, tickMs = 1 }) {
      const startedAt = performance.now();
      let published = 0;
      for (;;) {
        const now = performance.now();
        const due = Math.min(Math.floor(((now - startedAt) / 1_000) * rate) + 1, rate * seconds);
        for (; published < due; published++) publishAndForget(topics > 1 ? anyBelow(topics) : 0, bytes);
        if (published >= rate * seconds) return { published };
        await delay(Math.max(tickMs, startedAt + (published * 1_000) / rate - performance.now()));
      }
    },
    async burst({ size, everyMs, seconds, bytes = 100 }) {
      const startedAt = performance.now();
      for (let published = 0; ;) {
        for (let i = 0; i < size; i++) publishAndForget(0, bytes);
        published += size;
        const nextAt = startedAt + (published / size) * everyMs;
        if (nextAt >= startedAt + seconds * 1_000) return { published };
        await delay(Math.max(1, nextAt - performance.now()));
      }
    },
    async saturate({ perTurn = 1, seconds, bytes = 100, topics = 1 }) {
      const endsAt = performance.now() + seconds * 1_000;
      let published = 0;
      let checkedAt = 0;
      for (let now = 0; now < endsAt; now = performance.now()) {
        for (let i = 0; i < perTurn; i++, published++) {
          const result = publishTo(topics > 1 ? anyBelow(topics) : 0, bytes);
          if (typeof result?.then === 'function') note(await result);
        }
        await turn();
        if (now - checkedAt < CHECK_EVERY_MS) continue;
        checkedAt = now;
        while (isAnyWaiting(sockets)) await delay(1);
      }
      return { published };
    },
    /** Publishes `each` events to each of so many topics, in order. */
    async fill({ topics = 1, each = 1, bytes = 100, first = 0 }) {
      for (let i = 0; i < topics * each; i++) {
        note(await publishTo(first + (i % topics), bytes));
        if (i % 100 === 99) await turn();
      }
      return { published: topics * each };
    },
    /** As `paced` to any of `topics`, and `sharedRate` a second to the topic that all read. */
    async pair({ rate, sharedRate, seconds, topics, tickMs, bytes = 100 }) {
      const startedAt = performance.now();
      const due = (perSecond) => {
        const passed = Math.min((performance.now() - startedAt) / 1_000, seconds);
        return Math.min(Math.floor(passed * perSecond) + 1, perSecond * seconds);
      };
      let [published, shared] = [0, 0];
      for (;;) {
        for (const until = due(sharedRate); shared < until; shared++) publishAndForget(SHARED, bytes);
        for (const until = due(rate); published < until; published++) publishAndForget(anyBelow(topics), bytes);
        if (published + shared >= (rate + sharedRate) * seconds) return { published: published + shared, shared };
        await delay(tickMs);
      }
    },
    /** So many events to any of `topics`, each awaited, as fast as it goes; their text is made once. */
    async hot({ count, topics = 1, bytes = 100, perTurn = 100 }) {
      const text = textOf(0, 0, bytes);
      const startedAt = performance.now();
      for (let n = 1; n <= count; n++) {
        const result = publish(topics > 1 ? anyBelow(topics) : 0, text, n);
        if (typeof result?.then === 'function') await result;
        if (n % perTurn === 0) await turn();
      }
      return { published: count, tookMs: performance.now() - startedAt };
    },
    memory: ({ settle = 1 }) => memory(settle),
  };

  createInterface({ input: process.stdin })
    .on('line', async (line) => {
      const [word, ...pairs] = line.split(' ');
      const given = Object.fromEntries(
        pairs.map((pair) => pair.split('=')).map(([key, value]) => [key, Number(value)]),
      );
      const answer = await commands[word](given);
      await newest;
      console.log(JSON.stringify({ ...answer, lastId, failures }));
    })
    .on('close', () => process.exit());
  console.log(JSON.stringify({ port: server?.address().port ?? 0 }));
}

function textOf(topic, n, bytes) {
  const at = String(process.hrtime.bigint()).padStart(18, '0');
  const marker = `@${String(topic).padStart(6, '0')}:${String(n).padStart(10, '0')}:${at}:`;
  return marker + 'x'.repeat(Math.max(0, bytes - MARKER_BYTES));
}

function isAnyWaiting(sockets) {
  for (const { writableLength } of sockets) if (writableLength > MAX_WAITING_BYTES) return true;
  return false;
}

/** Memory after the garbage collector, asked until it stays the same; with `settle=0` after one round. */
async function memory(settle) {
  let before = Infinity;
  for (let round = 0; round < 20; round++) {
    globalThis.gc();
    globalThis.gc();
    await delay(settle === 0 ? 0 : 150);
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    if (settle === 0 || Math.abs(rss - before) < rss / 500) return { rss, heapUsed, external, arrayBuffers };
    before = rss;
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, external, arrayBuffers };
}

/** The same numbers in every run. */
let state = 2_463_534_242;
function anyBelow(count) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % count;
}
