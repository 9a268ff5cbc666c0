import type { CloseReason, EndReason, RefusalReason, ResetReason } from '../wire/words.js';
import type { SseConnection } from './sse-connection.js';

/** What happens to the streams of a process, by kind. */
export interface ConnectionSignals {
  readonly opened: { readonly connection: SseConnection };
  /** Its client takes less than there is, and the window has gone on without it. */
  readonly behind: {
    readonly connection: SseConnection;
    /** How many events of the whole log it is behind the newest of its topics. */
    readonly lag: number;
  };
  /** Its client was told that events are missing. */
  readonly reset: {
    readonly connection: SseConnection;
    readonly reason: ResetReason;
    readonly topics: readonly string[];
  };
  /** The module ends it: its last bytes are on the way. */
  readonly ending: { readonly connection: SseConnection; readonly reason: EndReason | 'failed' };
  /** It is over. */
  readonly closed: {
    readonly connection: SseConnection;
    readonly reason: CloseReason;
    /** How long it was open, in ms. */
    readonly ms: number;
    /** What went out, as it went out. */
    readonly bytes: number;
    /** In how many frames, the signs of life among them; the last words are not counted. */
    readonly frames: number;
    /** How many events there were for it, of its topics and its own. */
    readonly events: number;
  };
  /** It was not opened; its client was told to come back later. */
  readonly refused: { readonly connection: SseConnection; readonly reason: RefusalReason };
}

/** What is said of one stream, beside which. */
export type About<Kind extends keyof ConnectionSignals> = Omit<ConnectionSignals[Kind], 'connection'>;
