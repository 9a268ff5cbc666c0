import type { HoleReason, ReadPage } from '../engine/engine.js';
import { formatPosition, parsePosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { controlOf } from '../wire/payload.js';
import type { Control } from '../wire/payload.js';
import type { OnSlow } from '../topic/define.js';
import { takeBatch } from './batch.js';
import type { Batch } from './batch.js';
import type { Hub } from './hub.js';
import type { View } from './view.js';

/** Why a client cannot have everything that followed its position. */
export type ResetReason = HoleReason | 'skipped';

/** Who reads: one open response, or a subscriber inside the process. Nothing here may throw. */
export interface CursorSink {
  /** Whether more can be taken now. When it is not, the sink calls `pump` as soon as it is. */
  readonly isWritable: boolean;
  /** How much one write may hold, in bytes. A single larger event is written nevertheless. */
  readonly maxWriteBytes: number;
  readonly onSlow: OnSlow;
  /** Answers whether an id went out with it: a sink may have dropped all events of the batch. */
  write(batch: Batch): boolean;
  /** Everything up to this id has been given. */
  position(id: string): void;
  reset(reason: ResetReason, topics: readonly string[]): void;
  /** A topic has come to its end; the id resumes behind it. */
  ended(topic: string, how: Control, id: string): void;
  tooSlow(): void;
}

/** No id is longer: who sends more is not worth a search. */
const MAX_ID_CHARS = 1_024;

/**
 * A place in the log of a selection of topics, moving forward whenever its sink can take more. Replaying history and
 * following live events are the same motion: from the window when the place is inside it, from the engine when not.
 */
export class Cursor {
  readonly #hub: Hub;
  readonly #sink: CursorSink;
  #selectors: ReadonlySet<string>;
  #view: View;
  /** The view to move to once this cursor has read up to where it was joined, after the selection has changed. */
  #next: { readonly view: View; readonly joinAt: number } | undefined;
  /** `live`: inside the window. `replaying`: behind it, waiting for the sink. `reading`: behind it, waiting for the engine. */
  #state: 'opening' | 'live' | 'replaying' | 'reading' | 'closed' = 'opening';
  #isReselecting = false;
  #seq = 0;
  #at = 0;
  /** The sequence whose id the sink was given last. */
  #told = -1;

  constructor(hub: Hub, selectors: Iterable<string>, sink: CursorSink) {
    this.#hub = hub;
    this.#sink = sink;
    this.#selectors = new Set(selectors);
    this.#view = this.#attach(hub.acquire([...this.#selectors]));
  }

  get selectors(): ReadonlySet<string> {
    return this.#selectors;
  }

  /** The id that resumes from here, or `undefined` before the first place is known. */
  get id(): string | undefined {
    return this.#state === 'opening' ? undefined : formatPosition(this.#position);
  }

  /**
   * Starts to read: from now on, or after the event with the id `from`. Returns at once when it can start at once.
   */
  open(from?: string): void {
    if (this.#view.isOpen && from === undefined) this.#join();
    else void this.#openLater(from);
  }

  /** Gives the sink what there is, for as long as it can take more. */
  pump(): void {
    while (this.#sink.isWritable) {
      if (this.#state === 'replaying') return void this.#readLog();
      if (this.#state !== 'live') return;
      if (this.#next !== undefined && this.#seq >= this.#next.joinAt) this.#switchView(this.#next.view);
      else if (this.#seq < this.#view.floor) this.#leaveWindow();
      else if (this.#seq < this.#view.lastSeq) this.#deliver(this.#view.batch(this.#seq, this.#sink.maxWriteBytes));
      else if (this.#next !== undefined) this.#state = 'replaying';
      else return;
    }
  }

  /**
   * Moves past what the selection has not got, so that a client that has long heard nothing can resume from here.
   * Answers whether there was anything to tell.
   */
  advance(): boolean {
    if (this.#state !== 'live' || this.#next !== undefined || this.#seq < this.#view.lastSeq) return false;
    this.#moveTo(this.#hub.positionOf(this.#view));
    return this.#tellPosition();
  }

  /** Changes what is read from now on. Topics that are new start with the next event published. */
  select(selectors: Iterable<string>): void {
    this.#selectors = new Set(selectors);
    if (this.#state !== 'opening') void this.#reselect();
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#detach(this.#view);
    if (this.#next !== undefined) this.#hub.release(this.#next.view);
    this.#next = undefined;
  }

  get #position(): Position {
    return { epoch: this.#view.base.epoch, seq: this.#seq, at: this.#at };
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #openLater(from: string | undefined): Promise<void> {
    await this.#view.opened;
    if (this.#isClosed || !this.#view.isOpen) return;
    if (from === undefined) this.#join();
    else await this.#resume(from);
  }

  #join(): void {
    this.#moveTo(this.#hub.positionOf(this.#view));
    this.#goLive();
  }

  #goLive(): void {
    this.#state = 'live';
    this.#tellPosition();
    void this.#reselect();
    this.pump();
  }

  #tellPosition(): boolean {
    if (this.#told === this.#seq) return false;
    this.#told = this.#seq;
    this.#sink.position(formatPosition(this.#position));
    return true;
  }

  async #resume(from: string): Promise<void> {
    const claimed = parsePosition(from);
    if (claimed?.epoch === this.#view.base.epoch) return this.#readLog(claimed);
    const located =
      from.length > MAX_ID_CHARS ? undefined : await this.#persist(() => this.#hub.locate(this.#view, from));
    if (this.#isClosed) return;
    if (located !== undefined && located !== 'ambiguous') return this.#readLog(located);
    if (claimed !== undefined) return this.#readLog(claimed);
    this.#sink.reset('unknown', this.#view.selectors);
    return this.#readLog('start');
  }

  /** Reads pages until this cursor is inside its window, at the pace of the sink. */
  async #readLog(from?: Position | 'start'): Promise<void> {
    let verify: Position | undefined;
    let after: number | undefined = this.#seq;
    if (from === 'start') after = undefined;
    else if (from !== undefined) {
      verify = from;
      after = from.seq;
    }
    this.#state = 'reading';
    do {
      const page = await this.#persist(() => this.#hub.read(this.#view, after, verify, this.#sink.maxWriteBytes));
      if (page === undefined || this.#isClosed) return;
      this.#give(page);
      if (this.#isClosed) return;
      after = page.upTo.seq;
      verify = undefined;
    } while (this.#sink.isWritable && !this.#hasCaughtUp());
    // No await between the test and the join: nothing can slip in between.
    if (this.#hasCaughtUp()) this.#goLive();
    else this.#state = 'replaying';
  }

  #hasCaughtUp(): boolean {
    return this.#seq >= (this.#next?.joinAt ?? this.#view.floor);
  }

  #give(page: ReadPage): void {
    for (const hole of page.holes) this.#sink.reset(hole.reason, hole.topics);
    let rest = page.entries;
    while (rest.length > 0 && !this.#isClosed) {
      const batch = takeBatch(page.upTo.epoch, rest, Infinity);
      rest = rest.slice(batch.entries.length + (batch.control === undefined ? 0 : 1));
      this.#deliver(batch);
    }
    this.#moveTo(page.upTo);
  }

  #deliver(batch: Batch): void {
    this.#moveTo(batch.last);
    const newest = batch.entries[batch.entries.length - 1];
    if (newest !== undefined && this.#sink.write(batch)) this.#told = newest.seq;
    const { control } = batch;
    const how = control && controlOf(control.data);
    if (how !== undefined && !this.#isClosed) this.#sink.ended(batch.last.topic, how, batch.idOf(batch.last));
  }

  #leaveWindow(): void {
    if (this.#sink.onSlow === 'disconnect') return this.#sink.tooSlow();
    if (this.#sink.onSlow === 'resume') {
      this.#state = 'replaying';
      return;
    }
    const newest = this.#view.last;
    // Just before the newest event, so that the sink gets it.
    this.#moveTo(newest === undefined ? this.#hub.positionOf(this.#view) : { seq: newest.seq - 1, at: newest.at });
    this.#sink.reset('skipped', this.#view.selectors);
  }

  /** One change at a time: a topic that joins at one place must not be lost to a later change that joins further on. */
  async #reselect(): Promise<void> {
    if (this.#isReselecting || this.#next !== undefined) return;
    this.#isReselecting = true;
    while (!this.#isClosed && !sameSelection(this.#selectors, this.#view.selectors)) {
      const view = this.#hub.acquire([...this.#selectors]);
      await view.opened;
      if (this.#isClosed || !view.isOpen || !sameSelection(this.#selectors, view.selectors)) {
        this.#hub.release(view);
        continue;
      }
      const onlyFewer = view.selectors.every((selector) => this.#view.selectors.includes(selector));
      this.#next = { view, joinAt: onlyFewer ? 0 : this.#hub.positionOf(view).seq };
      break;
    }
    this.#isReselecting = false;
    if (this.#next !== undefined) this.pump();
  }

  #switchView(view: View): void {
    this.#next = undefined;
    this.#detach(this.#view);
    // `acquire` has counted this cursor already.
    view.cursors.add(this);
    this.#view = view;
    void this.#reselect();
  }

  #attach(view: View): View {
    view.cursors.add(this);
    return view;
  }

  #detach(view: View): void {
    view.cursors.delete(this);
    this.#hub.release(view);
  }

  #moveTo({ seq, at }: { readonly seq: number; readonly at: number }): void {
    this.#seq = seq;
    this.#at = at;
  }

  /** The engine's answer, or `undefined` when the hub was closed while waiting for it. */
  async #persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#hub.persist(async () => (this.#isClosed ? undefined : await call()));
    } catch {
      return undefined;
    }
  }
}

function sameSelection(a: ReadonlySet<string>, b: readonly string[]): boolean {
  return a.size === b.length && b.every((selector) => a.has(selector));
}
