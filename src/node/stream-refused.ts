import type { EndReason, RefusalReason } from '../wire/words.js';

/** Why there is no stream, or no document. */
export type RefusedReason = RefusalReason | Exclude<EndReason, 'complete' | 'stopped'> | 'gone';

const STATUSES: Readonly<Record<RefusedReason, StreamRefused['status']>> = {
  connections: 429,
  connectionsPerPrincipal: 429,
  connectionsPerAddress: 429,
  expired: 401,
  shutdown: 503,
  unavailable: 503,
  gone: 410,
  revoked: 403,
  lifetime: 503,
  closed: 503,
  'slow-consumer': 503,
};

const MESSAGES: Readonly<Record<StreamRefused['status'], string>> = {
  401: 'What let the client in has expired',
  403: 'The client may not read this any more',
  410: 'Events are missing that the server has no more',
  429: 'Too many streams are open',
  503: 'Not available at the moment',
};

/**
 * Says why a stream is not opened whose client takes a status for an answer, and no stream that says to come back later; or why a document
 * will not be complete.
 */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
  readonly status: 401 | 403 | 410 | 429 | 503;
  /** In whole seconds; `undefined` when time changes nothing. */
  readonly retryAfterS: number | undefined;

  constructor(reason: RefusedReason, retryMs: number) {
    const status = STATUSES[reason];
    super(MESSAGES[status]);
    this.status = status;
    this.retryAfterS = status === 429 || status === 503 ? Math.max(1, Math.ceil(retryMs / 1_000)) : undefined;
  }
}
