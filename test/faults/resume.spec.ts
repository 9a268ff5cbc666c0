import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Controller, Inject, Query } from '@nestjs/common';
import { EventStreamService, SseStream, type SseModuleOptions } from 'nestjs-event-stream';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startApp } from './support/app.js';
import { runLoad, type LoadReport } from './support/load.js';
import { verify } from './support/verify.js';

// FAULTS_SEED repeats a run (as far as the network lets it), FAULTS_DELIVERIES sets its size.
const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
const deliveries = Number(process.env.FAULTS_DELIVERIES ?? 400_000);

const complaints: string[] = [];
const onWarning = (warning: Error): void => void complaints.push(String(warning));
const onRejection = (reason: unknown): void => void complaints.push(`unhandled rejection: ${String(reason)}`);

beforeEach(() => {
  complaints.length = 0;
  process.on('warning', onWarning);
  process.on('unhandledRejection', onRejection);
});

afterEach(() => {
  process.off('warning', onWarning);
  process.off('unhandledRejection', onRejection);
  expect(complaints).toEqual([]);
});

@Controller()
class TopicsController {
  constructor(@Inject(EventStreamService) private readonly streams: EventStreamService) {}

  @SseStream('topics')
  topics(@Query('topic') topic: string | string[]) {
    return this.streams.topics(...[topic].flat());
  }
}

const EVERYTHING: SseModuleOptions = { history: { maxEvents: Infinity, maxBytes: Infinity } };

it.each([
  { adapter: 'express', share: 1 },
  { adapter: 'fastify', share: 0.2 },
] as const)(
  '$adapter: clients that come and go get every event once and in order, when the log keeps everything',
  async ({ adapter, share }) => {
    const heapBefore = heapUsed();
    const { report, heapAfter } = await run(adapter, EVERYTHING, {
      deliveries: deliveries * share,
      deliveriesPerSecond: 16_000,
      ownIds: true,
      longestAwayMs: 20_000,
    });

    const verdict = verify(report, Infinity);

    const { problems, lost, repeatedOrMisordered, resets } = verdict;
    expect({ problems, lost, repeatedOrMisordered, resets }).toEqual({
      problems: [],
      lost: 0,
      repeatedOrMisordered: 0,
      resets: {},
    });
    // On a machine that is busy with something else, clients come later; this many they had to take to prove anything.
    expect(report.deliveries).toBeGreaterThan((deliveries * share) / 4);
    // What the log keeps stays; what a delivery would leave behind would be 20 times as much.
    expect(heapAfter - heapBefore).toBeLessThan(32 * 2 ** 20 + report.log.length * 1_024);
  },
  300_000,
);

it('clients are told of holes exactly where the log had let go of events, when it keeps 50 of each topic', async () => {
  const { report } = await run(
    'express',
    { history: { maxEvents: 50 } },
    { deliveries: deliveries * 0.2, deliveriesPerSecond: 8_000, ownIds: false, longestAwayMs: 6_000 },
  );

  const verdict = verify(report, 50);

  expect(verdict.problems).toEqual([]);
  expect({ lost: verdict.lost, repeatedOrMisordered: verdict.repeatedOrMisordered }).toEqual({
    lost: 0,
    repeatedOrMisordered: 0,
  });
  expect(Object.keys(verdict.resets)).toEqual(['trimmed']);
  expect(verdict.holes).toBeGreaterThan(deliveries / 20_000);
  // A hole shows on every page up to its topic's next event; who was live in between may have lost more.
  expect(verdict.toldAgain).toBeLessThan(verdict.holes / 10);
}, 300_000);

async function run(
  adapter: 'express' | 'fastify',
  options: SseModuleOptions,
  load: { deliveries: number; deliveriesPerSecond: number; ownIds: boolean; longestAwayMs: number },
): Promise<{ report: LoadReport; heapAfter: number }> {
  await using app = await startApp(adapter, { ...options, hub: { path: 'events' }, authorize: 'public' }, [
    TopicsController,
  ]);
  const report = await runLoad({ ...load, server: app.app.getHttpServer(), streams: app.streams, seed });
  // Ends only when every connection has been let go of.
  while (app.streams.connections.count > 0) await delay(5);
  const verdict = verify(report, Infinity);
  process.stdout.write(
    `${adapter}: seed ${seed}, ${report.log.length} events, ${report.deliveries} deliveries in ${report.seconds.toFixed(1)} s, ` +
      `${JSON.stringify(report.figures)}, resets ${JSON.stringify(verdict.resets)} for ${verdict.missing} events in ${verdict.holes} holes\n`,
  );
  return { report, heapAfter: heapUsed() };
}

/** After a full collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
