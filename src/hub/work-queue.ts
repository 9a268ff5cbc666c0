import { Fifo } from '../engine/fifo.js';

/** An engine that answers from afar is asked so many questions at once; the others wait for their turn. */
const MAX_AT_ONCE = 16;
/** Of which so few may be long: each is many questions, and Redis and NATS answer one after the other. */
const MAX_LONG_AT_ONCE = 2;
/** So long a turn of the event loop is worked on questions whose answers are at hand. Then all others have theirs. */
const TURN_MS = 4;

/**
 * Bounds what readers of the log may ask for: few questions are under way at once, in the order in which they came, and the event loop gets a
 * turn after some ms of them. An engine in memory answers without ever letting it have one, and a single client can ask for
 * a million events.
 */
export class WorkQueue {
  readonly #now: () => number;
  readonly #waiting = new Fifo<() => void>();
  readonly #longWaiting = new Fifo<() => void>();
  #running = 0;
  #longRunning = 0;
  /** Whether one has been told to start and has not: only then it is known how long its part of this turn took. */
  #isStarting = false;
  /** Until when this turn is worked; `undefined` before anything has been. */
  #turnEndsAt: number | undefined;
  #turn: Promise<void> | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #endTurn: (() => void) | undefined;
  #isClosed = false;

  /** @param now the clock, in ms; for tests */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length + this.#longWaiting.length;
  }

  /**
   * Runs a piece of work when it is its turn, and answers what it does.
   *
   * @param isLong takes its turn with its like: short ones go by
   */
  async run<T>(work: () => Promise<T>, isLong = false): Promise<T> {
    if (this.waiting > 0 || !this.#hasRoom(isLong)) {
      const waiting = isLong ? this.#longWaiting : this.#waiting;
      const started = new Promise<void>((start) => waiting.push(start));
      this.#startNext();
      await started;
    } else this.#begin(isLong);
    const answer = work();
    this.#isStarting = false;
    this.#startNext();
    try {
      return await answer;
    } finally {
      this.#running--;
      if (isLong) this.#longRunning--;
      this.#startNext();
    }
  }

  /** What a long piece of work waits for between its parts: the next turn, when this one has taken long enough. */
  pause(): Promise<void> | undefined {
    if (this.#hasTime() || this.#isClosed) return undefined;
    return (this.#turn ??= new Promise((resolve) => (this.#endTurn = resolve)));
  }

  /** Lets go of all who wait, without a turn between them: they find out that it is over. */
  close(): void {
    this.#isClosed = true;
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#beginTurn();
  }

  #hasRoom(isLong: boolean): boolean {
    if (this.#isClosed) return true;
    const isTaken = this.#running >= MAX_AT_ONCE || (isLong && this.#longRunning >= MAX_LONG_AT_ONCE);
    return !isTaken && this.#hasTime();
  }

  #hasTime(): boolean {
    if (this.#turnEndsAt === undefined) {
      this.#turnEndsAt = this.#now() + TURN_MS;
      this.#immediate = setImmediate(this.#beginTurn);
    }
    return this.#now() < this.#turnEndsAt;
  }

  #startNext(): void {
    if (this.#isStarting) return;
    // Long ones first: there are few at once, and they would otherwise never begin while many short ones come.
    const isLong = this.#longWaiting.length > 0 && this.#hasRoom(true);
    if (!isLong && (this.#waiting.length === 0 || !this.#hasRoom(false))) return;
    this.#isStarting = true;
    this.#begin(isLong);
    (isLong ? this.#longWaiting : this.#waiting).shift()?.();
  }

  #begin(isLong: boolean): void {
    this.#running++;
    if (isLong) this.#longRunning++;
  }

  readonly #beginTurn = (): void => {
    this.#immediate = undefined;
    this.#turnEndsAt = undefined;
    this.#endTurn?.();
    this.#turn = undefined;
    this.#endTurn = undefined;
    this.#startNext();
  };
}
