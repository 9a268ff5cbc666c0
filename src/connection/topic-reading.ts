import type { Batch } from '../hub/batch.js';
import type { CursorSink } from '../hub/cursor-sink.js';
import { Cursor } from '../hub/cursor.js';
import type { Hub } from '../hub/hub.js';
import type { Begin } from '../topic/begin.js';
import type { OnSlow } from '../topic/define.js';
import { publicName } from '../topic/own-name.js';
import { parseRunEnd } from '../topic/run-end.js';
import type { RunEnd } from '../topic/run-end.js';
import type { Dialect } from '../wire/dialect.js';
import type { ResetReason } from '../wire/words.js';
import type { Output } from './output.js';
import type { About } from './signals.js';
import { NO_STEPS, encodeTransformed, isWanted } from './transform.js';
import type { Step } from './transform.js';

/** Larger writes save nothing, and what is written cannot be shared with those who stand elsewhere. */
const MAX_WRITE_BYTES = 65_536;

/** What the feed asks of its connection. */
export interface ReadingOwner {
  readonly output: Output;
  readonly dialect: Dialect;
  readonly settings: { readonly maxPendingBytes: number };
  readonly steps: readonly Step[];
  readonly topics: { readonly onSlow: OnSlow };
  /** Calls what is the application's in the context of the stream's own request. */
  within<T>(work: () => T): T;
  /** @param end of a run: how */
  topicEnded(topic: string, end?: RunEnd): void;
  fail(error?: unknown, id?: string): void;
  /** Ends it with these last words, for it cannot go on. */
  breakOff(words: () => string): void;
  /** Ends it for not keeping up. */
  end(reason: 'slow-consumer', how: { readonly isSudden: boolean }): void;
  tell<Kind extends 'behind' | 'reset'>(kind: Kind, about: () => About<Kind>): void;
}

/** So long the head of an answer waits until the place is known that its client begins at. Memory and SQLite know it at once. */
const MAX_BEGINNING_MS = 1_000;

/**
 * The part of a connection that reads topics. It may begin before there is an answer to write to, and holds its place until it is
 * attached.
 */
export class TopicReading implements CursorSink {
  readonly #owner: ReadingOwner;
  readonly #selectors: Iterable<string>;
  readonly #cursor: Cursor;
  // The owner's own, because a delivery should touch as few objects as it can: with thousands of connections none is in
  // the processor's cache.
  readonly maxWriteBytes: number;
  #writer: Output | undefined;
  #steps = NO_STEPS;
  /** What there was to tell before it was attached, and the place that it begins at. */
  #early = '';
  #earlyPlace = '';
  /** Ends the stream of which it is known before it begins that it cannot go on. */
  #break: (() => void) | undefined;
  #beginning: Promise<unknown> | undefined;
  /** Whether its place came too late for the head, and that is yet to be told; `closed`: there is nobody to tell any more. */
  #lateness: 'none' | 'untold' | 'closed' = 'none';

  constructor(hub: Hub, owner: ReadingOwner, selectors: Iterable<string>) {
    this.#owner = owner;
    this.maxWriteBytes = Math.min(MAX_WRITE_BYTES, owner.settings.maxPendingBytes);
    this.#selectors = selectors;
    this.#cursor = new Cursor(hub, selectors, this);
  }

  get isWritable(): boolean {
    return this.#writer !== undefined && this.#writer.isWritable;
  }

  /** Whoever has no answer yet is not slow. */
  get onSlow(): OnSlow {
    return this.#writer === undefined ? 'resume' : this.#owner.topics.onSlow;
  }

  /** @param begin what a route asks for, as far as that is known */
  open(hub: Hub, from: string | undefined, begin?: Begin): void {
    // What is the newest depends on the moment: the head of the answer, which has yet to go out.
    const isExact = hub.isShared && typeof hub.beginningOf(begin, this.#selectors) === 'object';
    this.#beginning = isExact && from === undefined ? this.#cursor.openAtHead() : this.#cursor.open(from);
  }

  /** Resolves when it is known where the feed begins; or after 1 s, and then its client is told later that something may be missing. */
  async begun(): Promise<void> {
    const beginning = this.#beginning;
    // Whoever has waited once does not wait again: what is told then is of all topics.
    if (beginning === undefined || this.#lateness !== 'none') return;
    this.#beginning = undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, MAX_BEGINNING_MS, true).unref();
    });
    const isLate = await Promise.race([beginning.then(() => false), late]);
    clearTimeout(timer);
    if (!isLate || this.#lateness !== 'none') return;
    this.#lateness = 'untold';
    void beginning.then(() => this.#tellLateness());
  }

  /** Has it begin where a route asks for, or else its topics. To be called before it has told anything. */
  beginAt(hub: Hub, begin: Begin | undefined): void {
    const beginning = hub.beginningOf(begin, this.#selectors);
    if (beginning === undefined) return;
    this.#earlyPlace = '';
    this.#cursor.beginAt(beginning);
  }

  /** Begins to write. */
  attach(): void {
    const { output: writer, steps } = this.#owner;
    this.#writer = writer;
    this.#steps = steps;
    const early = this.takeEarly();
    if (early !== '') writer.writeNow(early);
    if (this.#break !== undefined) return this.#break();
    this.pump();
    this.#cursor.endTopics();
  }

  /** What there is to tell before anything else, and goes out with the first bytes. */
  takeEarly(): string {
    const early = this.#early + this.#earlyPlace;
    this.#early = this.#earlyPlace = '';
    return early;
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

  /** Reads other topics from now on. Resolves when every later event of a new one will be given. */
  select(selectors: Iterable<string>): Promise<void> {
    const selected = this.#cursor.select(selectors);
    if (this.#writer === undefined) this.#beginning = Promise.all([this.#beginning, selected]);
    return selected;
  }

  close(): void {
    this.#cursor.close();
    this.#writer = undefined;
    this.#lateness = 'closed';
  }

  write(batch: Batch): boolean {
    if (this.#steps.length > 0) return this.#writeTransformed(batch);
    // Nothing is read before it is attached: its sink is not writable.
    const writer = this.#writer as Output;
    if (writer.dialect.isForeign) return this.#writeForeign(batch, writer);
    const chunk = batch.isOfOne && writer.takesChunks ? batch.chunk(writer.dialect) : undefined;
    if (chunk !== undefined) {
      writer.events++;
      writer.writeChunk(chunk);
      return true;
    }
    writer.events += batch.entries.length;
    writer.writeFrame(batch.frame(writer.dialect));
    return true;
  }

  position(id: string): void {
    this.#tellLateness();
    let text: string;
    try {
      text = this.#owner.dialect.place(id);
    } catch (error) {
      return this.#breakOff(() => this.#owner.fail(error));
    }
    if (this.#writer === undefined) this.#earlyPlace = text;
    else this.#writer.writeNow(text);
  }

  reset(reason: ResetReason, from: readonly string[]): void {
    const { dialect } = this.#owner;
    const topics = from.map(publicName);
    const words = (): string => dialect.reset(reason, topics);
    this.#owner.tell('reset', () => ({ reason, topics }));
    // Whoever knows no such event would take what follows for all there is.
    if (dialect.isForeign) this.#breakOff(() => this.#owner.breakOff(words));
    else this.#tell(words());
  }

  ended(from: string, how: 'complete' | 'failed', id: string, said: string): void {
    const topic = publicName(from);
    if (!isWanted(topic, this.#steps)) return;
    // Nobody can be told yet: it is asked for again.
    if (this.#writer === undefined) return;
    const end = parseRunEnd(said);
    if (end !== undefined) return this.#owner.topicEnded(topic, end);
    // With the id, a client that comes back starts behind the failure instead of meeting it again.
    if (how === 'failed') this.#owner.fail(undefined, id);
    else this.#owner.topicEnded(topic);
  }

  fellBehind(lag: number): void {
    if (this.#writer !== undefined) this.#owner.tell('behind', () => ({ lag }));
  }

  tooSlow(): void {
    this.#owner.end('slow-consumer', { isSudden: true });
  }

  /** Before the first place: what was published since the head and up to here may be missing. */
  #tellLateness(): void {
    if (this.#lateness !== 'untold') return;
    this.#lateness = 'none';
    this.reset('unknown', [...this.#selectors]);
  }

  /** What ends the stream does so when there is one. */
  #breakOff(end: () => void): void {
    if (this.#writer === undefined) this.#break ??= end;
    else end();
  }

  #tell(text: string): void {
    if (this.#writer === undefined) this.#early += text;
    else this.#writer.writeNow(text);
  }

  /** What encodes it may be the application's, and throw. */
  #writeForeign(batch: Batch, writer: Output): boolean {
    try {
      const frame = batch.frame(writer.dialect);
      writer.events += batch.entries.length;
      writer.writeFrame(frame);
      return true;
    } catch (error) {
      this.#owner.fail(error);
      return false;
    }
  }

  #writeTransformed(batch: Batch): boolean {
    try {
      const text = this.#owner.within(() => encodeTransformed(batch, this.#steps, this.#owner.dialect));
      if (text === '') return false;
      // Those that a filter keeps back are counted, too: of what is left nobody knows the number.
      this.#owner.output.events += batch.entries.length;
      this.#tell(text);
      return true;
    } catch (error) {
      this.#owner.fail(error);
      return false;
    }
  }
}
