import type { IncomingHttpHeaders } from 'node:http';

/** The framework's request: Express's, Fastify's, or another adapter's. */
export interface StreamRequest {
  readonly headers: IncomingHttpHeaders;
  readonly [property: string]: unknown;
}

/** Those methods that a stream is asked for with, of which a repetition does nothing but read again (RFC 9110, section 9.2.1). */
const SAFE_METHODS: readonly unknown[] = ['GET', 'HEAD', 'QUERY'];

/** Whether a request may be made again without doing again what it does. */
export function isSafe({ method }: StreamRequest): boolean {
  return SAFE_METHODS.includes(method);
}
