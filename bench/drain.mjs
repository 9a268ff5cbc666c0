// Does `app.close()` return in time with 5,000 open streams, and does nobody lose anything by it?
//
// Method. One Nest application with one topic, on 127.0.0.1; server and clients are processes of their own. 5,000 clients
// stream the topic, and 256-byte events are published at 20 a second, before and while the application closes with
// `drain: { windowMs: 2000, deadlineMs: 5000 }`. Measured: the time until `close()` returns, when each stream ended, and
// what each client was told. Every client must have got every event that was published before `close()` was called, and
// what it got must have no gap: then its last id is a place to resume from. (The memory engine is closed with its
// application, so the resuming itself is tested elsewhere: test/faults/resume.spec.ts.)
//
// Then another application listens on the same port, and all 5,000 come back in the same instant with their last ids.
// Its log is a new one, so each must be told `stream.reset` with the reason `epoch`, and get the next event.
//
// Each of the two processes needs about 5,100 open files: `ulimit -n 8192`. Options: --fastify, --clients 5000.
import { setTimeout as delay } from 'node:timers/promises';
import { ms, option, quantile, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const DRAIN = { windowMs: 2_000, deadlineMs: 5_000 };
const RATE = 20;
const EVENT_BYTES = 256;

const adapter = option('fastify', false) ? 'fastify' : 'express';
const count = option('clients', 5_000);
const where = surroundings();
checkOpenFiles(count + 100);

const server = start(
  new URL('./support/feed-server.mjs', import.meta.url),
  adapter,
  JSON.stringify({ drain: DRAIN, retryMs: 3_000 }),
);
const clients = start(new URL('./support/feed-clients.mjs', import.meta.url));
try {
  report(await closeUnderLoad(), await comeBack());
} finally {
  server.stop();
  clients.stop();
}

async function closeUnderLoad() {
  const opened = await clients.call('open', await server.call('listen'), count);
  await untilOpen();
  await server.call('startPublishing', RATE, EVENT_BYTES);
  await delay(3_000);
  const closed = await server.call('close');
  await clients.call('whenAllOver', 10_000);
  const seen = await clients.call('seen');
  const endsMs = seen.map(({ overAt }) => overAt - closed.startedAt).sort((a, b) => a - b);
  const lastIds = seen.map(({ lastEventId }) => lastEventId);
  return {
    ...{ opened, closeMs: closed.tookMs, publishedBefore: closed.publishedBefore, lastIds },
    endsMs: { first: endsMs[0], p50: quantile(endsMs, 0.5), last: endsMs.at(-1) },
    perTenthOfWindow: histogram(endsMs, DRAIN.windowMs / 10),
    toldToComeBack: seen.filter(({ ends }) => ends.length === 1 && isComeBack(ends[0])).length,
    // The first is that of the start.
    toldWhen: seen.filter(({ retries }) => retries.length === 2).length,
    retryMs: spreadOf(seen.map(({ retries }) => retries[1])),
    // Streams were opened before the first event, so the first is due to all.
    missedSomething: seen.filter(
      ({ first, last, gaps }) => first !== 1 || gaps > 0 || !(last >= closed.publishedBefore),
    ).length,
    stillOpen: seen.filter(({ over }) => over === undefined).length,
  };
}

async function comeBack() {
  const ids = (await clients.call('seen')).map(({ lastEventId }) => lastEventId);
  await clients.call('close');
  const port = await server.call('listen');
  const opened = await clients.call('open', port, count, { atOnce: true, resumes: ids });
  await untilOpen();
  await server.call('publish', 1, EVENT_BYTES);
  await delay(1_000);
  const seen = await clients.call('seen');
  return {
    opened,
    toldEpoch: seen.filter(({ resets }) => resets.length === 1 && resets[0] === 'epoch').length,
    gotNextEvent: seen.filter(({ last }) => last === 1).length,
  };
}

function checkOpenFiles(needed) {
  const limit = process.report.getReport().userLimits?.open_files.soft ?? 'unlimited';
  if (limit === 'unlimited' || Number(limit) >= needed) return;
  console.error(`${count} streams need ${needed} open files in each process, and ${limit} are allowed: ulimit -n 8192`);
  process.exit(1);
}

async function untilOpen() {
  while ((await server.call('count')) < count) await delay(20);
}

function isComeBack({ reason, reconnect }) {
  return reason === 'shutdown' && reconnect === true;
}

function histogram(sorted, width) {
  const counts = Array.from({ length: Math.floor((sorted.at(-1) ?? 0) / width) + 1 }, () => 0);
  for (const value of sorted) counts[Math.floor(value / width)]++;
  return counts;
}

function spreadOf(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return { min: sorted[0], p50: quantile(sorted, 0.5), max: sorted.at(-1) };
}

function report({ lastIds, ...closing }, returning) {
  const ofAll = (value) => `${value} of ${count}`;
  const distinctIds = new Set(lastIds).size;
  writeReport({
    name: adapter === 'fastify' ? 'drain-fastify' : 'drain',
    title: `Drain, ${adapter}`,
    where,
    parts: [
      `${count} streams, ${RATE} events a second, \`drain: ${JSON.stringify(DRAIN)}\`, \`retryMs: 3000\`.`,
      `**\`app.close()\` returned after ${ms(closing.closeMs)}: ${(closing.closeMs / DRAIN.windowMs).toFixed(2)} × the window, ` +
        `${(closing.closeMs / (DRAIN.windowMs + DRAIN.deadlineMs)).toFixed(2)} × window and deadline. ` +
        `${closing.missedSomething} of ${count} clients missed an event.**`,
      [
        ['closing', ''],
        ['first, median, last stream ended after', Object.values(closing.endsMs).map(ms).join(', ')],
        ['ends in each tenth of the window', closing.perTenthOfWindow.join(', ')],
        ['got `stream.end` with `shutdown`, `reconnect: true`', ofAll(closing.toldToComeBack)],
        ['got a `retry:` before it', ofAll(closing.toldWhen)],
        ['that `retry:`, least, median, most', Object.values(closing.retryMs).join(', ')],
        ['got all that was published before `close()`, without a gap', ofAll(count - closing.missedSomething)],
        ['not ended', closing.stillOpen],
        ['different last ids', distinctIds],
      ],
      [
        ['all coming back at once', ''],
        ['half, all had their head after', `${ms(returning.opened.medianMs)}, ${ms(returning.opened.lastMs)}`],
        ['streams opened a second', Math.round((count * 1_000) / returning.opened.lastMs)],
        ['told `stream.reset` with `epoch`', ofAll(returning.toldEpoch)],
        ['got the next event', ofAll(returning.gotNextEvent)],
      ],
    ],
    data: { adapter, count, closing, returning },
  });
}
