import { setTimeout as delay } from 'node:timers/promises';
import { retryMsOf } from '../connection/stream-host.js';
import type { Stream } from '../connection/stream.js';
import { closeSocketBehind } from '../http/raw-response.js';

/** What there is to end. */
export interface Drained {
  readonly open: Iterable<Stream> & { readonly size: number };
  readonly pending: ReadonlySet<Stream>;
  /** Requests that have not come to their handler. */
  readonly deciding: ReadonlySet<{ destroy(): void }>;
}

/** In ms. */
export interface DrainTimes {
  /** Over which the ends are spread. */
  readonly windowMs: number;
  /** After which a stream that has not ended is cut. */
  readonly deadlineMs: number;
}

/**
 * Ends all streams: each is told to come back, its socket is closed so that the client comes back elsewhere, and what
 * has not left after the deadline is cut. Resolves when no connection is open.
 */
export async function drain({ open, pending, deciding }: Drained, { windowMs, deadlineMs }: DrainTimes): Promise<void> {
  const startedAt = performance.now();
  const streams = [...open];
  // Their handlers may be waiting for the signal; what they return is then ended as it opens.
  for (const stream of [...pending]) endOne(stream);
  let ended = 0;
  while (ended < streams.length) {
    const elapsed = performance.now() - startedAt;
    const due = elapsed >= windowMs ? streams.length : Math.ceil((streams.length * elapsed) / windowMs);
    for (; ended < due; ended++) endOpen(streams[ended] as Stream);
    if (ended < streams.length) await delay(Math.min(25, windowMs));
  }
  const deadline = Math.max(startedAt + windowMs, performance.now()) + deadlineMs;
  while (open.size + pending.size + deciding.size > 0 && performance.now() < deadline) await delay(5);
  for (const stream of [...open, ...pending]) stream.drop('socket');
  for (const request of deciding) request.destroy();
}

function endOpen(stream: Stream): void {
  if (stream.state !== 'open') return;
  try {
    closeSocketBehind(stream.output.raw);
  } catch (error) {
    return stream.output.failed(error);
  }
  endOne(stream);
}

function endOne(stream: Stream): void {
  // Spread, so that clients that were ended together do not come back together.
  stream.end('shutdown', { retryMs: Math.round(retryMsOf(stream.settings) * (0.5 + Math.random())) });
}
