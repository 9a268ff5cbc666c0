import { Body, Controller, Get, Param, Post, Query, RequestMethod } from '@nestjs/common';
import { type SseModuleOptions, SseStream } from 'nestjs-event-stream';
import {
  type RunOptions,
  type RunProducer,
  RunService,
  SseRunsModule,
  type SseRunsModuleOptions,
} from 'nestjs-event-stream/runs';
import { type TestApp, adapters, startApp } from '../../support/app.js';
import type { EngineKind, OpenLog } from '../../support/engines.js';
import { until } from '../../support/until.js';

/** What the runs of a test produce, by key. */
export const producers = new Map<string, RunProducer>();
/** How each is started. */
export const options = new Map<string, RunOptions>();

@Controller('runs')
class RunsController {
  constructor(private readonly runs: RunService) {}

  @SseStream('ask', { method: RequestMethod.POST })
  ask(@Body('key') key: string) {
    return this.runs.start(key, producers.get(key)!, options.get(key));
  }

  @Get('watch')
  @SseStream({ none: 204 })
  watch(@Query('key') key: string) {
    return this.runs.watch(key);
  }

  @Post('stop/:id')
  async stop(@Param('id') ifRunId: string, @Body('key') key: string) {
    return { stopped: await this.runs.stop(key, { ifRunId, reason: 'user' }) };
  }
}

/** Nodes on one log, to be held with `await using`. */
export class RunCluster implements AsyncDisposable {
  readonly nodes: TestApp[] = [];
  readonly errors: unknown[] = [];
  readonly #log: OpenLog;
  readonly #options: SseRunsModuleOptions;

  private constructor(log: OpenLog, given: SseRunsModuleOptions) {
    this.#log = log;
    this.#options = given;
  }

  static async start(kind: EngineKind, count: number, given: SseRunsModuleOptions = {}): Promise<RunCluster> {
    const cluster = new RunCluster(await kind.open(), given);
    for (let n = 0; n < count; n++) await cluster.add();
    return cluster;
  }

  async add(more: SseModuleOptions = {}): Promise<TestApp> {
    const adapter = adapters[this.nodes.length % adapters.length]!;
    const node = await startApp(adapter, {
      controllers: [RunsController],
      imports: [SseRunsModule.forRoot(this.#options)],
      options: { engine: this.#log.engine(), onError: (error) => this.errors.push(error), ...more },
    });
    this.nodes.push(node);
    return node;
  }

  /** The runs of a node. */
  runs(node = 0): RunService {
    return this.nodes[node]!.nest.get(RunService, { strict: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    await this.#log[Symbol.asyncDispose]();
  }
}

/** A producer that gives what it is told to, when it is told to. */
export class Tap {
  /** How often it was called. */
  calls = 0;
  /** How often it has come to its `finally`. */
  finals = 0;
  signal: AbortSignal | undefined;
  readonly #values: (() => unknown)[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;

  readonly producer: RunProducer = ({ signal }) => {
    this.calls++;
    this.signal = signal;
    return this.#produce(signal);
  };

  give(...values: unknown[]): void {
    for (const value of values) this.#values.push(() => value);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#values.push(() => {
      throw error;
    });
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async called(): Promise<void> {
    await until(() => this.calls > 0, 'the producer to be called');
  }

  async *#produce(signal: AbortSignal): AsyncGenerator<unknown> {
    signal.addEventListener('abort', () => this.#wake?.());
    try {
      for (;;) {
        while (this.#values.length > 0) yield this.#values.shift()!();
        if (this.#isOver) return;
        signal.throwIfAborted();
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.finals++;
    }
  }
}
