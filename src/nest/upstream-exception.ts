import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';

/**
 * What an error of another server's client is answered with: the status that it has as `status` or `statusCode`, and the words for that. Its own
 * text may name hosts, accounts and keys. Any other error, and an exception that Nest knows already, stays as it is.
 */
export function toUpstreamException(error: unknown): unknown {
  if (error instanceof HttpException || typeof error !== 'object' || error === null) return error;
  const { status, statusCode, getStatus } = error as Partial<Record<string, unknown>>;
  const known = [status, statusCode].find(isFailure);
  // An exception of another copy of Nest has a method for its status.
  if (known === undefined || typeof getStatus === 'function') return error;
  return new HttpException(STATUS_CODES[known] ?? 'The upstream server has failed', known, { cause: error });
}

/** When its client may ask again, as the header `Retry-After` says it that the error has of its answer. */
export function retryAfterOf(error: unknown): string | undefined {
  const value = headerOf((error as { readonly headers?: unknown } | null | undefined)?.headers, 'retry-after');
  // In seconds, or a date (RFC 9110, section 10.2.3); it goes into a header, and may come from anywhere.
  return typeof value === 'string' && /^[\w ,:+-]{1,40}$/.test(value) ? value : undefined;
}

function isFailure(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;
}

function headerOf(headers: unknown, name: string): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (headers instanceof Headers) return headers.get(name);
  const [, value] = Object.entries(headers).find(([key]) => key.toLowerCase() === name) ?? [];
  return typeof value === 'number' ? String(value) : value;
}
