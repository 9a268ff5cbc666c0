import { HttpException, Inject, Injectable, ServiceUnavailableException, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { markAsked } from '../access/refusals.js';
import type { Authenticate } from '../access/rules.js';
import type { Grant } from '../access/tickets.js';
import { SseError } from '../errors.js';
import { isEngineTrouble } from '../feed/engine-health.js';
import { exchangeOf } from '../http/exchange-of.js';
import { queryOf, readLastEventId } from '../http/last-event-id.js';
import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';
import { SseRuntime } from './runtime.js';
import { STREAM_METADATA } from './tokens.js';

/**
 * How long after its expiry a principal that comes back to a stream is told to come back later, in ms: a `401` would end
 * its `EventSource` for good, although its page may be about to get a fresh token.
 */
const EXPIRY_GRACE_MS = 60_000;

const GRANT = Symbol.for('nestjs-event-stream.grant');

/** Who a guard has let in. */
export interface Identity extends Grant {
  /** Its time is over, but not for long: it is told to come back. */
  readonly isExpired: boolean;
  /** The ticket to use up when the stream opens. */
  readonly ticket: string | undefined;
}

/** Lets only those in whom a ticket or the module's `authenticate` makes known; who they are is then on the connection. */
@Injectable()
export class StreamGuard implements CanActivate {
  readonly #runtime: SseRuntime;

  constructor(@Inject(SseRuntime) runtime: SseRuntime) {
    this.#runtime = runtime;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<StreamRequest>();
    const { authenticate } = this.#runtime.options;
    if (authenticate === undefined && ticketOf(request) === undefined) {
      throw new SseError('invalid-options', 'StreamGuard needs the option `authenticate` of SseModule');
    }
    return decide(context, this.#runtime, async () => {
      const stranger = await identify(request, this.#runtime);
      if (stranger !== undefined) {
        this.#runtime.refusals.ofRequest(request, stranger.principal, `StreamGuard: ${stranger.why}`);
        throw new UnauthorizedException();
      }
      if (!isOfStream(context)) await redeemTicket(request, this.#runtime).catch(answerUnavailable);
    });
  }
}

/** For the hub route: finds out who asks where the module can, and leaves it to `authorize` what nobody known may read. */
@Injectable()
export class HubGuard implements CanActivate {
  readonly #runtime: SseRuntime;

  constructor(@Inject(SseRuntime) runtime: SseRuntime) {
    this.#runtime = runtime;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<StreamRequest>();
    return decide(context, this.#runtime, async () => {
      if ((await identify(request, this.#runtime)) !== undefined) markAsked(request);
    });
  }
}

/** Who the guard has let in, or `undefined` when there was no guard. */
export function identityOf(request: StreamRequest): Identity | undefined {
  return (request as { [GRANT]?: Identity })[GRANT];
}

/**
 * Uses up the ticket that has let someone in. On a stream's route only when the stream opens: who is told to come back
 * later, or refused by a rule, has not had what it was issued for.
 *
 * @throws UnauthorizedException as a rejection, when another request has used it meanwhile; or what the engine rejects with,
 * and then it has not been used up
 */
export async function redeemTicket(request: StreamRequest, { tickets, refusals }: SseRuntime): Promise<void> {
  const { ticket, principal = null } = identityOf(request) ?? {};
  if (ticket === undefined || (await tickets.redeem(ticket)) !== undefined) return;
  refusals.ofRequest(request, principal, 'its ticket was used by another request meanwhile');
  throw new UnauthorizedException();
}

/** Whether a ticket could not be used up because the log cannot be asked. */
export function isUnavailable(error: unknown): boolean {
  return !(error instanceof HttpException) && isEngineTrouble(error);
}

function answerUnavailable(error: unknown): never {
  throw isUnavailable(error) ? new ServiceUnavailableException(undefined, { cause: error }) : error;
}

function isOfStream(context: ExecutionContext): boolean {
  return Reflect.hasMetadata(STREAM_METADATA, context.getHandler());
}

/** What it waits for, the engine or the application, must not keep the application from closing. */
async function decide(
  context: ExecutionContext,
  { deciding }: SseRuntime,
  decision: () => Promise<unknown>,
): Promise<boolean> {
  const http = context.switchToHttp();
  const request = { destroy: () => exchangeOf(http.getRequest<object>(), http.getResponse<object>()).destroy() };
  deciding.add(request);
  try {
    await decision();
    return true;
  } finally {
    deciding.delete(request);
  }
}

/** Who is not, or no longer, known. */
interface Stranger {
  readonly principal: Principal | null;
  readonly why: string;
}

/** Puts who asks on the request, unless that is a stranger. */
async function identify(request: StreamRequest, runtime: SseRuntime): Promise<Stranger | undefined> {
  const { options, tickets } = runtime;
  const ticket = ticketOf(request);
  const grant = ticket === undefined ? await authenticated(request, options.authenticate) : await tickets.find(ticket);
  if (grant === undefined) {
    const why = ticket === undefined ? '`authenticate` gave nobody' : 'the ticket is unknown, used, or too old';
    return { principal: null, why };
  }
  const { expiresAt } = grant.principal;
  const leftMs = expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
  const graceMs = readLastEventId(request) === undefined ? 0 : EXPIRY_GRACE_MS;
  if (!(leftMs > -graceMs)) return { principal: grant.principal, why: '`expiresAt` is over' };
  // A node that has just been started may not have heard yet of who was revoked.
  await runtime.ready();
  const identity: Identity = { principal: grant.principal, topics: grant.topics, isExpired: leftMs <= 0, ticket };
  Object.defineProperty(request, GRANT, { value: identity, configurable: true });
  return undefined;
}

async function authenticated(
  request: StreamRequest,
  authenticate: Authenticate | undefined,
): Promise<Grant | undefined> {
  const principal: Principal | null | undefined = await authenticate?.(request);
  if (principal === null || principal === undefined) return undefined;
  if (typeof principal.id === 'string') return { principal, topics: undefined };
  throw new SseError('invalid-options', 'authenticate must return a principal with a string `id`, or null');
}

function ticketOf(request: StreamRequest): string | undefined {
  return queryOf(request).get('ticket') ?? undefined;
}
