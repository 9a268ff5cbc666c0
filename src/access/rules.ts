import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';

/**
 * Finds out who asks. `null` when nobody can be made out. Someone whose time is over is better given with its `expiresAt`
 * than as `null`: a client that comes back is then told to come again with a fresh credential.
 */
export type Authenticate = (request: StreamRequest) => Principal | null | Promise<Principal | null>;

/** Decides whether someone may read a topic; `params` are those of the topic's definition, if it has one. */
export type Authorize = (
  principal: Principal | null,
  topic: string,
  params: Readonly<Record<string, string>>,
) => boolean | Promise<boolean>;
