import { Selection } from '../connection/selection.js';
import { NO_STEPS } from '../connection/transform.js';
import type { Step } from '../connection/transform.js';
import type { Node } from '../node/node.js';
import type { TopicDefinition } from '../topic/define.js';
import type { EventMap, EventOf, PublishedEvent } from '../topic/events.js';
import { topicName, topicPattern } from '../topic/path.js';
import type { PathParams } from '../topic/path.js';
import { Topic } from './topic.js';

/** A topic of a definition: its events are typed by it. */
export type TopicOf<D extends TopicDefinition<string, EventMap>> = Topic<
  EventOf<D>['data'],
  EventOf<D>,
  PublishedEvent<D>
>;

/** Several topics of a definition: their events are typed by it. */
export type SelectionOf<D extends TopicDefinition<string, EventMap>> = Selection<EventOf<D>['data'], EventOf<D>>;

type FamilyArguments<Path extends string> = string extends Path
  ? [params?: Readonly<Record<string, string | number>>]
  : keyof PathParams<Path> extends never
    ? []
    : [params: PathParams<Path, string | number>];

type SomeArguments<Path extends string> = string extends Path
  ? FamilyArguments<Path>
  : keyof PathParams<Path> extends never
    ? []
    : [params?: Partial<PathParams<Path, string | number>>];

/**
 * The topics of a definition. Called with the parameters of its path it gives the topic; a wrong parameter, event type
 * or payload does not compile.
 */
export interface TopicFamily<D extends TopicDefinition<string, EventMap>> {
  (...params: FamilyArguments<D['path']>): TopicOf<D>;

  /**
   * All topics of the definition, or those that have the given parameters: a selection by the pattern that has `*` for each of the
   * others. Topics that it matches and that belong to a more specific definition are left out.
   *
   * @throws SseError `invalid-topic`, also for a parameter that is `undefined`
   *
   * @example
   * ```ts
   * this.rooms.all({ building: 'north' }).filter((event) => event.type === 'alarm');
   * ```
   */
  all(...params: SomeArguments<D['path']>): SelectionOf<D>;
}

/** Makes the topics of a definition. */
export function createTopicFamily(node: Node, definition: TopicDefinition): TopicFamily<TopicDefinition> {
  const topicOf: (...params: FamilyArguments<string>) => TopicOf<TopicDefinition> = (params = {}) =>
    new Topic(node, topicName(definition, params));
  const all: TopicFamily<TopicDefinition>['all'] = (params = {}) => {
    const pattern = topicPattern(definition, params);
    return new Selection(node.hub, [pattern], stepsOf(node, definition, pattern));
  };
  return Object.assign(topicOf, { all });
}

/** Steps cost every event an encoding for each connection, so there are none where the pattern is the definition's alone. */
function stepsOf({ registry }: Node, definition: TopicDefinition, pattern: string): readonly Step[] {
  const others = new Set(registry.overlapping(pattern));
  others.delete(definition);
  if (others.size === 0) return NO_STEPS;
  const isOfOthers = (topic: string): boolean => {
    const owner = registry.find(topic)?.definition;
    return owner !== undefined && others.has(owner);
  };
  return [{ wants: (topic) => !isOfOthers(topic) }];
}
