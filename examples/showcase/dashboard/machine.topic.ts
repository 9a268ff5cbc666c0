import { defineTopic, type } from 'nestjs-event-stream';

export const SAMPLE_EVERY_MS = 500;
/** How far back the plots reach: two minutes. */
export const SAMPLES_SHOWN = 240;

export interface MachineSample {
  /** When it was taken, in ms since 1970. */
  at: number;
  /** How busy the processors were since the previous sample, 0 to 100. */
  cpuPercent: number;
  /** Over the last minute: how many processes ran or waited to run. */
  loadAverage: number;
  processors: number;
  memoryUsedBytes: number;
  memoryTotalBytes: number;
  /** The resident memory of this server process. */
  serverBytes: number;
  eventLoopMeanMs: number;
  eventLoopMaxMs: number;
  /** Streams that are open at this server. */
  streams: number;
}

export const machineTopic = defineTopic('machine', {
  events: { sample: type<MachineSample>() },
  // Twice what is shown, so that a page that was away for two minutes still gets all it missed.
  history: { maxEvents: 2 * SAMPLES_SHOWN },
});
