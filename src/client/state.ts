import type { EndReason } from '../wire/words.js';

/**
 * Why a stream waits before it is opened again. `network`: nobody could be reached; `timeout`: no answer came in time; `silent`: nothing
 * came any more; `cut`: the connection broke; `ended`: it ended without a word; `status`: the answer was one for now, such as `503`;
 * `unauthorized`: `401`; `error`: the stream, `headers`, `url` or `snapshot` failed; `reset`: a snapshot is about to be taken; `page`: the page is frozen or
 * left; the others are the server's own words.
 */
export type WaitReason =
  | 'network'
  | 'timeout'
  | 'silent'
  | 'cut'
  | 'ended'
  | 'status'
  | 'unauthorized'
  | 'error'
  | 'reset'
  | 'page'
  | Exclude<EndReason, CloseReason>;

/**
 * Why a stream is over. `aborted`: by `close()` or the signal; `complete`, `closed`, `revoked`: the server's own words; `refused`: by the answer; `lost`:
 * cut where it cannot go on, or too many failures; `failed`: by an error.
 */
export type CloseReason = 'aborted' | 'complete' | 'closed' | 'revoked' | 'refused' | 'lost' | 'failed';

/** What went wrong: the reason why the stream is over; of `refused`, what was wrong with the answer; `too-large`: an event was longer than `maxBufferSize`. */
export type StreamErrorCode =
  | Exclude<CloseReason, 'aborted' | 'complete' | 'refused'>
  | 'status'
  | 'content-type'
  | 'no-body'
  | 'too-large'
  | (string & {});

/** Why a stream is over that should not be. */
export class StreamError extends Error {
  override readonly name = 'StreamError';

  constructor(
    readonly code: StreamErrorCode,
    message: string,
    /** The answer, where one was refused: its body has not been read. */
    readonly response?: Response,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

interface Down {
  /** Since when there has been no stream where there should be one, in ms since 1970: from the first failure until it is open. */
  readonly downSince?: number;
}

/** It is over, and stays so. */
export type ClosedState = Down & {
  readonly phase: 'closed';
  readonly reason: CloseReason | (string & {});
  readonly status?: number | undefined;
  readonly error?: StreamError | undefined;
};

/** How a stream is. Frozen, and a new one with each change. */
export type StreamState =
  | (Down & { readonly phase: 'idle' })
  /** `attempt` is 1, and one more for each failure since it was healthy. */
  | (Down & { readonly phase: 'connecting'; readonly attempt: number })
  /** `resumed`: behind the events that it had. */
  | (Down & { readonly phase: 'open'; readonly resumed: boolean })
  | (Down & {
      readonly phase: 'waiting';
      readonly reason: WaitReason;
      /** How many have failed in a row. */
      readonly attempt: number;
      /** When the next one is, in ms since 1970; `Infinity` with the reason `page`: when the page is back. */
      readonly retryAt: number;
      readonly status?: number | undefined;
      readonly error?: unknown;
    })
  | ClosedState;
