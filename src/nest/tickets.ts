import { createHash, randomBytes } from 'node:crypto';
import { SseError, describe } from '../errors.js';
import type { Principal } from '../topic/define.js';
import { checkPattern } from '../topic/pattern.js';

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

interface Stored extends Grant {
  readonly expiresAtMs: number;
}

const MAX_TTL_MS = 3_600_000;
/** Bounds what someone who is served tickets can make the process keep. The oldest go first. */
const MAX_TICKETS = 100_000;

/**
 * One-time codes for clients that cannot send headers, such as a browser's `EventSource`: `?ticket=<code>` stands for the
 * principal that it was issued to, once. Kept in this process.
 */
export class Tickets {
  /** By hash, so that a dump of the memory gives no ticket away. In the order of issue. */
  readonly #stored = new Map<string, Stored>();

  /**
   * Issues a ticket: 256 random bits, URL-safe.
   *
   * @throws SseError `invalid-options` or `invalid-topic`
   */
  issue(principal: Principal, { topics, ttlMs = 30_000 }: TicketOptions = {}): string {
    if (typeof principal?.id !== 'string') {
      throw new SseError(
        'invalid-options',
        `A ticket is issued to a principal with a string id, got ${describe(principal)}`,
      );
    }
    if (typeof ttlMs !== 'number' || !(ttlMs >= 1 && ttlMs <= MAX_TTL_MS)) {
      throw new SseError(
        'invalid-options',
        `ttlMs must be a number of ms from 1 to ${MAX_TTL_MS}, got ${describe(ttlMs)}`,
      );
    }
    for (const topic of topics ?? []) checkPattern(topic);
    const now = Date.now();
    this.#makeRoom(now);
    const code = randomBytes(32).toString('base64url');
    this.#stored.set(hash(code), { principal, topics: topics && [...topics], expiresAtMs: now + ttlMs });
    return code;
  }

  /** What a ticket is good for, without using it up. `undefined`: there is none, or not any more. */
  find(code: string): Grant | undefined {
    const stored = this.#stored.get(hash(code));
    return stored !== undefined && stored.expiresAtMs > Date.now() ? stored : undefined;
  }

  /** Uses a ticket up. `undefined`: there is none, or not any more. */
  redeem(code: string): Grant | undefined {
    const found = this.find(code);
    this.#stored.delete(hash(code));
    return found;
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
