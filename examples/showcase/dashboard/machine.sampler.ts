import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventStreamService, InjectTopic, type TopicFamily } from 'nestjs-event-stream';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { machineTopic, SAMPLE_EVERY_MS, SAMPLES_SHOWN, type MachineSample } from './machine.topic.js';

const RESOLUTION_MS = 10;

/** Looks at this machine twice a second and publishes what it saw. */
@Injectable()
export class MachineSampler implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #logger = new Logger('MachineSampler');
  readonly #ids: string[] = [];
  #cpu = cpuTimes();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectTopic(machineTopic) private readonly machine: TopicFamily<typeof machineTopic>,
    private readonly streams: EventStreamService,
  ) {}

  /** The id of the sample two minutes ago. A stream that starts behind it brings all that came since. */
  get startOfWindow(): string | null {
    return this.#ids[0] ?? null;
  }

  onApplicationBootstrap(): void {
    this.#delay.enable();
    this.#timer = setInterval(() => {
      this.#publish().catch((error: Error) => this.#logger.error(`A sample was not published: ${error.message}`));
    }, SAMPLE_EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  async #publish(): Promise<void> {
    const { id } = await this.machine().publish({ type: 'sample', data: this.#sample() });
    this.#ids.push(id);
    if (this.#ids.length > SAMPLES_SHOWN) this.#ids.shift();
  }

  #sample(): MachineSample {
    const before = this.#cpu;
    const now = (this.#cpu = cpuTimes());
    const sample: MachineSample = {
      at: Date.now(),
      cpuPercent: round((100 * (now.busy - before.busy)) / Math.max(1, now.total - before.total)),
      loadAverage: round(loadavg()[0] ?? 0),
      processors: now.processors,
      memoryUsedBytes: totalmem() - freemem(),
      memoryTotalBytes: totalmem(),
      serverBytes: process.memoryUsage.rss(),
      eventLoopMeanMs: lateness(this.#delay.mean),
      eventLoopMaxMs: lateness(this.#delay.max),
      streams: this.streams.connections.count,
    };
    this.#delay.reset();
    return sample;
  }
}

function cpuTimes(): { busy: number; total: number; processors: number } {
  const processors = cpus();
  let idle = 0;
  let total = 0;
  for (const { times } of processors) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { busy: total - idle, total, processors: processors.length };
}

/** The histogram measures from timer to timer, so an idle loop shows the timer's own period. */
function lateness(nanoseconds: number): number {
  return round(Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
