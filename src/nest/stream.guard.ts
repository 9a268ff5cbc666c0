import { Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { StreamRequest } from '../connection/sse-connection.js';
import { SseError } from '../errors.js';
import type { Principal } from '../topic/define.js';
import type { ResolvedOptions } from './sse-options.js';
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
    const principal = await authenticate(this.#options, request);
    if (principal === null || isExpired(principal)) throw new UnauthorizedException();
    Object.defineProperty(request, PRINCIPAL, { value: principal, configurable: true });
    return true;
  }
}

/** Who the guard has let in, or `null` when there was no guard. */
export function principalOf(request: StreamRequest): Principal | null {
  return (request as { [PRINCIPAL]?: Principal })[PRINCIPAL] ?? null;
}

async function authenticate({ authenticate }: ResolvedOptions, request: StreamRequest): Promise<Principal | null> {
  if (authenticate === undefined) {
    throw new SseError('invalid-options', 'StreamGuard needs the option `authenticate` of SseModule');
  }
  const principal = await authenticate(request);
  if (principal === null || typeof principal?.id === 'string') return principal;
  throw new SseError('invalid-options', 'authenticate must return a principal with a string `id`, or null');
}

function isExpired({ expiresAt }: Principal): boolean {
  return expiresAt !== undefined && !(Number(expiresAt) > Date.now());
}
