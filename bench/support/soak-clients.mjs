// The clients of `soak.mjs`: up to `CLIENTS` streams at a time, each with a way of its own to go.
import { setTimeout as delay } from 'node:timers/promises';
import { openRaw } from './raw-client.mjs';
import { serve } from './rpc.mjs';

const CLIENTS = 300;
const EVERY_MS = 10;
const USERS = 60;

const open = new Set();
const counts = { opened: {}, statuses: {}, over: {} };
const count = (table, key) => (table[key] = (table[key] ?? 0) + 1);
let isRunning = false;
let jobs = 0;

/** What a client may do, and how often among the others. */
const kinds = [
  [4, 'cut', (port) => go(port, `/room/${any(20)}`, {}, { cutAfterMs: any(2_000) })],
  [2, 'several', (port) => go(port, '/several', {}, { cutAfterMs: any(3_000) })],
  [2, 'pulled', (port) => go(port, '/pulled', {}, { cutAfterMs: any(1_000) })],
  [1, 'cut at once', (port) => go(port, `/room/${any(20)}`, {}, { cutAfterMs: 0 })],
  [1, 'expires', (port) => go(port, '/several', { 'x-expires-in': 200 + any(800) }, { cutAfterMs: 5_000 })],
  [1, 'expired', (port) => go(port, '/several', { 'x-expires-in': -1, 'last-event-id': 'x' }, { cutAfterMs: 500 })],
  [1, 'slow', (port) => go(port, '/bulk', {}, { reads: false, cutAfterMs: 15_000 })],
  [2, 'resumes', resumes],
  [2, 'job', (port) => go(port, `/job/${jobs++}`, {}, { cutAfterMs: 5_000, isJob: true })],
  [1, 'ticket', withTicket],
  [1, 'nobody', (port) => go(port, '/several', { 'x-user': undefined }, { cutAfterMs: 500 })],
  [1, 'stays', (port) => go(port, `/room/${any(20)}`, {}, { cutAfterMs: 60_000 })],
];
const lots = kinds.flatMap(([share, ...kind]) => Array.from({ length: share }, () => kind));

serve({
  async start(port) {
    isRunning = true;
    while (isRunning) {
      await delay(EVERY_MS);
      if (open.size >= CLIENTS) continue;
      const [name, act] = lots[any(lots.length)];
      count(counts.opened, name);
      void act(port);
    }
  },
  async stop() {
    isRunning = false;
    for (const { socket } of open) socket.destroy();
    await delay(500);
    return open.size;
  },
  /** The jobs whose streams can be completed now. */
  jobs: () => [...open].filter(({ job }) => job !== undefined).map(({ job }) => job),
  counts: () => counts,
});

function go(port, path, headers, { cutAfterMs, reads = true, isJob = false, isOpened = () => undefined }) {
  const sent = Object.entries({ 'x-user': `user/${any(USERS)}`, ...headers }).filter(
    ([, value]) => value !== undefined,
  );
  const client = openRaw({
    ...{ port, path, reads, headers: Object.fromEntries(sent) },
    onHead: (status) => {
      count(counts.statuses, status);
      isOpened(client);
      // What is answered without a stream leaves its socket open for the next request.
      if (status !== 200) client.socket.destroy();
    },
    onOver(reason) {
      clearTimeout(timer);
      count(counts.over, reason);
      open.delete(client);
      client.socket.destroy();
    },
  });
  if (isJob) client.job = path.split('/')[2];
  open.add(client);
  const timer = setTimeout(() => client.socket.destroy(), cutAfterMs);
  return client;
}

/** Reads for a while, is cut, and comes back with its last id. */
async function resumes(port) {
  const path = `/room/${any(20)}`;
  const before = go(port, path, {}, { cutAfterMs: 500 + any(500) });
  await delay(1_000 + any(3_000));
  const headers = before.lastEventId === undefined ? {} : { 'last-event-id': before.lastEventId };
  if (isRunning) go(port, path, headers, { cutAfterMs: any(1_000) });
}

async function withTicket(port) {
  const headers = { 'x-user': `user/${any(USERS)}` };
  const response = await fetch(`http://127.0.0.1:${port}/ticket`, { method: 'POST', headers });
  const code = await response.text();
  // Some are never used.
  if (any(3) > 0 && isRunning) go(port, `/room/${any(20)}?ticket=${code}`, {}, { cutAfterMs: any(1_000) });
}

function any(below) {
  return Math.floor(Math.random() * below);
}
