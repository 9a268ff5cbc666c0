import { setTimeout as delay } from 'node:timers/promises';
import { retryMsOf } from '../connection/connection-host.js';
import type { Connection } from '../connection/connection.js';
import { closeSocketBehind } from '../http/raw-response.js';

/** What there is to end. */
export interface Drained {
  readonly open: ReadonlySet<Connection>;
  readonly pending: ReadonlySet<Connection>;
  /** Requests that have not come to their handler. */
  readonly deciding: ReadonlySet<{ destroy(): void }>;
}

/**
 * Ends all streams: each is told to come back, its socket is closed so that the client comes back elsewhere, and what
 * has not left after the deadline is cut. Resolves when no connection is open.
 */
export async function drain(
  { open, pending, deciding }: Drained,
  { windowMs, deadlineMs }: { readonly windowMs: number; readonly deadlineMs: number },
): Promise<void> {
  const startedAt = performance.now();
  const connections = [...open];
  // Their handlers may be waiting for the signal; what they return is then ended as it opens.
  for (const connection of [...pending]) endOne(connection);
  let ended = 0;
  while (ended < connections.length) {
    const elapsed = performance.now() - startedAt;
    const due = elapsed >= windowMs ? connections.length : Math.ceil((connections.length * elapsed) / windowMs);
    for (; ended < due; ended++) endOpen(connections[ended] as Connection);
    if (ended < connections.length) await delay(Math.min(25, windowMs));
  }
  const deadline = Math.max(startedAt + windowMs, performance.now()) + deadlineMs;
  while (open.size + pending.size + deciding.size > 0 && performance.now() < deadline) await delay(5);
  for (const connection of [...open, ...pending]) connection.cut();
  for (const request of deciding) request.destroy();
}

function endOpen(connection: Connection): void {
  if (connection.state !== 'open') return;
  try {
    closeSocketBehind(connection.writer.raw);
  } catch (error) {
    return connection.writer.failed(error);
  }
  endOne(connection);
}

function endOne(connection: Connection): void {
  // Spread, so that clients that were ended together do not come back together.
  connection.end('shutdown', true, Math.round(retryMsOf(connection.settings) * (0.5 + Math.random())));
}
