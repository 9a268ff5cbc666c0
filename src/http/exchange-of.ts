import type { Exchange } from './exchange.js';
import { FastifyExchange } from './fastify-exchange.js';
import { PlainExchange } from './plain-exchange.js';

/** The request and response that a framework's adapter has given. */
export function exchangeOf(request: object, response: object): Exchange {
  return FastifyExchange.isReply(response)
    ? new FastifyExchange(request, response)
    : new PlainExchange(request, response);
}
