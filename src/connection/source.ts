import { SseError, describe } from '../errors.js';
import type { Begin } from '../topic/begin.js';
import { isSelection } from './selection.js';
import type { Selection } from './selection.js';

/** Something that pushes at its own pace. An RxJS Observable is one. */
export interface PushSource {
  subscribe(observer: { next(value: unknown): void; error(error: unknown): void; complete(): void }): {
    unsubscribe(): void;
  };
}

/** Something that can be asked for its next value. */
export interface PullSource {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** Tells it that nobody will ask again. */
  cancel(): unknown;
}

/**
 * What a route may return, or promise: a topic or a selection of topics, an Observable, a `ReadableStream`, an async iterable,
 * or an iterable that is neither text nor bytes.
 */
export type StreamSource =
  | Pick<Selection, 'selectors'>
  | PushSource
  | Pick<ReadableStream, 'getReader'>
  | AsyncIterable<unknown>
  | (Iterable<unknown> & object & { readonly BYTES_PER_ELEMENT?: never });

/** A source that has begun before the head of its stream, and keeps what comes. */
export interface BegunSource {
  /** Gives what it has kept, and what comes from now on: its stream is open. */
  open(): void;
  /** Nobody wants more. */
  stop(): void;
}

/** What a route streams, by how it is driven. */
export type Source = StreamedSource | { readonly kind: 'begun'; readonly source: BegunSource };

/** What a handler has returned. */
export type StreamedSource = { readonly kind: 'topics'; readonly selection: Selection } | ProducerSource;

/** What makes its values for one stream alone. */
export type ProducerSource =
  { readonly kind: 'push'; readonly source: PushSource } | { readonly kind: 'pull'; readonly start: () => PullSource };

/**
 * Recognises what a route has returned.
 *
 * @throws SseError `not-a-source`
 */
export function toSource(value: unknown): StreamedSource {
  if (isSelection(value)) return { kind: 'topics', selection: value };
  if (isObject(value) && !ArrayBuffer.isView(value)) {
    if (hasMethod(value, 'subscribe')) return { kind: 'push', source: value as unknown as PushSource };
    if (hasMethod(value, 'getReader'))
      return { kind: 'pull', start: () => fromReader((value as unknown as ReadableStream).getReader()) };
    if (hasMethod(value, Symbol.asyncIterator)) {
      return {
        kind: 'pull',
        start: () => fromIterator((value as unknown as AsyncIterable<unknown>)[Symbol.asyncIterator]()),
      };
    }
    if (hasMethod(value, Symbol.iterator)) {
      return { kind: 'pull', start: () => fromIterator((value as unknown as Iterable<unknown>)[Symbol.iterator]()) };
    }
  }
  throw new SseError(
    'not-a-source',
    `An @SseStream() route must return a topic, a selection of topics, an Observable, an async iterable, an iterable or a ReadableStream; got ${describe(value)}`,
  );
}

/** Where a source says that it begins for a client that brings no id. */
export function beginOf(source: Source): Begin | undefined {
  return source.kind === 'topics' ? source.selection.begin : undefined;
}

/** Tells a source that nobody will read it: it may hold a file or a request open. */
export function discard(source: Source): void {
  if (source.kind === 'begun') return source.source.stop();
  if (source.kind !== 'pull') return;
  // What fails here has nobody to be told to.
  void Promise.resolve()
    .then(() => source.start().cancel())
    .catch(() => undefined);
}

function fromIterator(iterator: Iterator<unknown> | AsyncIterator<unknown>): PullSource {
  return { next: () => iterator.next(), cancel: () => iterator.return?.() };
}

/** A reader's `cancel` takes effect while a read is pending; the stream's own async iterator would wait for the read. */
function fromReader(reader: ReadableStreamDefaultReader<unknown>): PullSource {
  return { next: () => reader.read() as Promise<IteratorResult<unknown>>, cancel: () => reader.cancel() };
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function hasMethod(value: Record<PropertyKey, unknown>, name: PropertyKey): boolean {
  return typeof value[name] === 'function';
}
