import type { Batch } from '../hub/batch.js';
import { Cursor } from '../hub/cursor.js';
import type { CursorSink, ResetReason } from '../hub/cursor-sink.js';
import type { Hub } from '../hub/hub.js';
import type { OnSlow } from '../topic/define.js';
import { encodeCursor, encodeEvent } from '../wire/encode.js';
import type { ResponseWriter } from './response-writer.js';
import { encodeTransformed } from './transform.js';
import type { Step } from './transform.js';

/** Larger writes save nothing, and what is written cannot be shared with those who stand elsewhere. */
const MAX_WRITE_BYTES = 65_536;

/** What the feed asks of its connection. */
export interface FeedOwner {
  readonly writer: ResponseWriter;
  readonly settings: { readonly maxPendingBytes: number };
  readonly steps: readonly Step[];
  readonly onSlow: OnSlow;
  /** Calls what is the application's in the context of the stream's own request. */
  within<T>(work: () => T): T;
  topicEnded(topic: string): void;
  fail(error?: unknown, id?: string): void;
  fellBehind(): void;
  wasReset(reason: ResetReason, topics: readonly string[]): void;
  tooSlow(): void;
}

/** The part of a connection that reads topics. */
export class TopicFeed implements CursorSink {
  readonly #owner: FeedOwner;
  // The owner's own, because a delivery should touch as few objects as it can: with thousands of connections none is in
  // the processor's cache.
  readonly #writer: ResponseWriter;
  readonly #steps: readonly Step[];
  readonly #cursor: Cursor;

  constructor(hub: Hub, owner: FeedOwner, selectors: Iterable<string>) {
    this.#owner = owner;
    this.#writer = owner.writer;
    this.#steps = owner.steps;
    this.#cursor = new Cursor(hub, selectors, this);
  }

  get isWritable(): boolean {
    return this.#writer.isWritable;
  }

  get maxWriteBytes(): number {
    return Math.min(MAX_WRITE_BYTES, this.#owner.settings.maxPendingBytes);
  }

  get onSlow(): OnSlow {
    return this.#owner.onSlow;
  }

  open(from: string | undefined): void {
    this.#cursor.open(from);
  }

  pump(): void {
    this.#cursor.pump();
  }

  /** Where the client goes on when it comes back, once it has been given a place. */
  get place(): string | undefined {
    return this.#cursor.place;
  }

  /** Gives a client that has long heard nothing a newer place to resume from, if there is one. */
  advance(): boolean {
    return this.#cursor.advance();
  }

  select(selectors: Iterable<string>): Promise<void> {
    return this.#cursor.select(selectors);
  }

  close(): void {
    this.#cursor.close();
  }

  write(batch: Batch): boolean {
    if (this.#steps.length > 0) return this.#writeTransformed(batch);
    this.#writer.writeFrame(batch.frame);
    return true;
  }

  position(id: string): void {
    this.#writer.writeNow(encodeCursor(id));
  }

  reset(reason: ResetReason, topics: readonly string[]): void {
    this.#writer.writeNow(encodeEvent({ type: 'stream.reset', data: { reason, topics } }));
    this.#owner.wasReset(reason, topics);
  }

  ended(topic: string, how: 'complete' | 'failed', id: string): void {
    // With the id, a client that comes back starts behind the failure instead of meeting it again.
    if (how === 'failed') this.#owner.fail(undefined, id);
    else this.#owner.topicEnded(topic);
  }

  fellBehind(): void {
    this.#owner.fellBehind();
  }

  tooSlow(): void {
    this.#owner.tooSlow();
  }

  #writeTransformed(batch: Batch): boolean {
    try {
      const text = this.#owner.within(() => encodeTransformed(batch, this.#steps));
      if (text === '') return false;
      this.#writer.writeNow(text);
      return true;
    } catch (error) {
      this.#owner.fail(error);
      return false;
    }
  }
}
