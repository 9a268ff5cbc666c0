import type { ClosedState, StreamError, WaitReason } from './state.js';

/** The stream is over. */
export interface End {
  readonly closes: ClosedState['reason'];
  readonly status?: number;
  readonly error?: StreamError;
}

export interface AnotherAttempt {
  readonly closes?: undefined;
  readonly reason: WaitReason;
  readonly status?: number;
  readonly error?: unknown;
  /** At once, and without counting it as a failure. */
  readonly isAgain?: boolean;
  /** The server has said that it would end. */
  readonly isPlanned?: boolean;
  /** To wait so many ms at least. */
  readonly leastMs?: number;
  /** To wait exactly so many ms. */
  readonly exactMs?: number;
}

/** How an attempt has ended. */
export type Outcome = End | AnotherAttempt;
