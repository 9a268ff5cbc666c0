import type { SseEvent } from '../wire/event.js';
import type { WireProfile } from '../wire/profile.js';
import { fieldOf, objectsIn, unnamed } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';

/** JSON-RPC's code for a fault of the server. */
const INTERNAL_ERROR = -32_603;

const SHARED = make(tellNothing);

/**
 * The streams of MCP's Streamable HTTP (2025-11-25): JSON-RPC messages, of which the response to the request is the last. Clients resume with
 * `Last-Event-ID`. A stream that ends without it ends with an error of the request, unless the client can go on elsewhere. Who asks for JSON
 * gets the response.
 *
 * @throws SseError `invalid-options`
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
 */
export function mcp(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('mcp()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'mcp',
    encode: unnamed,
    prime: (id) => ({ id, data: '' }),
    // Who has a place comes back by itself when a stream just ends.
    end: ({ reconnect, place }) => (reconnect && place !== undefined ? [] : undefined),
    error: (failure) => {
      const id = fieldOf(failure.body, 'id');
      // What is no answer to a request, such as the stream of a GET, has nobody to be told to.
      if (typeof id !== 'string' && typeof id !== 'number') return [];
      return [{ data: { jsonrpc: '2.0', id, error: { code: INTERNAL_ERROR, message: tell(failure) } } }];
    },
    reduce: responseIn,
  });
}

function responseIn(events: readonly SseEvent[]): unknown {
  return [...objectsIn(events)].findLast((message) => 'result' in message || 'error' in message) ?? null;
}
