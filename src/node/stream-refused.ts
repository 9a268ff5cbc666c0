import type { RefusalReason } from '../wire/words.js';

const STATUSES: Readonly<Record<RefusalReason | 'gone', StreamRefused['status']>> = {
  connections: 429,
  connectionsPerPrincipal: 429,
  connectionsPerAddress: 429,
  expired: 401,
  shutdown: 503,
  unavailable: 503,
  gone: 410,
};

const MESSAGES: Readonly<Record<StreamRefused['status'], string>> = {
  401: 'What let the client in has expired',
  410: 'Events are missing that the server has no more',
  429: 'Too many streams are open',
  503: 'Not available at the moment',
};

/** Says why a stream is not opened whose client takes a status for an answer, and no stream that says to come back later. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
  readonly status: 401 | 410 | 429 | 503;
  /** In whole seconds; `undefined` when time changes nothing. */
  readonly retryAfterS: number | undefined;

  constructor(reason: RefusalReason | 'gone', retryMs: number) {
    const status = STATUSES[reason];
    super(MESSAGES[status]);
    this.status = status;
    this.retryAfterS = status === 429 || status === 503 ? Math.max(1, Math.ceil(retryMs / 1_000)) : undefined;
  }
}
