// The module and what it provides.
export { SseModule } from './nest/sse.module.js';
export { EventStreamService } from './nest/event-stream.service.js';
export { StreamGuard } from './nest/stream.guard.js';
export { SseHealthIndicator } from './nest/health.indicator.js';
export { SseSignals } from './nest/sse-signals.js';

// Decorators.
export { SseStream } from './nest/sse-stream.decorator.js';
export { Connection, InjectTopic, LastEventId } from './nest/parameters.decorator.js';
export { getTopicToken } from './nest/tokens.js';

// Topics.
export { defineTopic } from './topic/define.js';
export { type } from './topic/events.js';
export { Topic } from './nest/topic.js';
export { Selection } from './connection/selection.js';

// Events.
export { asData, asEvent } from './wire/event.js';

// Engines.
export { memoryEngine } from './engine/memory.js';

// Errors.
export { SseError } from './errors.js';

// Types: options.
export type { SseModuleExtras } from './nest/sse.module.js';
export type {
  CommitOptions,
  HubRouteOptions,
  SseModuleOptions,
  SseStreamOptions,
  StreamHooks,
} from './nest/sse-options.js';
export type { StreamSettings } from './connection/stream-settings.js';
export type { ResumeAt } from './node/resume-at.js';
export type { ErrorContext } from './node/reporter.js';
export type { Authenticate, Authorize } from './access/options.js';
export type { MemoryEngineOptions } from './engine/memory.js';

// Types: events and topics.
export type { ReadEvent, SseEvent, SseNotice } from './wire/event.js';
export type { CompleteOptions } from './nest/topic.js';
export type { SelectionOf, TopicFamily, TopicOf } from './nest/topic-family.js';
export type { AuthorizePattern, AuthorizeTopic, OnSlow, TopicDefinition, TopicOptions } from './topic/define.js';
export type { Principal } from './topic/principal.js';
export type { Begin, Recent } from './topic/begin.js';
export type { EventMap, EventOf, PublishedEvent } from './topic/events.js';
export type { HistoryOptions } from './topic/history.js';
export type { PathParams } from './topic/path.js';
export type { Position } from './topic/position.js';

// Types: connections.
export type { OpenConnections, PresenceOptions, RevokeOptions, TicketOffice } from './nest/event-stream.service.js';
export type { EngineStatus } from './node/node.js';
export type { CloseOptions, ConnectionSelector, Member, Presence } from './node/presence.js';
export type { NodeSignals } from './node/signals.js';
export type { HubSignals } from './hub/signals.js';
export type { ConnectionSignals } from './connection/signals.js';
export type { SseHealthResult } from './nest/health.indicator.js';
export type { ObserveOptions } from './connection/selection.js';
export type { HistoryPage, ReadOptions } from './connection/read-history.js';
export type { SseConnection } from './connection/sse-connection.js';
export type { StreamSource } from './connection/source.js';
export type { StreamRequest } from './http/stream-request.js';
export type { CloseReason, EndReason, RefusalReason } from './wire/words.js';
export type { Revocation } from './access/revocations.js';
export type { TicketOptions } from './access/tickets.js';
export type { ResetReason } from './wire/words.js';
export type { EngineState } from './feed/engine-health.js';
export type { SseErrorCode } from './errors.js';

// Types: for authors of engines.
export type {
  AppendRequest,
  Engine,
  EngineSink,
  Excerpt,
  Heads,
  Hole,
  Listing,
  LogEntry,
  ReadPage,
  ReadRequest,
  Retention,
  TopicHead,
} from './engine/engine.js';
export type { HoleReason } from './wire/words.js';
