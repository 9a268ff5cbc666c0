import { setTimeout as delay } from 'node:timers/promises';
import { apart } from '../engine/apart.js';
import type { Engine, Retention } from '../engine/engine.js';
import type { Hub } from '../hub/hub.js';
import { OwnTopic } from '../hub/own-topic.js';
import type { Position } from '../topic/position.js';
import { Revocations } from './revocations.js';
import type { Revocation, TimedRevocation } from './revocations.js';

type RevocationMessage =
  | (Revocation & { readonly op: 'revoke'; readonly forMs: number })
  | (Revocation & { readonly op: 'reinstate' })
  | { readonly op: 'keep'; readonly revocations: readonly TimedRevocation[] };

/** What holds is told again from time to time, so that no log is too short or too full for it. */
const RETENTION: Retention = { maxEvents: 10_000, maxBytes: 33_554_432, maxAgeMs: Infinity };
const KEEP_MS = 60_000;
/** Or sooner, after so many messages. The least that is retained of a topic is 1,000 (NATS, unless it is told otherwise). */
const KEEP_AFTER = 300;
const KEPT_AT_ONCE = 500;
/** What the log still has is read in this time, mostly; what is told although it has it does no harm. */
const TELL_LOST_MS = 100;
/** What was taken back lately, in case that a node that had not heard of it tells it again. */
const MAX_REINSTATED = 10_000;

/** The revocations that all nodes know of, those that were made before this one was started too. */
export class RevocationLog {
  readonly current = new Revocations();
  readonly #topic: OwnTopic<RevocationMessage>;
  readonly #onRevoked: (principalId: string) => void;
  readonly #reinstatedAt = new Map<string, number>();
  readonly #closing = new AbortController();
  /** What a log that was put back may not have, until it is told again. */
  #lost: Map<string, TimedRevocation> | undefined;
  #isKeeping = false;
  #keptAt = performance.now();
  #sinceKept = 0;
  readonly #keepMs: number;

  /**
   * @param onRevoked is called when streams of a principal may have to end
   * @param keepMs how often what holds is told again
   */
  constructor(hub: Hub, engine: Engine, onRevoked: (principalId: string) => void, keepMs = KEEP_MS) {
    this.#onRevoked = onRevoked;
    this.#keepMs = keepMs;
    const onMessage = (message: RevocationMessage, { at }: Position): void => this.#take(message, at);
    const onLost = (): void => void this.#tellLost();
    this.#topic = new OwnTopic(hub, engine, { name: '/revocations', retention: RETENTION, onMessage, onLost });
  }

  /** Resolves when all that was revoked is known here, or after 5 s: then what has been revoked ends once it is known. */
  ready(): Promise<void> {
    if (!this.#isKeeping) void apart(() => this.#keepOn());
    this.#isKeeping = true;
    return this.#topic.ready();
  }

  /** Holds here at once. Rejects when the other nodes could not be told. */
  async revoke(revocation: Revocation, forMs: number): Promise<void> {
    this.#add(revocation, Date.now(), forMs);
    await this.#topic.send({ op: 'revoke', ...revocation, forMs });
  }

  async reinstate(revocation: Revocation): Promise<void> {
    this.current.delete(revocation);
    await this.#topic.send({ op: 'reinstate', ...revocation });
  }

  close(): void {
    this.#closing.abort();
    this.#topic.close();
  }

  /** One of the nodes tells again what holds; the others hear it and need not. */
  async #keepOn(): Promise<void> {
    const { signal } = this.#closing;
    await this.#topic.load();
    for (;;) {
      await delay((this.#keepMs / 4) * (0.5 + Math.random()), undefined, { ref: false, signal }).catch(ignore);
      if (signal.aborted) return;
      if (performance.now() - this.#keptAt >= this.#keepMs) await this.#keep();
    }
  }

  /** The log is an older one, or another: what was said since is known only to those who were there. They tell it again at once. */
  async #tellLost(): Promise<void> {
    const { signal } = this.#closing;
    this.#lost ??= new Map();
    for (const each of this.current.current(Date.now())) this.#lost.set(keyOf(each), each);
    // What the log has comes meanwhile, and what other nodes tell.
    await delay(TELL_LOST_MS * (1 + Math.random()), undefined, { ref: false, signal }).catch(ignore);
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined && !signal.aborted) await this.#send([...lost.values()]);
  }

  async #keep(): Promise<void> {
    const all = [...this.current.current(Date.now())];
    this.#noteKept();
    await this.#send(all);
  }

  async #send(all: readonly TimedRevocation[]): Promise<void> {
    for (let from = 0; from < all.length; from += KEPT_AT_ONCE) {
      // The next time comes, here or on another node.
      await this.#topic.send({ op: 'keep', revocations: all.slice(from, from + KEPT_AT_ONCE) }).catch(ignore);
    }
  }

  #noteKept(): void {
    this.#keptAt = performance.now();
    this.#sinceKept = 0;
  }

  #take(message: RevocationMessage, atMs: number): void {
    if (message.op === 'keep') {
      this.#noteKept();
      for (const kept of message.revocations) this.#takeKept(kept);
      return;
    }
    const { op, principalId, topic } = message;
    if (op === 'reinstate') {
      this.current.delete({ principalId, topic });
      this.#noteReinstated(keyOf(message), atMs);
    } else if (op === 'revoke' && atMs + message.forMs > Date.now()) {
      this.#takeRevoked(message, atMs);
    }
    if (++this.#sinceKept >= KEEP_AFTER) this.#keptAt = -Infinity;
  }

  #takeRevoked({ principalId, topic, forMs }: Revocation & { readonly forMs: number }, atMs: number): void {
    const key = keyOf({ principalId, topic });
    this.#lost?.delete(key);
    const isTakenBack = (this.#reinstatedAt.get(key) ?? -Infinity) >= atMs;
    if (!isTakenBack) return this.#add({ principalId, topic }, atMs, forMs);
    // In a log that was put back, its end may be lost. In any other it comes once more.
    if (this.#lost !== undefined) this.#topic.send({ op: 'reinstate', principalId, topic }).catch(ignore);
  }

  #takeKept(kept: TimedRevocation): void {
    const { principalId, topic, sinceMs, untilMs } = kept;
    this.#lost?.delete(keyOf(kept));
    if (
      this.current.has(kept) ||
      untilMs <= Date.now() ||
      (this.#reinstatedAt.get(keyOf(kept)) ?? -Infinity) >= sinceMs
    )
      return;
    this.#add({ principalId, topic }, sinceMs, untilMs - sinceMs);
  }

  #noteReinstated(key: string, atMs: number): void {
    const [oldest] = this.#reinstatedAt.keys();
    if (this.#reinstatedAt.size >= MAX_REINSTATED && oldest !== undefined) this.#reinstatedAt.delete(oldest);
    this.#reinstatedAt.set(key, atMs);
  }

  #add(revocation: Revocation, atMs: number, forMs: number): void {
    this.current.add(revocation, atMs, forMs);
    this.#onRevoked(revocation.principalId);
  }
}

function keyOf({ principalId, topic }: Revocation): string {
  return JSON.stringify([principalId, topic]);
}

function ignore(): void {
  // The process is closing, or the engine is away: that is told elsewhere.
}
