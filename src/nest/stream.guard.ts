import { Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { StreamRequest } from '../connection/sse-connection.js';
import { SseError } from '../errors.js';
import type { Principal } from '../topic/define.js';
import type { Authenticate, ResolvedOptions } from './sse-options.js';
import { RESOLVED_OPTIONS } from './tokens.js';

const PRINCIPAL = Symbol.for('nestjs-event-stream.principal');

/** Lets only those in whom the module's `authenticate` knows; who they are is then on the connection. */
@Injectable()
export class StreamGuard implements CanActivate {
  readonly #options: ResolvedOptions;

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions) {
    this.#options = options;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<StreamRequest>();
    if (this.#options.authenticate === undefined) {
      throw new SseError('invalid-options', 'StreamGuard needs the option `authenticate` of SseModule');
    }
    if (!(await identify(request, this.#options.authenticate))) throw new UnauthorizedException();
    return true;
  }
}

/** For the hub route: finds out who asks where the module can, and leaves it to `authorize` what nobody known may read. */
@Injectable()
export class HubGuard implements CanActivate {
  readonly #options: ResolvedOptions;

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions) {
    this.#options = options;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { authenticate } = this.#options;
    if (authenticate !== undefined) await identify(context.switchToHttp().getRequest<StreamRequest>(), authenticate);
    return true;
  }
}

/** Who the guard has let in, or `null` when there was no guard. */
export function principalOf(request: StreamRequest): Principal | null {
  return (request as { [PRINCIPAL]?: Principal })[PRINCIPAL] ?? null;
}

/** Puts the principal on the request. `false`: there is none, or it has expired. */
async function identify(request: StreamRequest, authenticate: Authenticate): Promise<boolean> {
  const principal = await authenticate(request);
  if (principal === null) return false;
  if (typeof principal?.id !== 'string') {
    throw new SseError('invalid-options', 'authenticate must return a principal with a string `id`, or null');
  }
  if (principal.expiresAt !== undefined && !(Number(principal.expiresAt) > Date.now())) return false;
  Object.defineProperty(request, PRINCIPAL, { value: principal, configurable: true });
  return true;
}
