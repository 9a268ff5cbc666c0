/** More was asked than one question may cost. Says nothing of the server. */
export class TooMuchError extends Error {}

/** What it costs to ask, in units of some 10 µs: measured with nats-server 2.9.10 over loopback, on the server and here together. */
export const COST = {
  /** One message. */
  get: 10,
  /** A consumer that is made and removed. */
  consumer: 100,
  /** An event that comes from a consumer of one topic. The server looks at those of all others to find it. */
  row: 4,
  /** An event that comes from a consumer of all topics. */
  laneRow: 1,
  /** Of data that is sent. */
  byte: 1 / 4_000,
} as const;

/** So many single questions take as long as making a consumer and removing it: 3 ms, measured on loopback. */
export const ONE_BY_ONE = 32;

/** What it costs to load so many events of each of several topics: first one by one, and when they are many, with a consumer. */
export function costOf(counts: readonly number[]): number {
  return counts.reduce(
    (sum, count) =>
      sum + (count < ONE_BY_ONE ? count * COST.get : ONE_BY_ONE * COST.get + COST.consumer + count * COST.row),
    0,
  );
}

/** What costs more waits for its turn, so that all else keeps its latency: 0.2 s. */
export const HEAVY = 20_000;
/** What a question about several topics may cost: about a second. */
export const MAX = 100_000;
/** What one about a single topic may cost: as long as the longest topic can be, so that each can be read. */
const MAX_OF_ONE = 600_000;
/** What each event may cost in addition that nobody but the application can make many. */
const OF_WANTED = 8;
/** More do not wait for their turn. */
const MAX_WAITING = 4;
/** The part of a call's time that it may wait for its turn, and the part after which much work is too much. */
const PATIENCE = 0.3;
const LATE = 0.75;

/** Lets one at a time do heavy work. */
export class Turns {
  readonly #waiting = new Set<(isMine: boolean) => void>();
  #isTaken = false;

  /** Resolves to `false` when it does not come in time, or too many wait. */
  async take(ms: number): Promise<boolean> {
    if (!this.#isTaken) return (this.#isTaken = true);
    if (this.#waiting.size >= MAX_WAITING) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer(false), ms);
      const answer = (isMine: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(answer);
        resolve(isMine);
      };
      this.#waiting.add(answer);
    });
  }

  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#isTaken = false;
    else next(true);
  }
}

/** What a question may cost. */
export interface Bounds {
  /**
   * To be awaited before that is done which costs so much.
   *
   * @throws TooMuchError
   */
  spend(cost: number): Promise<void> | undefined;
  /**
   * To be awaited before something is begun that will cost about so much.
   *
   * @throws TooMuchError
   */
  allow(cost: number): Promise<void> | undefined;
  /** @throws TooMuchError when so much is too much, or it is too late for much */
  check(cost: number): void;
}

/** For what no client can make large. */
export const UNBOUNDED: Bounds = { spend: () => undefined, allow: () => undefined, check: () => undefined };

/** What one question has cost so far, and whether it may go on. To be ended. */
export class Effort implements Bounds {
  readonly #turns: Turns;
  readonly #limit: number;
  readonly #waitMs: number;
  readonly #lateAt: number;
  #spent = 0;
  #turn: Promise<void> | undefined;
  #hasTurn = false;
  #isOver = false;

  /**
   * @param wanted how many events of each topic are wanted, where the application has said so
   * @param deadline when the question must have been answered, `timeoutMs` after it was asked
   */
  constructor(turns: Turns, topics: number, wanted: number, deadline: number, timeoutMs: number) {
    this.#turns = turns;
    this.#limit = topics > 1 ? Math.min(MAX + OF_WANTED * topics * wanted, MAX_OF_ONE) : MAX_OF_ONE;
    this.#waitMs = PATIENCE * timeoutMs;
    this.#lateAt = deadline - (1 - LATE) * timeoutMs;
  }

  spend(cost: number): Promise<void> | undefined {
    this.#spent += cost;
    return this.allow(0);
  }

  allow(cost: number): Promise<void> | undefined {
    this.check(cost);
    if (this.#spent + cost <= HEAVY || this.#hasTurn) return undefined;
    return (this.#turn ??= this.#takeTurn());
  }

  check(cost: number): void {
    const sum = this.#spent + cost;
    if (this.#isOver || sum > this.#limit) throw new TooMuchError('More than one question may cost');
    if (sum > HEAVY && performance.now() > this.#lateAt) throw new TooMuchError('More than there is time for');
  }

  end(): void {
    this.#isOver = true;
    if (this.#hasTurn) this.#turns.give();
    this.#hasTurn = false;
  }

  async #takeTurn(): Promise<void> {
    const isMine = await this.#turns.take(this.#waitMs);
    if (isMine && this.#isOver) this.#turns.give();
    if (!isMine || this.#isOver) throw new TooMuchError('Others ask as much');
    this.#hasTurn = true;
  }
}
