import type { OnSlow } from '../topic/define.js';
import type { Control } from '../wire/payload.js';
import type { ResetReason } from '../wire/words.js';
import type { Batch } from './batch.js';

/**
 * Who reads: one open response, or a subscriber inside the process. Nothing here may throw. What is optional is not for every one of them.
 */
export interface CursorSink {
  /** Whether more can be taken now. When it is not, the sink calls `pump` as soon as it is. */
  readonly isWritable: boolean;
  /** How much one write may hold, in bytes. A single larger event is written nevertheless. */
  readonly maxWriteBytes: number;
  readonly onSlow: OnSlow;
  /** Answers whether an id went out with it: a sink may have dropped all events of the batch. */
  write(batch: Batch): boolean;
  /** Everything up to this id has been given. */
  position?(id: string): void;
  reset(reason: ResetReason, topics: readonly string[]): void;
  /**
   * A topic has come to its end; the id resumes behind it.
   *
   * @param said what its log says of this end; nothing, mostly
   */
  ended?(topic: string, how: Control, id: string, said: string): void;
  /**
   * It has taken so little that the window has gone on without it; what follows depends on `onSlow`.
   *
   * @param lag how many events of the whole log it is behind the newest of its topics
   */
  fellBehind?(lag: number): void;
  /** With `onSlow: 'disconnect'`: it is to be ended for that. */
  tooSlow?(): void;
}
