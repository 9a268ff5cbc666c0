import type { TopicLimits, TopicReader, TopicRules } from '../connection/topic-set.js';
import type { Engine } from '../engine/engine.js';
import { SseError } from '../errors.js';
import { isEngineTrouble } from '../feed/engine-health.js';
import { queryOf, readLastEventId } from '../http/last-event-id.js';
import type { StreamRequest } from '../http/stream-request.js';
import type { Hub } from '../hub/hub.js';
import type { OnSlow } from '../topic/define.js';
import type { Principal } from '../topic/principal.js';
import type { TopicRegistry } from '../topic/registry.js';
import { Authorizer } from './authorizer.js';
import { TicketUsed, identityOf, setIdentity } from './identity.js';
import type { Stranger } from './identity.js';
import type { Authenticate, Authorize } from './options.js';
import { Refusals } from './refusals.js';
import type { RefusalLog } from './refusals.js';
import { RevocationLog } from './revocation-log.js';
import type { Revocation } from './revocations.js';
import { TicketLog } from './ticket-log.js';
import { Tickets } from './tickets.js';
import type { Grant, TicketOptions } from './tickets.js';

/**
 * How long after its expiry a principal that comes back to a stream is told to come back later, in ms: a `401` would end
 * its `EventSource` for good, although its page may be about to get a fresh token.
 */
const EXPIRY_GRACE_MS = 60_000;

/** What decides who may do what. */
export interface AccessOptions extends TopicLimits {
  readonly authenticate: Authenticate | undefined;
  readonly authorize: Authorize | 'public' | undefined;
}

/** What access is built on. */
export interface AccessParts {
  readonly hub: Hub;
  readonly engine: Engine;
  readonly registry: TopicRegistry;
  readonly log: RefusalLog;
  /** Hears of what other nodes could not be told. */
  readonly report: (error: unknown) => void;
  /** Streams of a principal may have to end. */
  readonly onRevoked: (principalId: string) => void;
}

/** Who may do what: the one door at which that is asked. */
export class Access implements TopicRules {
  readonly topicLimits: TopicLimits;
  /** Tells the log who was refused, and why. */
  readonly refusals: Refusals;
  readonly #registry: TopicRegistry;
  readonly #authenticate: Authenticate | undefined;
  readonly #authorizer: Authorizer;
  readonly #revocations: RevocationLog;
  readonly #tickets: Tickets;
  readonly #ticketLog: TicketLog | undefined;

  constructor({ hub, engine, registry, log, report, onRevoked }: AccessParts, options: AccessOptions) {
    this.topicLimits = options;
    this.refusals = new Refusals(log);
    this.#registry = registry;
    this.#authenticate = options.authenticate;
    this.#revocations = new RevocationLog(hub, engine, onRevoked);
    this.#ticketLog = engine.isShared ? new TicketLog(hub, engine, report) : undefined;
    this.#tickets = new Tickets(this.#ticketLog);
    this.#ticketLog?.connect(this.#tickets);
    this.#authorizer = new Authorizer(registry, this.#revocations.current, options.authorize, this.refusals);
  }

  /** Whether anybody can be made out who brings this request. */
  knows(request: StreamRequest): boolean {
    return this.#authenticate !== undefined || ticketOf(request) !== undefined;
  }

  /**
   * Finds out who asks, and notes it on the request.
   *
   * @returns a stranger, if it is one
   * @throws SseError `invalid-options` as a rejection, when `authenticate` gives something else; and what that throws
   */
  async identify(request: StreamRequest): Promise<Stranger | undefined> {
    const ticket = ticketOf(request);
    const grant = ticket === undefined ? await this.#authenticated(request) : await this.#tickets.find(ticket);
    if (grant === undefined) {
      const why = ticket === undefined ? '`authenticate` gave nobody' : 'the ticket is unknown, used, or too old';
      return { principal: null, why };
    }
    const { expiresAt } = grant.principal;
    const leftMs = expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
    const graceMs = readLastEventId(request) === undefined ? 0 : EXPIRY_GRACE_MS;
    if (!(leftMs > -graceMs)) return { principal: grant.principal, why: '`expiresAt` is over' };
    setIdentity(request, { principal: grant.principal, topics: grant.topics, isExpired: leftMs <= 0, ticket });
    return undefined;
  }

  /**
   * Uses up the ticket that has let someone in. On a stream's route only when the stream opens: who is told to come back
   * later, or refused by a rule, has not had what it was issued for. `false`: the log cannot be asked, and it has not been used up.
   *
   * @throws TicketUsed as a rejection
   */
  async redeem(request: StreamRequest): Promise<boolean> {
    const { ticket, principal = null } = identityOf(request) ?? {};
    if (ticket === undefined) return true;
    try {
      if ((await this.#tickets.redeem(ticket)) !== undefined) return true;
    } catch (error) {
      if (isEngineTrouble(error)) return false;
      throw error;
    }
    this.refusals.ofRequest(request, principal, 'its ticket was used by another request meanwhile');
    throw new TicketUsed();
  }

  /** @throws SseError `forbidden` as a rejection, when a reader may not read a name or pattern, and what the application's rule throws */
  async authorize(reader: TopicReader, selector: string): Promise<void> {
    await this.#authorizer.checkTopic(reader, selector);
  }

  /**
   * With no topics: of the principal as a whole.
   *
   * @throws SseError `forbidden` when a reader has been revoked for one of these
   */
  checkRevoked({ principal }: TopicReader, selectors: readonly string[]): void {
    this.#authorizer.checkRevoked(principal, selectors);
  }

  /** Whether a reader has been revoked for one of these. */
  isRevoked({ principal }: TopicReader, selectors: readonly string[]): boolean {
    return this.#revocations.current.denies(principal, selectors, Date.now());
  }

  onSlowOf(selector: string): OnSlow {
    return this.#registry.find(selector)?.definition.onSlow ?? 'resume';
  }

  /** See `TicketOffice.issue`. */
  issueTicket(principal: Principal, options?: TicketOptions): string {
    return this.#tickets.issue(principal, options);
  }

  /** Refuses what a principal wants to read from now on, for so long. Rejects when the other nodes could not be told. */
  async revoke(revocation: Revocation, forMs: number): Promise<void> {
    await this.#revocations.revoke(revocation, forMs);
  }

  async reinstate(revocation: Revocation): Promise<void> {
    await this.#revocations.reinstate(revocation);
  }

  /** Resolves when all that was revoked is known here, or after 5 s. */
  ready(): Promise<void> {
    return this.#revocations.ready();
  }

  close(): void {
    this.#revocations.close();
    this.#ticketLog?.close();
  }

  async #authenticated(request: StreamRequest): Promise<Grant | undefined> {
    const principal: Principal | null | undefined = await this.#authenticate?.(request);
    if (principal === null || principal === undefined) return undefined;
    if (typeof principal.id === 'string') return { principal, topics: undefined };
    throw new SseError('invalid-options', 'authenticate must return a principal with a string `id`, or null');
  }
}

function ticketOf(request: StreamRequest): string | undefined {
  return queryOf(request).get('ticket') ?? undefined;
}
