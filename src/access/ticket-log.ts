import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, Retention } from '../engine/engine.js';
import { SseError } from '../errors.js';
import type { Hub } from '../hub/hub.js';
import { OwnTopic } from '../hub/own-topic.js';
import type { Principal } from '../topic/principal.js';
import { MAX_TICKETS, MAX_TICKET_TTL_MS } from './tickets.js';
import type { StoredTicket, TicketStore, Tickets } from './tickets.js';

type TicketMessage =
  | { readonly op: 'issued'; readonly hash: string; readonly ticket: StoredTicket }
  | { readonly op: 'used'; readonly hash: string; readonly by: string };

const RETENTION: Retention = { maxEvents: 2 * MAX_TICKETS, maxBytes: 67_108_864, maxAgeMs: MAX_TICKET_TTL_MS };
/** A ticket that was issued on another node may come here a little later than its bearer. */
const ARRIVAL_MS = 1_000;
/** How long its bearer waits for the log. */
const CLAIM_MS = 5_000;

/**
 * Lets every node know the tickets of all, by hash. Who uses one up is decided by the order of the log: of two nodes that
 * are shown it at once, one lets its bearer in.
 */
export class TicketLog implements TicketStore {
  readonly #topic: OwnTopic<TicketMessage>;
  readonly #report: (error: unknown) => void;
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Who has used a ticket first, in the order of the log. */
  readonly #usedBy = new Map<string, string>();
  readonly #claims = new Map<string, () => void>();
  #tickets: Tickets | undefined;

  /** @param report hears of tickets that the other nodes could not be told of */
  constructor(hub: Hub, engine: Engine, report: (error: unknown) => void) {
    this.#report = report;
    const onMessage = (message: TicketMessage): void => this.#take(message);
    this.#topic = new OwnTopic(hub, engine, { name: '/tickets', retention: RETENTION, onMessage });
  }

  connect(tickets: Tickets): void {
    this.#tickets = tickets;
  }

  issued(hash: string, ticket: StoredTicket): void {
    const { principal } = ticket;
    const sent = { ...ticket, principal: withNumbers(principal) };
    this.#topic.send({ op: 'issued', hash, ticket: sent }).catch(this.#report);
  }

  async arrival(hash: string): Promise<void> {
    await this.#topic.ready();
    if (this.#tickets?.has(hash) === true) return;
    const done = new AbortController();
    const waiting = this.#waiting.get(hash) ?? new Set();
    const arrived = (): void => done.abort();
    this.#waiting.set(hash, waiting.add(arrived));
    await delay(ARRIVAL_MS, undefined, { signal: done.signal }).catch(() => undefined);
    waiting.delete(arrived);
    if (waiting.size === 0) this.#waiting.delete(hash);
  }

  async claim(hash: string): Promise<boolean> {
    await this.#topic.ready();
    const by = randomUUID();
    const heard = new Promise<void>((resolve) => this.#claims.set(by, resolve));
    const settled = new AbortController();
    try {
      await this.#topic.send({ op: 'used', hash, by });
      await Promise.race([heard, tooLate(settled.signal)]);
      return this.#usedBy.get(hash) === by;
    } finally {
      settled.abort();
      this.#claims.delete(by);
    }
  }

  close(): void {
    this.#topic.close();
    for (const settle of this.#claims.values()) settle();
  }

  #take(message: TicketMessage): void {
    const { op, hash } = message;
    if (op === 'issued') {
      // A log that was put back has it again, and not its use, of which a new node hears from this one only.
      if (this.#usedBy.has(hash)) return this.#tellUse(hash, message.ticket);
      this.#tickets?.add(hash, message.ticket);
      for (const arrived of this.#waiting.get(hash) ?? []) arrived();
    } else if (op === 'used') {
      this.#tickets?.delete(hash);
      if (!this.#usedBy.has(hash)) this.#noteUser(hash, message.by);
      this.#claims.get(message.by)?.();
    }
  }

  #tellUse(hash: string, { expiresAtMs }: StoredTicket): void {
    const by = this.#usedBy.get(hash);
    if (by !== undefined && expiresAtMs > Date.now()) this.#topic.send({ op: 'used', hash, by }).catch(this.#report);
  }

  #noteUser(hash: string, by: string): void {
    const [oldest] = this.#usedBy.keys();
    if (this.#usedBy.size >= MAX_TICKETS && oldest !== undefined) this.#usedBy.delete(oldest);
    this.#usedBy.set(hash, by);
  }
}

async function tooLate(settled: AbortSignal): Promise<never> {
  await delay(CLAIM_MS, undefined, { signal: settled });
  throw new SseError('engine-uncertain', `The log has not delivered the use of a ticket within ${CLAIM_MS} ms`);
}

/** Times as JSON keeps them. */
function withNumbers(principal: Principal): Principal {
  const { expiresAt, issuedAt } = principal;
  return {
    ...principal,
    ...(expiresAt !== undefined && { expiresAt: Number(expiresAt) }),
    ...(issuedAt !== undefined && { issuedAt: Number(issuedAt) }),
  };
}
