import type { TopicDefinition } from '../topic/define.js';

/** The options as they were given to the module. */
export const SSE_OPTIONS = Symbol.for('nestjs-event-stream.options');

/** The options after all defaults. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-event-stream.resolved-options');

/** What a stream route was decorated with; on the class, the defaults of its routes. */
export const STREAM_METADATA = Symbol.for('nestjs-event-stream.stream');

/** What `@SseStream()` has put around a method. */
export const ENHANCERS_METADATA = Symbol.for('nestjs-event-stream.enhancers');

/**
 * The token under which the topics of a definition are provided, for a provider's `inject` and for overriding in tests. As a
 * parameter's decorator there is `@InjectTopic()`.
 */
export function getTopicToken({ path }: TopicDefinition): symbol {
  // Nest prints it where the definition was not given to the module.
  return Symbol.for(
    `nestjs-event-stream: the topics of "${path}", which SseModule.forFeature([definition]) provides to the module that imports it, ` +
      'or SseModule.forRoot({ topics: [definition] }) to all',
  );
}
