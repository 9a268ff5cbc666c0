import { apart } from '../engine/apart.js';
import type { Teller } from '../signals.js';
import { NOBODY, type HubSignals } from './signals.js';
import type { Reader, View } from './view.js';

/** Cursors served before the event loop gets a turn. 10,000 in one sweep were measured to hold it for 70 ms. */
const SLICE = 1_000;

/**
 * Entries after which publishers are asked to wait for the next turn. A loop that awaits each `publish` of an engine in
 * memory would otherwise never let one come, and overrun the windows of clients that read as fast as they can.
 */
const MAX_GATHERED = 128;

/**
 * When a round has ended, a lone event waits for company, for at most this part of the time that the round took. A publisher
 * that awaits each event and then a turn would otherwise have a round for each: to 500 connections 117,000 deliveries a
 * second, and so fifteen times as many. Where nothing comes for so long, nothing waits.
 */
const REST = 1 / 4;
/** The bound of a rest, in which the process is awake: 16 events need less to be published. */
const MAX_REST_MS = 2;
/** With so many together, no more is waited for: one write for twice as many costs little less for each. */
const ENOUGH = 16;

/**
 * Wakes the cursors of views that have news, once per turn of the event loop. Everything published in between goes out
 * in one write per connection; under load, events gather while the previous round is being written, and an idle process
 * pays nothing: to serve few readers in a microtask, before the turn ends, was measured to reach them no sooner.
 */
export class FanOut {
  readonly #signals: Teller<HubSignals>;
  readonly #now: () => number;
  #waiting: View[] = [];
  /** What is being served, up to which of them, and of that one what is left. */
  #round: readonly View[] | undefined;
  #at = 0;
  #readers: Iterator<Reader> | undefined;
  #slowest = Infinity;
  #immediate: NodeJS.Immediate | undefined;
  /** Since the last turn. */
  #gathered = 0;
  /** Since the last round began. */
  #arrived = 0;
  #isResting = false;
  /** What the present round has taken so far. */
  #roundMs = 0;
  /** How many readers it has served so far. */
  #served = 0;
  #restsUntil = 0;
  #nextTurn: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  /** @param now the clock, in ms; for tests */
  constructor(signals: Teller<HubSignals> = NOBODY, now = () => performance.now()) {
    this.#signals = signals;
    this.#now = now;
  }

  wake(view: View): void {
    if (!view.isWatched) return;
    this.#gathered++;
    this.#arrived++;
    if (!view.isWaiting) {
      view.isWaiting = true;
      this.#waiting.push(view);
    }
    this.#immediate ??= apart(() => setImmediate(this.#turn));
  }

  /** Resolves after the next turn, when much waits for it. */
  pressure(): Promise<void> | undefined {
    if (this.#gathered < MAX_GATHERED) return undefined;
    if (this.#nextTurn === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((settle) => (resolve = settle));
      this.#nextTurn = { promise, resolve };
    }
    return this.#nextTurn.promise;
  }

  close(): void {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#waiting = [];
    this.#nextTurn?.resolve();
  }

  readonly #turn = (): void => {
    this.#immediate = undefined;
    const startedAt = this.#now();
    if (this.#mayRest() && startedAt < this.#restsUntil) return this.#rest();
    this.#isResting = false;
    this.#gathered = 0;
    this.#round ??= this.#begin();
    this.#served += this.#serve(this.#round);
    this.#count(startedAt);
    if (this.#round !== undefined || this.#waiting.length > 0) this.#immediate ??= setImmediate(this.#turn);
    this.#nextTurn?.resolve();
    this.#nextTurn = undefined;
  };

  #count(startedAt: number): void {
    const now = this.#now();
    this.#roundMs += now - startedAt;
    if (this.#round !== undefined) return;
    this.#restsUntil = now + Math.min(this.#roundMs * REST, MAX_REST_MS);
    if (this.#signals.wants('round')) this.#signals.tell('round', { readers: this.#served, ms: this.#roundMs });
    this.#roundMs = 0;
    this.#served = 0;
  }

  #mayRest(): boolean {
    return this.#round === undefined && this.#arrived < (this.#isResting ? ENOUGH : 2);
  }

  /** Others have their turns meanwhile. A timer would wait for a whole millisecond at least. */
  #rest(): void {
    this.#isResting = true;
    this.#immediate = setImmediate(this.#turn);
  }

  #begin(): readonly View[] {
    const views = this.#waiting;
    this.#waiting = [];
    this.#arrived = 0;
    this.#at = 0;
    return views;
  }

  /** Serves a slice of a round. Answers how many readers that were. */
  #serve(views: readonly View[]): number {
    for (let served = 0; ;) {
      const view = views[this.#at];
      if (view === undefined) {
        this.#round = undefined;
        return served;
      }
      if (served >= SLICE) return served;
      if (this.#readers === undefined) {
        // Whoever wakes it from here on wants it to be served again.
        view.isWaiting = false;
        this.#readers = view.lone === undefined ? view.readers[Symbol.iterator]() : undefined;
      }
      served +=
        this.#readers === undefined ? this.#serveLone(view) : this.#serveMany(view, this.#readers, SLICE - served);
    }
  }

  #serveLone(view: View): number {
    const reader = view.lone as Reader;
    reader.pump();
    this.#at++;
    // It may have left meanwhile, and others may have come.
    let slowest = reader.seq;
    if (view.lone !== reader) for (const { seq } of view.readers) slowest = Math.min(slowest, seq);
    view.endTick(slowest);
    return 1;
  }

  #serveMany(view: View, readers: Iterator<Reader>, most: number): number {
    for (let served = 0; served < most; served++) {
      const next = readers.next();
      if (next.done === true) {
        view.endTick(this.#slowest);
        this.#slowest = Infinity;
        this.#readers = undefined;
        this.#at++;
        return served;
      }
      next.value.pump();
      this.#slowest = Math.min(this.#slowest, next.value.seq);
    }
    return most;
  }
}
