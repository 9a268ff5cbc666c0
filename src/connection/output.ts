import { frameOfWord } from '../http/chunk.js';
import type { StartedResponse } from '../http/raw-response.js';
import { ResponseWriter } from '../http/response-writer.js';
import type { WriterOwner } from '../http/response-writer.js';
import type { Dialect } from '../wire/dialect.js';

/** What a stream says, in its dialect and within its bounds. The writer itself, for an object beside it would cost every delivery. */
export class Output extends ResponseWriter {
  readonly dialect: Dialect;
  /** How many events there were for it so far. */
  events = 0;

  constructor(response: StartedResponse, owner: WriterOwner, dialect: Dialect) {
    super(response, owner);
    this.dialect = dialect;
  }

  /** Writes an event that cannot be held back. `false`: it would be more than may wait, in bytes, and was not written. */
  push(text: string, maxPendingBytes: number): boolean {
    const isOver = !this.isWritable && this.pendingBytes + Buffer.byteLength(text) > maxPendingBytes;
    if (isOver) return false;
    this.events++;
    this.write(text);
    return true;
  }

  /** Whether a sign of life would reach the client: while something waits, it is of no use. */
  get isIdle(): boolean {
    return this.isWritable && this.pendingBytes === 0;
  }

  beat(): void {
    this.writeFrame(frameOfWord(this.dialect.heartbeat));
  }
}
