// A load client for what the one in C does not speak: TLS and HTTP/2. It is slower, so it is given less to do.
//
//   open port=… protocol=0|1|2 count=…   0: HTTP/1.1, 1: HTTP/1.1 over TLS, 2: HTTP/2 over TLS, 10 streams to a connection
//   start · settle expected=… timeoutMs=…   as in main.c
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const MARKER_BYTES = 38;
const STREAMS_PER_SESSION = 10;
const PATH = '/events/0';

const counts = { received: 0, gaps: 0, repeated: 0, misordered: 0, closed: 0 };
let latenciesUs = [];

const commands = {
  async open({ port, protocol, count }) {
    const startedAt = performance.now();
    for (let i = 0; i < count; i += STREAMS_PER_SESSION) {
      await Promise.all(openSome(protocol, port, Math.min(STREAMS_PER_SESSION, count - i)));
    }
    return { opened: count, failed: 0, tookMs: performance.now() - startedAt };
  },
  start() {
    for (const key of Object.keys(counts)) counts[key] = 0;
    latenciesUs = [];
    return {};
  },
  async settle({ expected, timeoutMs }) {
    for (const endsAt = performance.now() + timeoutMs; counts.received < expected && performance.now() < endsAt;) {
      await delay(5);
    }
    latenciesUs.sort((a, b) => a - b);
    const quantile = (share) => latenciesUs[Math.floor(latenciesUs.length * share)] ?? 0;
    const lost = Math.max(0, expected - counts.received + counts.repeated + counts.misordered);
    return { ...counts, lost, p50Us: quantile(0.5), p99Us: quantile(0.99) };
  },
};

/** Answers promises of streams that have their heads. */
function openSome(protocol, port, count) {
  const where = { host: '127.0.0.1', port, path: PATH, agent: false, rejectUnauthorized: false };
  const each = Array.from({ length: count });
  if (protocol < 2) {
    const { get } = protocol === 0 ? http : https;
    return each.map(
      () => new Promise((resolve, reject) => get(where, (body) => resolve(follow(body))).on('error', reject)),
    );
  }
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  return each.map(() => {
    const stream = follow(session.request({ ':path': PATH }));
    return new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject));
  });
}

/** Counts the events of a body. */
function follow(body) {
  let rest = '';
  let next = 1;
  body.on('data', (bytes) => {
    const at = process.hrtime.bigint();
    rest += bytes.latin1Slice();
    let start = rest.indexOf('@');
    for (; start >= 0 && rest.length >= start + MARKER_BYTES; start = rest.indexOf('@', start + MARKER_BYTES)) {
      next = count(Number(rest.slice(start + 8, start + 18)), next);
      latenciesUs.push(Number(at - BigInt(rest.slice(start + 19, start + 37))) / 1e3);
    }
    rest = start < 0 ? '' : rest.slice(start);
  });
  body.on('close', () => counts.closed++);
  return body;
}

function count(n, next) {
  counts.received++;
  if (n > next) counts.gaps += n - next;
  else if (n === next - 1) counts.repeated++;
  else if (n < next) counts.misordered++;
  return n + 1;
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const [word, ...pairs] = line.split(' ');
    const given = Object.fromEntries(pairs.map((pair) => pair.split('=')).map(([key, value]) => [key, Number(value)]));
    console.log(JSON.stringify(await commands[word](given)));
  })
  .on('close', () => process.exit());
console.log('{"ready":true}');
