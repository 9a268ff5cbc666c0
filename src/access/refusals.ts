import type { SseConnection } from '../connection/sse-connection.js';
import { describe } from '../errors.js';
import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';
import type { RefusalReason } from '../wire/words.js';

const ASKED = Symbol.for('nestjs-event-stream.asked');

/** Where it is told. */
export interface RefusalLog {
  log(level: 'debug' | 'warn', message: string): void;
}

/** Who was refused, and what. */
export interface Refused {
  readonly principal: Principal | null;
  readonly request?: StreamRequest | undefined;
}

/** Marks a request of which a guard of this module has found out that nobody is known. */
export function markAsked(request: StreamRequest): void {
  Object.defineProperty(request, ASKED, { value: true, configurable: true });
}

/**
 * Tells the log who was refused what, and by which rule: the answer says nothing of it. No credential, and no ticket, is
 * in a line.
 */
export class Refusals {
  readonly #log: RefusalLog;
  /** The routes that a warning was given of. */
  readonly #warned = new Set<string>();

  constructor(log: RefusalLog) {
    this.#log = log;
  }

  /** By a rule for topics, or for a principal as a whole. */
  ofTopics({ principal, request }: Refused, selectors: readonly string[], rule: string): void {
    const what = selectors.length === 0 ? 'a stream' : selectors.map(describe).join(', ');
    this.#log.log('debug', `Refused ${what} to ${nameOf(principal)}: ${rule}`);
    if (principal === null && request !== undefined && !(ASKED in request)) this.#warn(request);
  }

  /** By a guard. */
  ofRequest(request: StreamRequest, principal: Principal | null, rule: string): void {
    this.#log.log('debug', `Refused ${routeOf(request)} to ${nameOf(principal)}: ${rule}`);
  }

  /** For now. */
  later({ principal, request }: Pick<SseConnection, 'principal' | 'request'>, reason: RefusalReason): void {
    this.#log.log('debug', `Told ${nameOf(principal)} to come back later to ${routeOf(request)}: ${reason}`);
  }

  #warn(request: StreamRequest): void {
    const route = routeOf(request);
    if (this.#warned.has(route)) return;
    this.#warned.add(route);
    this.#log.log(
      'warn',
      `${route} was refused to nobody known, because the route has no StreamGuard: without it a rule is asked with the principal null. ` +
        'Add @UseGuards(StreamGuard), behind a guard of your own if there is one, and the option `authenticate`, ' +
        'which can take over whom that has found out: authenticate: ({ user }) => user ? { id: user.id } : null',
    );
  }
}

/** Between one and three times as long, so that those who were refused together do not come back together. */
export function spread(retryMs: number): number {
  return Math.round(retryMs * (1 + 2 * Math.random()));
}

function nameOf(principal: Principal | null): string {
  return principal === null ? 'nobody known' : `the principal ${describe(principal.id)}`;
}

/** The route as Express or Fastify knows it, so that requests of one route are told apart from others whatever their URL has in it. */
function routeOf(request: StreamRequest): string {
  const { method, route, routeOptions } = request as {
    readonly method?: unknown;
    readonly route?: { readonly path?: unknown };
    readonly routeOptions?: { readonly url?: unknown };
  };
  const path = route?.path ?? routeOptions?.url;
  return typeof path === 'string' ? `${String(method)} ${path}` : 'A route';
}
