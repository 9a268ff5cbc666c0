import { createHash, randomBytes } from 'node:crypto';
import { SseError, describe } from '../errors.js';
import { checkPattern } from '../topic/pattern.js';
import type { Principal } from '../topic/principal.js';
import { checkPortable } from './portable-principal.js';

export interface TicketOptions {
  /** The names and patterns that the stream may read. Absent: whatever `authorize` allows the principal. */
  readonly topics?: readonly string[] | undefined;
  /**
   * How long the ticket can be used, in ms.
   *
   * Bounds: `1` to `3_600_000`.
   *
   * @default 30_000
   */
  readonly ttlMs?: number | undefined;
}

/** What a ticket lets its bearer do. */
export interface Grant {
  readonly principal: Principal;
  readonly topics: readonly string[] | undefined;
}

export interface StoredTicket extends Grant {
  readonly expiresAtMs: number;
}

/** How the nodes that share a log share their tickets. */
export interface TicketStore {
  issued(hash: string, ticket: StoredTicket): void;
  /** Resolves when a ticket is known here, or will not be. */
  arrival(hash: string): Promise<void>;
  /** Resolves to whether it was used here first. Rejects when the log cannot be asked in time. */
  claim(hash: string): Promise<boolean>;
}

export const MAX_TICKET_TTL_MS = 3_600_000;
/** Bounds what someone who is served tickets can make the process keep. The oldest go first. */
export const MAX_TICKETS = 100_000;

/**
 * One-time codes for clients that cannot send headers, such as a browser's `EventSource`: `?ticket=<code>` stands for the
 * principal that it was issued to, once.
 */
export class Tickets {
  readonly #shared: TicketStore | undefined;
  /** By hash, so that a dump of the memory gives no ticket away. In the order of issue. */
  readonly #stored = new Map<string, StoredTicket>();

  /** @param shared `undefined` when no other process shares the log */
  constructor(shared?: TicketStore) {
    this.#shared = shared;
  }

  /**
   * Issues a ticket: 256 random bits, URL-safe.
   *
   * @throws SseError `invalid-options` or `invalid-topic`
   */
  issue(principal: Principal, { topics, ttlMs = 30_000 }: TicketOptions = {}): string {
    checkPortable(principal);
    if (typeof ttlMs !== 'number' || !(ttlMs >= 1 && ttlMs <= MAX_TICKET_TTL_MS)) {
      throw new SseError(
        'invalid-options',
        `ttlMs must be a number of ms from 1 to ${MAX_TICKET_TTL_MS}, got ${describe(ttlMs)}`,
      );
    }
    for (const topic of topics ?? []) checkPattern(topic);
    const code = randomBytes(32).toString('base64url');
    const ticket = { principal, topics: topics && [...topics], expiresAtMs: Date.now() + ttlMs };
    this.add(hash(code), ticket);
    this.#shared?.issued(hash(code), ticket);
    return code;
  }

  /** What a ticket is good for, without using it up. `undefined`: there is none, or not any more. */
  async find(code: string): Promise<Grant | undefined> {
    const key = hash(code);
    if (!this.has(key)) await this.#shared?.arrival(key);
    return this.#get(key);
  }

  /** Uses a ticket up. `undefined`: there is none, or not any more. Rejects, and leaves it, when the log cannot be asked in time. */
  async redeem(code: string): Promise<Grant | undefined> {
    const key = hash(code);
    const found = this.#get(key);
    // At once, so that of two requests here only one goes on.
    this.delete(key);
    if (found === undefined || this.#shared === undefined) return found;
    try {
      return (await this.#shared.claim(key)) ? found : undefined;
    } catch (error) {
      this.add(key, found);
      throw error;
    }
  }

  has(key: string): boolean {
    return this.#stored.has(key);
  }

  /** Takes in a ticket, by the hash of its code. */
  add(key: string, ticket: StoredTicket): void {
    this.#makeRoom(Date.now());
    this.#stored.set(key, ticket);
  }

  delete(key: string): void {
    this.#stored.delete(key);
  }

  #get(key: string): StoredTicket | undefined {
    const stored = this.#stored.get(key);
    return stored !== undefined && stored.expiresAtMs > Date.now() ? stored : undefined;
  }

  #makeRoom(nowMs: number): void {
    for (const [key, { expiresAtMs }] of this.#stored) {
      if (expiresAtMs > nowMs && this.#stored.size < MAX_TICKETS) return;
      this.#stored.delete(key);
    }
  }
}

function hash(code: string): string {
  return createHash('sha256').update(code).digest('base64url');
}
