import type { LogEntry } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import { payloadOf } from '../engine/text-entry.js';
import { formatPosition, parsePosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { type Control, controlOf, saidAtEnd } from '../wire/payload.js';
import { type Batch, NOWHERE, START, batchOf, placeOf } from './batch.js';
import type { CursorSink } from './cursor-sink.js';
import type { Hub } from './hub.js';
import type { LogPage } from './log-page.js';
import { Lead } from './prelude.js';
import type { Prelude } from './prelude.js';
import { Selected } from './selected.js';
import { ToldHoles } from './told-holes.js';

/** A quiet client is given a newer place at most so often: some clients take its blank line for an empty event. */
const MIN_ADVANCE_MS = 60_000;

/**
 * A place in the log of a selection of topics, moving forward whenever its sink can take more. Replaying history and
 * following live events are the same motion: from the window when the place is inside it, from the engine when not.
 */
export class Cursor extends Selected {
  /**
   * `live`: inside the window. `replaying`: behind it, waiting for the sink. `reading`: behind it, waiting for the engine.
   * `rereading`: waiting for an answer that may be about another log by now.
   */
  #state: 'opening' | 'live' | 'replaying' | 'reading' | 'rereading' | 'closed' = 'opening';
  #place: Position = START;
  /** The place that the sink was told last, with an event or without. */
  #told: Position = NOWHERE;
  /** Few cursors ever have one. */
  #holes: ToldHoles | undefined;
  /** Where it begins if not now; once it has begun there, what leads up to its place and is still to be given. */
  #beginning: string | Prelude | undefined;
  #lead: Lead | undefined;
  /** The place of when it came. */
  #came: Position = NOWHERE;

  constructor(hub: Hub, selectors: Iterable<string>, sink: CursorSink) {
    super(hub, selectors, sink);
  }

  /** Everything up to this sequence has been given to the sink. */
  get seq(): number {
    return this.#place.seq;
  }

  /** The id to resume from after all that the sink has been given. `undefined` while the place itself is being found. */
  get place(): string | undefined {
    if (!['live', 'replaying', 'reading'].includes(this.#state) || this.#place === START) return undefined;
    const position = this.hub.positionOf(this.view);
    return formatPosition(this.#hasEverything() && position.seq > this.seq ? position : this.#place);
  }

  /**
   * Starts to read: from now on, or after the event with the id `from`. `undefined` when it has begun at once; otherwise resolves when it has.
   */
  open(from?: string): Promise<void> | undefined {
    if (!this.view.isOpen || from !== undefined) return this.#openLater(from);
    return void this.#begin(this.hub.now(this.view));
  }

  /**
   * Starts to read from now on, and not from what of other processes' events has come here so far. Resolves when it has: for who gives
   * nothing before that.
   */
  async openAtHead(): Promise<void> {
    const [head] = await Promise.all([this.persist(() => this.hub.head()), this.open()]);
    const isAhead = head !== undefined && head.epoch === this.#came.epoch && head.seq > this.#came.seq;
    if (isAhead && this.#state === 'live') this.#begin(head);
  }

  /** Has it begin elsewhere than now: behind the event with an id, or with a prelude. To be called before it has given anything. */
  beginAt(beginning: string | Prelude): void {
    this.#beginning = beginning;
    this.#told = NOWHERE;
    if (this.#state !== 'opening') this.#begin(this.#came);
  }

  /** Gives the sink what there is, for as long as it can take more. */
  pump(): void {
    if (this.#hasStopped()) return this.sink.tooSlow?.();
    while (this.sink.isWritable) {
      if (this.#state === 'replaying') return void this.#readLog(this.#place === START ? 'start' : this.#place);
      if (this.#state !== 'live') return;
      const join = this.joins[0];
      if (join !== undefined && this.seq >= join.at.seq) this.#join(join.at);
      else if (this.seq < this.view.floor || this.isTooSlow()) this.#leaveWindow();
      else if (this.seq < this.view.lastSeq) this.#deliverLive(join?.at);
      else if (join !== undefined) this.#state = 'replaying';
      else return;
    }
  }

  /** Moves past what the selection has not got, for a client that has long heard nothing. Answers whether there was anything to tell. */
  advance(): boolean {
    if (!this.#hasEverything()) return false;
    const position = this.hub.positionOf(this.view);
    if (position.at - this.#told.at < MIN_ADVANCE_MS) return false;
    if (position.seq > this.seq) this.#place = position;
    return this.#tellPlace();
  }

  restart(): void {
    // The places where topics were to join are none any more.
    this.joinAll();
    // Of a prelude of which nothing has been given, it is that of the other log.
    if (this.#lead !== undefined && this.#place === START)
      this.#lead = new Lead(this.#lead.prelude, this.hub.positionOf(this.view));
    if (this.#state === 'live') this.#state = 'replaying';
    else if (this.#state === 'reading') this.#state = 'rereading';
  }

  missed(topic: string): void {
    if (this.#state === 'live') this.sink.reset('unknown', [topic]);
  }

  endTopics(): void {
    if (this.#state !== 'live') return;
    const { finalEnds } = this.hub;
    const hasComeLate = this.#beginning === undefined && finalEnds.upTo(this.#came.seq, this.view.names).length > 0;
    // It was not known yet when it began.
    if (hasComeLate) return this.#begin(this.#place);
    this.tellEnds(this.#place);
  }

  override close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    super.close();
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #openLater(from: string | undefined): Promise<void> {
    const first = from === undefined ? await this.hub.firstSince(this.view) : await this.view.opened;
    if (this.isClosed || !this.view.isOpen) return;
    if (from !== undefined) return this.#resume(from);
    // What this process has published meanwhile was published after this reader had come.
    const isSame = first?.epoch === this.view.base.epoch;
    this.#begin(isSame ? { ...first, seq: first.seq - 1 } : this.hub.now(this.view));
  }

  /** @param now the place of whoever comes now */
  #begin(now: Position): void {
    // Whoever comes to a topic that has ended gets what there is of it.
    const beginning = (this.#beginning ??= this.hub.finalEnds.preludeOf(this.view.names));
    this.#lead = undefined;
    if (typeof beginning === 'string') {
      // Until its place has been found it reads nothing.
      this.#state = 'opening';
      return void this.#resume(beginning);
    }
    this.#place = this.#came = now;
    if (beginning === undefined && this.seq >= this.view.floor) return this.#goLive();
    this.#state = 'replaying';
    if (beginning === undefined) this.#tellPlace();
    else {
      // Topics that were added to those that were there begin as they do.
      this.joinAll();
      this.#lead = new Lead(beginning, now);
      this.#place = START;
    }
    this.pump();
  }

  /** Topics that are added begin now, also those that have ended: nothing of what was before. */
  #join(at: Position): void {
    this.joinNext();
    if (at !== START) this.#came = NOWHERE;
    this.tellEnds(this.#place);
  }

  #goLive(): void {
    this.#state = 'live';
    // Whatever is missing from now on is another hole.
    this.#holes = undefined;
    this.#tellPlace();
    this.endTopics();
    this.pump();
  }

  async #resume(from: string): Promise<void> {
    const claimed = parsePosition(from);
    // No event has an id of its own that looks like a position.
    if (claimed !== undefined) return this.#readLog(claimed);
    const located = await this.persist(() => this.hub.locate(this.view, from));
    if (this.isClosed) return;
    if (located !== undefined && located !== 'ambiguous') return this.#readLog(located);
    this.sink.reset('unknown', this.view.selectors);
    if (!this.isClosed) return this.#readLog('start');
  }

  /**
   * Reads pages until this cursor is inside its window, at the pace of the sink. Each is checked against the place that
   * it follows: the log may become another one at any time.
   */
  async #readLog(from: Position | 'start' = this.#place): Promise<void> {
    let verify = from === 'start' ? undefined : from;
    do {
      this.#state = 'reading';
      const lead = this.#lead;
      if (lead !== undefined) this.joinFewer();
      const request = { after: verify?.seq, verify, lead, maxBytes: this.sink.maxWriteBytes };
      const page = await this.persist(() => this.hub.read(this.view, request));
      if (page === undefined || this.isClosed) return;
      if (lead !== this.#lead) continue;
      // What the log contradicts was no place in it: it is read from its first entry.
      const isOther = page.holes.some(isContradiction);
      this.#place = isOther ? START : (verify ?? START);
      if (isOther) this.#lead = undefined;
      this.#give(isOther || lead === undefined ? page : lead.pageOf(page));
      if (this.isClosed) return;
      verify = this.#place;
    } while (this.#isRereading() || (this.sink.isWritable && !this.#hasCaughtUp()));
    // No await between the test and the join: nothing can slip in between.
    if (this.#hasCaughtUp()) this.#goLive();
    else this.#state = 'replaying';
  }

  #isRereading(): boolean {
    return this.#state === 'rereading';
  }

  /** Whether all there is of the selection has been given. */
  #hasEverything(): boolean {
    return this.#state === 'live' && this.joins.length === 0 && this.seq >= this.view.lastSeq;
  }

  #hasCaughtUp(): boolean {
    return this.#lead === undefined && this.seq >= (this.joins[0]?.at.seq ?? this.view.floor);
  }

  #give(page: LogPage): void {
    if (page.holes.length > 0) this.#holes ??= new ToldHoles();
    this.#holes?.tell(page, this.hub.positionOf(this.view).seq, this.sink);
    const wanted = this.#lead === undefined ? page.cut(this.joinAfter(this.seq)) : page;
    for (const batch of wanted.batches) if (!this.isClosed) this.#deliver(batch);
    this.#place = wanted.upTo;
    this.#endLead();
  }

  /** From the place that it leads up to, everything is given. */
  #endLead(): void {
    const lead = this.#lead;
    if (lead === undefined || (lead.upTo.epoch === this.#place.epoch && this.seq < lead.upTo.seq)) return;
    this.#lead = undefined;
    for (const { topic, how, id, said } of lead.ends()) if (!this.isClosed) this.sink.ended?.(topic, how, id, said);
  }

  /** Goes on in the window, but not past the place where a new topic joins: its events must come in between. */
  #deliverLive(stop: Position | undefined): void {
    const batch = this.view.batch(this.seq, this.sink.maxWriteBytes);
    if (stop === undefined || batch.place.seq <= stop.seq) return this.#deliver(batch);
    const before = batch.entries.filter((entry) => entry.seq <= stop.seq);
    if (before.length > 0) this.#deliver(batchOf(batch.epoch, before));
    this.#place = stop;
  }

  #deliver(batch: Batch): void {
    const { control, entries } = batch;
    this.#place = batch.place;
    const isTold = entries.length > 0 && this.sink.write(batch);
    if (isTold)
      this.#told = control === undefined ? batch.place : placeOf(batch.epoch, entries[entries.length - 1] as LogEntry);
    if (control === undefined || this.isClosed) return;
    const payload = payloadOf(control);
    this.sink.ended?.(control.topic, controlOf(payload) as Control, batch.idOf(control), saidAtEnd(payload));
  }

  #leaveWindow(): void {
    // Behind the place where a window begins is only who has just moved to it.
    const hasFallenBehind = this.seq >= this.view.base.seq;
    if (hasFallenBehind) this.sink.fellBehind?.(this.view.lastSeq - this.seq);
    if (this.sink.onSlow === 'resume' || !hasFallenBehind) {
      this.#state = 'replaying';
      return;
    }
    if (this.sink.onSlow === 'disconnect') return this.sink.tooSlow?.();
    this.#place = this.view.beforeLast ?? this.hub.positionOf(this.view);
    this.sink.reset('skipped', this.view.selectors);
  }

  /** Whether a sink that takes nothing any more, and is to be ended for that, has fallen too far behind. */
  #hasStopped(): boolean {
    if (this.#state !== 'live' || this.sink.isWritable || this.sink.onSlow !== 'disconnect') return false;
    return this.isTooSlow() || (this.seq < this.view.floor && this.seq >= this.view.base.seq);
  }

  /** Tells a place without an event. `false`: it was told already. */
  #tellPlace(): boolean {
    if (this.#told.seq === this.seq && this.#told.epoch === this.#place.epoch) return false;
    this.#told = this.#place;
    this.sink.position?.(formatPosition(this.#place));
    return true;
  }
}
