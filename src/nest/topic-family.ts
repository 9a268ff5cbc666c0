import type { EventMap, EventOf, PublishedEvent } from '../topic/events.js';
import type { TopicDefinition } from '../topic/define.js';
import { topicName } from '../topic/path.js';
import type { PathParams } from '../topic/path.js';
import type { SseRuntime } from './runtime.js';
import { Topic } from './topic.js';

/** A topic of a definition: its events are typed by it. */
export type TopicOf<D extends TopicDefinition<string, EventMap>> = Topic<
  EventOf<D>['data'],
  EventOf<D>,
  PublishedEvent<D>
>;

type FamilyArguments<Path extends string> = string extends Path
  ? [params?: Readonly<Record<string, string | number>>]
  : keyof PathParams<Path> extends never
    ? []
    : [params: PathParams<Path, string | number>];

/**
 * The topics of a definition. Called with the parameters of its path it gives the topic; a wrong parameter, event type
 * or payload does not compile.
 */
export type TopicFamily<D extends TopicDefinition<string, EventMap>> = (
  ...params: FamilyArguments<D['path']>
) => TopicOf<D>;

/** Makes the topics of a definition. */
export function createTopicFamily(runtime: SseRuntime, definition: TopicDefinition): TopicFamily<TopicDefinition> {
  return (params = {}) => new Topic(runtime, topicName(definition, params));
}
