import type { IncomingHttpHeaders } from 'node:http';

/** The framework's request: Express's, Fastify's, or another adapter's. */
export interface StreamRequest {
  readonly headers: IncomingHttpHeaders;
  readonly [property: string]: unknown;
}
