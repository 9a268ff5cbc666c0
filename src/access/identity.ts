import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';
import type { Grant } from './tickets.js';

const IDENTITY = Symbol.for('nestjs-event-stream.grant');

/** Who was let in. */
export interface Identity extends Grant {
  /** Its time is over, but not for long: it is told to come back. */
  readonly isExpired: boolean;
  /** The ticket to use up when the stream opens. */
  readonly ticket: string | undefined;
}

/** Who is not, or no longer, known. */
export interface Stranger {
  readonly principal: Principal | null;
  readonly why: string;
}

/** The ticket that has let a request in was used by another one meanwhile. */
export class TicketUsed extends Error {}

/** Who was let in with a request; `undefined` when nobody has asked. */
export function identityOf(request: StreamRequest): Identity | undefined {
  return (request as { [IDENTITY]?: Identity })[IDENTITY];
}

/** Notes who was let in. */
export function setIdentity(request: StreamRequest, identity: Identity): void {
  Object.defineProperty(request, IDENTITY, { value: identity, configurable: true });
}
