import { setTimeout as delay } from 'node:timers/promises';
import { apart } from '../engine/apart.js';
import type { Engine, LogEntry, ReadPage, Retention } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import { payloadOf } from '../engine/text-entry.js';
import type { OwnTopicName } from '../topic/own-name.js';
import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { packEvent, unpackEvent } from '../wire/payload.js';
import type { ResetReason } from '../wire/words.js';
import type { Batch } from './batch.js';
import type { CursorSink } from './cursor-sink.js';
import { Cursor } from './cursor.js';
import type { Hub } from './hub.js';

export interface OwnTopicOptions<T> {
  readonly name: OwnTopicName;
  readonly retention: Retention;
  /**
   * Must not throw, and has to expect messages of other versions of this module. Each comes once, in their order.
   *
   * @param position where it stands in the log, and when it was stored there
   * @param isRetained whether it was there before this process began to listen
   */
  onMessage(message: T, position: Position, isRetained: boolean): void;
  /**
   * The log is another one, or an older one: what it has comes again as messages, and what it has lost only this process and its like
   * know. Must not throw.
   */
  onLost?(): void;
}

/** Without the log a process has to go on, too. */
const MAX_LOADING_MS = 5_000;
const PAGE = { maxEntries: 512, maxBytes: 1_048_576 };

/**
 * What the nodes tell each other, through the log that they share: so it arrives in one order, once, also on a node that
 * was cut off meanwhile, and needs nothing of an engine that events do not need as well.
 */
export class OwnTopic<T> implements CursorSink {
  readonly isWritable = true;
  readonly maxWriteBytes = 65_536;
  readonly onSlow = 'resume';
  readonly #hub: Hub;
  readonly #engine: Engine;
  readonly #options: OwnTopicOptions<T>;
  #cursor: Cursor | undefined;
  #opened: (() => void) | undefined;
  #loaded: Promise<void> | undefined;
  #ready: Promise<void> | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  /** What is read once that has settled, for all who ask meanwhile: it may be too old for them. */
  #next: Promise<void> | undefined;
  /** The sequence of the last that was taken in. */
  #seq = 0;
  /** That of the log which it stands in; empty when that is not known. */
  #epoch = '';

  constructor(hub: Hub, engine: Engine, options: OwnTopicOptions<T>) {
    this.#hub = hub;
    this.#engine = engine;
    this.#options = options;
  }

  /** Resolves once the message is stored. Rejects with the engine's error. */
  async send(message: T): Promise<Position> {
    const { name: topic, retention } = this.#options;
    const position = await this.#engine.append({ topic, data: packEvent({ data: message }), retention });
    // That the log is another one shows here first.
    if (this.#epoch !== '' && position.epoch !== this.#epoch) this.#catchUp();
    return position;
  }

  /** Takes in all that is stored by now, once it has been loaded. Rejects with the engine's error. */
  refresh(): Promise<void> {
    return (this.#next ??= this.#refreshing.then(() => {
      this.#next = undefined;
      const refreshing = this.#refresh();
      this.#refreshing = refreshing.catch(ignore);
      return refreshing;
    }));
  }

  async #refresh(): Promise<void> {
    const { name } = this.#options;
    for (;;) {
      const after = this.#seq;
      const page = await this.#engine.read({ topics: [name], after, ...PAGE });
      // Or that was noticed meanwhile: of the other log, the page begins anywhere.
      if (this.#isOther(page) || this.#seq < after) continue;
      if (page.entries.length === 0) return;
      for (const entry of page.entries) this.#take(entry, page.upTo.epoch, false);
    }
  }

  /** Takes in all that is retained, and listens on. Resolves once all of it was taken in. */
  load(): Promise<void> {
    return (this.#loaded ??= apart(() => this.#load()));
  }

  /** Resolves once all that is retained was taken in, or after 5 s. Asked for every connection. */
  ready(): Promise<void> {
    return (this.#ready ??= apart(() => Promise.race([this.load(), delay(MAX_LOADING_MS, undefined, { ref: false })])));
  }

  async #load(): Promise<void> {
    const { name } = this.#options;
    let after: Position | undefined;
    for (;;) {
      const request = { topics: [name], after: after?.seq, verify: undefined, ...PAGE };
      const page = await this.#hub.persist(() => this.#engine.read(request));
      if (page === undefined) return;
      this.#isOther(page);
      for (const entry of page.entries) this.#take(entry, page.upTo.epoch, true);
      after = page.upTo;
      if (page.entries.length === 0) return this.#open(formatPosition(after));
    }
  }

  close(): void {
    this.#cursor?.close();
    this.#opened?.();
  }

  write(batch: Batch): boolean {
    if (this.#epoch === '') this.#epoch = batch.epoch;
    if (batch.epoch !== this.#epoch) this.#catchUp();
    else for (const entry of batch.entries) this.#take(entry, batch.epoch, false);
    this.#opened?.();
    return true;
  }

  position(): void {
    this.#opened?.();
  }

  reset(reason: ResetReason): void {
    // It may have been noticed already, and all of the other log been taken in.
    if (reason === 'epoch') this.#catchUp();
    // Of a log that is still the same, what is lost was too old to matter.
    else if (isContradiction({ reason })) this.#forget();
  }

  #catchUp(): void {
    void this.#hub.persist(() => this.refresh());
  }

  #open(from: string | undefined): Promise<void> {
    const opened = new Promise<void>((resolve) => (this.#opened = resolve));
    this.#cursor = new Cursor(this.#hub, [this.#options.name], this);
    void this.#cursor.open(from);
    return opened;
  }

  /** Whether a page is of another log than what was taken in before. */
  #isOther({ upTo }: ReadPage): boolean {
    const isOther = this.#epoch !== '' && this.#epoch !== upTo.epoch;
    if (isOther) this.#forget();
    this.#epoch = upTo.epoch;
    return isOther;
  }

  #forget(): void {
    this.#seq = 0;
    this.#epoch = '';
    this.#options.onLost?.();
  }

  #take(entry: LogEntry, epoch: string, isRetained: boolean): void {
    const { seq, at } = entry;
    if (seq <= this.#seq) return;
    this.#seq = seq;
    const event = unpackEvent(payloadOf(entry));
    if ('data' in event) this.#options.onMessage(event.data as T, { epoch, seq, at }, isRetained);
  }
}

function ignore(): void {
  // Whoever has asked is told.
}
