import type { ClosedState, WaitReason } from './state.js';

/** How an attempt has ended: the stream is over (`closes`), or waits for another one (`reason`). */
export interface Outcome {
  readonly closes?: ClosedState['reason'];
  readonly reason?: WaitReason;
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
