// The client: for browsers, Node, Bun, Deno and React Native.
export { EventSource } from './event-source.js';
export { openStream } from './open-stream.js';
export { closeShared, shareStream } from './share-stream.js';
export { StreamError } from './state.js';
export { createStreamParser } from '../wire/parse.js';

export type { EventsOf, Jsonify } from '../wire/typed.js';
export type {
  EventSourceConstructor,
  EventSourceErrorEvent,
  EventSourceEvents,
  EventSourceOptions,
} from './event-source.js';
export type {
  AnyEvents,
  ControlEvents,
  ControlType,
  EventOf,
  Received,
  Reset,
  StreamEvent,
  TextTypes,
} from './events.js';
export type { Attempt, DebugFrame, FetchLike, StreamOptions, TypedOptions, Url } from './options.js';
export type { ClosedState, CloseReason, StreamErrorCode, StreamState, WaitReason } from './state.js';
export type { Stream } from './stream.js';
export type { EventStreamParser, ParsedEvent, ParserHandlers, ParserOptions } from '../wire/parse.js';
