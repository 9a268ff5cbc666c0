import type { HttpServer } from '@nestjs/common';
import type { Exchange } from '../http/exchange.js';
import type { DocumentAnswer } from '../node/answer.js';
import type { SseStreamOptions } from './sse-options.js';

/** How a body is made and delimited, which the framework says. */
const FRAMEWORKS: ReadonlySet<string> = new Set(['content-type', 'content-length', 'transfer-encoding']);

/** Sends a document as the framework sends what any route returns: with its status, its serializer and its headers. */
export function sendDocument(
  { document, headers: own }: DocumentAnswer,
  httpAdapter: HttpServer,
  exchange: Exchange,
  headers: SseStreamOptions['headers'] = {},
): void {
  for (const [name, value] of Object.entries({ ...headers, ...own }))
    if (!FRAMEWORKS.has(name.toLowerCase())) exchange.setHeader(name, value);
  const isObject = typeof document === 'object' && document !== null;
  // What is no object a framework sends as text. A client that asks with HEAD gets the headers alone.
  if (!isObject || exchange.isHead) exchange.setHeader('Content-Type', 'application/json; charset=utf-8');
  const text = (): string => JSON.stringify(document) ?? 'null';
  httpAdapter.reply(exchange.response, exchange.isHead ? undefined : isObject ? document : text());
}
