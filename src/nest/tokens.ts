import type { TopicDefinition } from '../topic/define.js';

/** The options as they were given to the module. */
export const SSE_OPTIONS = Symbol.for('nestjs-event-stream.options');

/** The options after all defaults. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-event-stream.resolved-options');

/** What a stream route was decorated with; on the class, the defaults of its routes. */
export const STREAM_METADATA = Symbol.for('nestjs-event-stream.stream');

/** The token of the topics of one definition. */
export function topicToken(definition: TopicDefinition): symbol {
  return Symbol.for(`nestjs-event-stream.topic:${definition.path}`);
}
