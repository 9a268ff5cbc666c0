import { Inject, Injectable, ServiceUnavailableException, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { TicketUsed } from '../access/identity.js';
import type { Stranger } from '../access/identity.js';
import { markAsked } from '../access/refusals.js';
import { SseError } from '../errors.js';
import { exchangeOf } from '../http/exchange-of.js';
import type { StreamRequest } from '../http/stream-request.js';
import { Node } from '../node/node.js';
import { STREAM_METADATA } from './tokens.js';

/** Lets only those in whom a ticket or the module's `authenticate` makes known; who they are is then on the connection. */
@Injectable()
export class StreamGuard implements CanActivate {
  readonly #node: Node;

  /** @internal */
  constructor(@Inject(Node) node: Node) {
    this.#node = node;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<StreamRequest>();
    const { access } = this.#node;
    if (!access.knows(request)) {
      throw new SseError('invalid-options', 'StreamGuard needs the option `authenticate` of SseModule');
    }
    return decide(context, this.#node, async (stranger) => {
      if (stranger !== undefined) {
        access.refusals.ofRequest(request, stranger.principal, `StreamGuard: ${stranger.why}`);
        throw new UnauthorizedException();
      }
      if (!isOfStream(context)) await this.#redeem(request);
    });
  }

  /** On a route that does not stream. */
  async #redeem(request: StreamRequest): Promise<void> {
    const isRedeemed = await this.#node.access.redeem(request).catch((error: unknown) => {
      throw error instanceof TicketUsed ? new UnauthorizedException() : error;
    });
    if (!isRedeemed) throw new ServiceUnavailableException();
  }
}

/** For the hub route: finds out who asks where the module can, and leaves it to `authorize` what nobody known may read. */
@Injectable()
export class HubGuard implements CanActivate {
  readonly #node: Node;

  constructor(@Inject(Node) node: Node) {
    this.#node = node;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<StreamRequest>();
    return decide(context, this.#node, async (stranger) => {
      if (stranger !== undefined) markAsked(request);
    });
  }
}

function isOfStream(context: ExecutionContext): boolean {
  return Reflect.hasMetadata(STREAM_METADATA, context.getHandler());
}

/** Finds out who asks. What is waited for, the engine or the application, must not keep the application from closing. */
async function decide(
  context: ExecutionContext,
  node: Node,
  decision: (stranger: Stranger | undefined) => Promise<void>,
): Promise<boolean> {
  const http = context.switchToHttp();
  const request = http.getRequest<StreamRequest>();
  const { deciding } = node.connections;
  const waiting = { destroy: () => exchangeOf(request, http.getResponse<object>()).destroy() };
  deciding.add(waiting);
  try {
    const stranger = await node.access.identify(request);
    // A node that has just been started may not have heard yet of who was revoked.
    if (stranger === undefined) await node.ready();
    await decision(stranger);
    return true;
  } finally {
    deciding.delete(waiting);
  }
}
