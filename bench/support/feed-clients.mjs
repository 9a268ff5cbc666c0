// The clients of `slow-clients.mjs` and `drain.mjs`.
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from './report.mjs';
import { openRaw } from './raw-client.mjs';
import { serve } from './rpc.mjs';

/** Sockets that are being connected at the same time, unless all are to come at once. */
const BATCH = 200;

let clients = [];
let latencies = [];
let isMeasuring = false;

serve({
  /** Opens streams, and answers when the head of each is there; of those that do not read, when they are connected. */
  async open(port, count, { reads = true, atOnce = false, resumes = false } = {}) {
    const opened = [];
    const startedAt = performance.now();
    for (let i = 0; i < count; i++) {
      const headers = resumes ? { 'last-event-id': resumes[i] } : {};
      opened.push(open(port, reads, headers));
      if (!atOnce && opened.length % BATCH === 0) await Promise.all(opened.slice(-BATCH));
    }
    const tookMs = await Promise.all(opened).then((times) => times.map((at) => at - startedAt).sort((a, b) => a - b));
    return { medianMs: quantile(tookMs, 0.5), lastMs: tookMs.at(-1) };
  },
  startMeasuring() {
    latencies = [];
    isMeasuring = true;
  },
  async stopMeasuring() {
    isMeasuring = false;
    const sorted = Float64Array.from(latencies).sort();
    return { count: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) };
  },
  async whenAllOver(timeoutMs) {
    const until = performance.now() + timeoutMs;
    while (clients.some(({ over }) => over === undefined) && performance.now() < until) await delay(20);
    return clients.filter(({ over }) => over !== undefined).length;
  },
  /** What each client has seen, since it was opened. */
  seen: () =>
    clients.map(({ first, last, gaps, retries, ends, resets, over, overAt, raw }) => ({
      ...{ first, last, gaps, retries, ends, resets, over, overAt },
      status: raw.status,
      lastEventId: raw.lastEventId,
    })),
  async close() {
    for (const { raw } of clients) raw.socket.destroy();
    clients = [];
    await delay(200);
  },
});

function open(port, reads, headers) {
  const client = { first: undefined, last: undefined, gaps: 0, retries: [], ends: [], resets: [] };
  clients.push(client);
  return new Promise((resolve, reject) => {
    client.raw = openRaw({
      ...{ port, path: '/feed', reads, headers },
      onHead: () => resolve(performance.now()),
      onFrame: (fields) => see(client, fields),
      onOver(reason) {
        client.over = reason;
        client.overAt = performance.timeOrigin + performance.now();
        reject(new Error(`a stream was over before it began: ${reason}`));
      },
    });
    if (!reads) client.raw.socket.once('connect', () => resolve(performance.now()));
  });
}

function see(client, { event, data, retry }) {
  if (retry !== undefined) client.retries.push(Number(retry));
  if (event === 'stream.end') return void client.ends.push(JSON.parse(data));
  if (event === 'stream.reset') return void client.resets.push(JSON.parse(data).reason);
  if (data === undefined) return;
  // Parsing all of it would cost more than receiving it.
  const [, n, at] = /^\{"n":(\d+),"at":([\d.]+)/.exec(data);
  if (isMeasuring) latencies.push(performance.timeOrigin + performance.now() - Number(at));
  if (client.last !== undefined && Number(n) !== client.last + 1) client.gaps++;
  client.first ??= Number(n);
  client.last = Number(n);
}
