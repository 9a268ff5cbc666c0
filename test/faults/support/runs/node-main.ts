// The process of a node that has runs: a plain Nest application over a shared engine, or over one of its own in memory.
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ConflictException, Controller, Get, Query } from '@nestjs/common';
import { SseStream, memoryEngine } from 'nestjs-event-stream';
import { type Run, type RunContext, type RunOptions, RunService, SseRunsModule } from 'nestjs-event-stream/runs';
import { type TestApp, adapters, startApp } from '../../../support/app.js';
import { answer, letGo, tell } from '../nodes/answer.js';
import { sharedEngines } from '../nodes/engines.js';
import type { Produced, RunPlan, Started } from './run-node.js';

@Controller()
class WatchController {
  constructor(private readonly runs: RunService) {}

  @Get('watch')
  @SseStream()
  watch(@Query('key') key: string) {
    return this.runs.watch(key) as Promise<Run>;
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let app: TestApp;
let service: RunService;
let told: Produced[] = [];
const produced = new Map<string, Produced>();
const runs = new Map<string, Run>();

const functions = {
  /** Listens, and answers the port. */
  async start(engineName: string, enginePort: number, adapterName: string, leaseMs: number): Promise<number> {
    const engine = await sharedEngines.find(({ name }) => name === engineName)?.open(enginePort);
    const adapter = adapters.find(({ name }) => name === adapterName)!;
    app = await startApp(adapter, {
      controllers: [WatchController],
      imports: [SseRunsModule.forRoot({ leaseMs })],
      options: { engine: engine ?? memoryEngine(), authorize: 'public', retryMs: false, heartbeatMs: 200 },
    });
    service = app.nest.get(RunService, { strict: false });
    return app.port;
  },
  /** Starts runs that count, all at once. */
  startRuns(keys: readonly string[], plan: RunPlan, options: RunOptions = {}): Promise<Started[]> {
    return Promise.all(keys.map((key) => startRun(key, plan, options)));
  },
  /** What the producers of this node know. */
  produced: (): Produced[] => [...produced.values()],
  /** How a run has ended, as this node has it. */
  async result(key: string, id: string): Promise<{ readonly state: string; readonly data: unknown[] }> {
    const run = await runOf(key, id);
    const { state, events } = await run.result({ events: true, signal: AbortSignal.timeout(30_000) });
    return { state, data: events?.map(({ data }) => data) ?? [] };
  },
  /** Has this node know a run, whatever takes its place later. */
  async know(key: string, id: string): Promise<void> {
    await runOf(key, id);
  },
  async stateOf(key: string): Promise<{ readonly id: string; readonly state: string } | undefined> {
    const run = await service.get(key);
    return run && { id: run.id, state: run.state };
  },
  /** How much memory it has, in bytes, without what is garbage. */
  memory(): { readonly held: number; readonly rss: number } {
    collectGarbage();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { held: heapUsed + external, rss };
  },
  async close(): Promise<void> {
    await app[Symbol.asyncDispose]();
    setImmediate(letGo);
  },
};

export type RunNodeFunctions = typeof functions;

answer(functions);

async function startRun(key: string, plan: RunPlan, options: RunOptions): Promise<Started> {
  let isCalled = false;
  const producer = (context: RunContext): AsyncGenerator<unknown> => {
    isCalled = true;
    return count(context, plan);
  };
  try {
    const run = await service.start(key, producer, options);
    runs.set(run.id, run);
    return { key, id: run.id, isCalled, isRefused: false };
  } catch (error) {
    if (error instanceof ConflictException) return { key, id: '', isCalled, isRefused: true };
    throw error;
  }
}

async function* count({ signal, key, runId: id }: RunContext, plan: RunPlan): AsyncGenerator<unknown> {
  const own: Produced = { key, id, stored: 0, isAborted: false, isDone: false };
  produced.set(id, own);
  const { bytes = 0, everyMs } = plan;
  signal.addEventListener('abort', () => note(own, { isAborted: true }));
  for (let n = 0; n < plan.count && !signal.aborted; n++) {
    if (everyMs > 0) await delay(everyMs * Math.random() * 2);
    yield bytes > 0 ? `${n}|${'x'.repeat(bytes)}` : n;
    note(own, { stored: n + 1 });
  }
  note(own, { isDone: true });
}

function note(own: Produced, news: Partial<Produced>): void {
  Object.assign(own, news);
  if (told.push({ ...own }) > 1) return;
  setImmediate(() => {
    tell(told);
    told = [];
  });
}

async function runOf(key: string, id: string): Promise<Run> {
  const run = runs.get(id) ?? (await service.get(key));
  if (run?.id !== id) throw new Error(`${key} has ${run?.id}, not ${id}`);
  runs.set(id, run);
  return run;
}
