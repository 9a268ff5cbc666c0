import { apart } from '../engine/apart.js';
import type { RunMessage } from './run-table.js';

/** What the leases of a node have to do with the rest of it. */
export interface LeasesOwner {
  /** This node's own, as long as it has not been counted as gone. */
  readonly session: string;
  /** Those who produce runs, of all nodes. */
  readonly sessions: Iterable<string>;
  isProducing(session: string): boolean;
  /** Rejects with the engine's error. */
  send(message: RunMessage): Promise<unknown>;
  /** Takes in all that is stored by now. Rejects with the engine's error. */
  refresh(): Promise<void>;
}

/** Of the lease, so much passes between two signs of life. */
const BEAT = 1 / 3;
/** How soon is looked again at those who are being asked. */
const LOOK_MS = 50;
/** After a beat that could not be stored. */
const AGAIN_MS = 250;
/** Who is asked whether he lives has so long to say so. */
const ANSWER_MS = 400;
/** Of the lease, nobody can have taken anything away meanwhile. */
const SAFE = 0.8;

/**
 * Who is alive. A node that has runs says so from time to time; and each node watches those that others have. Of whom nothing is heard for
 * the time of a lease is asked; and who does not answer counts as gone, if the log says that his lease is over.
 */
export class Leases {
  readonly #owner: LeasesOwner;
  readonly #leaseMs: number;
  /** When each session was heard of last, on the clock of `performance.now()`, and how long that is good for. */
  readonly #heard = new Map<string, { atMs: number; leaseMs: number }>();
  readonly #asking = new Map<string, Promise<void>>();
  #beat: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  /** When the last beat that was stored was sent. */
  #beatAtMs = -Infinity;
  #isClosed = false;

  constructor(owner: LeasesOwner, leaseMs: number) {
    this.#owner = owner;
    this.#leaseMs = leaseMs;
  }

  /** Whether this node's runs are certainly its own. */
  get isSafe(): boolean {
    return performance.now() - this.#beatAtMs < this.#leaseMs * SAFE;
  }

  /** This node has been heard to live: something was stored that was sent at this time. */
  renewed(sentAtMs: number): void {
    this.#beatAtMs = Math.max(this.#beatAtMs, sentAtMs);
  }

  /** @param ageMs how long ago that was */
  heard(session: string, leaseMs: number, ageMs: number): void {
    const atMs = performance.now() - Math.max(0, ageMs);
    const before = this.#heard.get(session);
    if (before === undefined || before.atMs < atMs) this.#heard.set(session, { atMs, leaseMs });
  }

  forget(session: string): void {
    this.#heard.delete(session);
  }

  /** To be called when there are runs, or others: what is needed for them is begun, and ends by itself. */
  attend(): void {
    if (this.#isClosed) return;
    if (this.#owner.isProducing(this.#owner.session)) this.#beat ??= this.#in(this.#leaseMs * BEAT, this.#onBeat);
    if (this.#look === undefined && this.#others().length > 0) this.#look = this.#in(this.#untilDue(), this.#onLook);
  }

  /** Somebody doubts that a session lives. */
  doubted(session: string): void {
    if (session === this.#owner.session && this.#owner.isProducing(session)) void this.#send();
  }

  /** Says that this node lives. Rejects with the engine's error. */
  async say(): Promise<void> {
    const { session } = this.#owner;
    const sentAtMs = performance.now();
    await this.#owner.send({ op: 'beat', session, leaseMs: this.#leaseMs });
    // It may have been counted as gone before that was stored, and others may have written the ends of its runs.
    await this.#owner.refresh();
    if (session === this.#owner.session) this.renewed(sentAtMs);
  }

  /** Before somebody takes over a run: has a session that is silent say that it lives, if it does, or counts it as gone. */
  async settle(session: string): Promise<void> {
    if (session !== this.#owner.session) return this.#isDue(session) ? this.#ask(session) : undefined;
    if (!this.isSafe) await this.say().catch(ignore);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#beat);
    clearTimeout(this.#look);
  }

  #in(ms: number, call: () => void): NodeJS.Timeout {
    return apart(() => setTimeout(call, ms).unref());
  }

  readonly #onBeat = (): void => {
    void this.#send();
  };

  async #send(): Promise<void> {
    clearTimeout(this.#beat);
    const isSaid = await this.say().then(
      () => true,
      () => false,
    );
    clearTimeout(this.#beat);
    this.#beat = undefined;
    if (isSaid) return this.attend();
    if (!this.#isClosed) this.#beat = this.#in(Math.min(AGAIN_MS, this.#leaseMs * BEAT), this.#onBeat);
  }

  readonly #onLook = (): void => {
    this.#look = undefined;
    for (const session of this.#others()) if (this.#isDue(session)) void this.#ask(session);
    this.attend();
  };

  #isDue(session: string): boolean {
    return this.#leftOf(session) < 0;
  }

  /** For how long nothing need be heard of a session, in ms. */
  #leftOf(session: string): number {
    const { atMs, leaseMs } = this.#heard.get(session) ?? { atMs: -Infinity, leaseMs: this.#leaseMs };
    return atMs + leaseMs - performance.now();
  }

  /** Until the first lease may be over. */
  #untilDue(): number {
    const left = this.#others().map((session) => this.#leftOf(session));
    return Math.min(Math.max(Math.min(...left) + 1, LOOK_MS), this.#leaseMs * BEAT);
  }

  #ask(session: string): Promise<void> {
    const asking = this.#asking.get(session) ?? this.#askNow(session);
    this.#asking.set(session, asking);
    return asking;
  }

  /** Asks first: the engine may have been away, and this process may have stood still. */
  async #askNow(session: string): Promise<void> {
    try {
      // What it has said may only be late here.
      await this.#owner.refresh();
      if (!this.#isDue(session)) return;
      const before = this.#heard.get(session)?.atMs;
      await this.#owner.send({ op: 'doubt', session });
      await new Promise((resolve) => this.#in(ANSWER_MS, () => resolve(undefined)));
      await this.#owner.refresh();
      const isSilent = this.#heard.get(session)?.atMs === before;
      const isNeeded = isSilent && this.#others().includes(session);
      if (isNeeded && !this.#isClosed) await this.#owner.send({ op: 'reap', session, by: this.#owner.session });
    } catch {
      // The engine is away: the next look asks again.
    } finally {
      this.#asking.delete(session);
    }
  }

  #others(): string[] {
    return [...this.#owner.sessions].filter((session) => session !== this.#owner.session);
  }
}

function ignore(): void {
  // The engine is away: what is wanted of it next fails, too.
}
