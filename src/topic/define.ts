import { SseError, describe } from '../errors.js';
import { type Rules, anyFunction, oneOf, problemIn } from '../rules.js';
import { type Recent, recentProblem } from './begin.js';
import { type EventMap, eventsProblem } from './events.js';
import { type HistoryOptions, historyProblem } from './history.js';
import { type PathParams, checkPath } from './path.js';
import type { Principal } from './principal.js';

/**
 * What happens to a client that falls out of the window in memory: it reads on from the log (`resume`), its stream ends
 * with the reason `slow-consumer` (`disconnect`), or it goes on at the newest event and is told by a `stream.reset`
 * (`skip`).
 */
export type OnSlow = 'resume' | 'disconnect' | 'skip';

/** Decides whether a principal, or nobody known (`null`), may listen to the topic that the parameters name. */
export type AuthorizeTopic<Params = Readonly<Record<string, string>>> = (
  principal: Principal | null,
  params: Params,
) => boolean | Promise<boolean>;

/** Decides whether a principal, or nobody known (`null`), may listen by a pattern that matches topics of the definition. */
export type AuthorizePattern = (principal: Principal | null, pattern: string) => boolean | Promise<boolean>;

/** What {@link defineTopic} can be told beside the path. */
export interface TopicOptions<Path extends string = string, Events extends EventMap = EventMap> {
  /** The event types of the topic with their schemas, checked when published. Absent: any event. */
  readonly events?: Events | undefined;

  /** What is kept for resuming; `false` keeps nothing. Absent: as the module's options say. */
  readonly history?: HistoryOptions | false | undefined;

  /**
   * What happens to a client that reads too slowly.
   *
   * @default 'resume'
   */
  readonly onSlow?: OnSlow | undefined;

  /**
   * What a stream of such a topic begins with whose client brings no id: `{ last: 1 }` is the current value. What a selection or a route
   * asks for (`from`) comes before it.
   *
   * @default 'now'
   */
  readonly begin?: Recent | undefined;

  /** Who may listen. Absent: the module's `authorize` decides. */
  readonly authorize?: AuthorizeTopic<PathParams<Path>> | undefined;

  /**
   * Who may listen by a pattern that could bring one of these topics, such as `stocks/*` or `**`. Absent: nobody, where there is an
   * `authorize`; otherwise the module's `authorize` decides.
   */
  readonly authorizePattern?: AuthorizePattern | undefined;
}

/** A family of topics that share a path, their event types and their rules. Made by {@link defineTopic}, and frozen. */
export interface TopicDefinition<Path extends string = string, Events extends EventMap = EventMap> {
  readonly path: Path;
  readonly events: Events | undefined;
  readonly history: HistoryOptions | false | undefined;
  readonly onSlow: OnSlow | undefined;
  readonly begin: Recent | undefined;
  readonly authorize: AuthorizeTopic | undefined;
  readonly authorizePattern: AuthorizePattern | undefined;
}

const BRAND = Symbol.for('nestjs-event-stream.topic-definition');

const RULES: Rules<TopicOptions> = {
  events: eventsProblem,
  history: historyProblem,
  onSlow: oneOf(...(['resume', 'disconnect', 'skip'] satisfies OnSlow[])),
  begin: (value, name) => recentProblem(name, value),
  authorize: anyFunction,
  authorizePattern: anyFunction,
};

/**
 * Defines a family of topics.
 *
 * @param path a topic name in which whole segments may be parameters: `stocks/:symbol`
 * @throws {@link SseError} with the code `invalid-definition`
 *
 * @example
 * ```ts
 * const ticks = defineTopic('stocks/:symbol', {
 *   events: { tick: type<{ price: number }>() },
 *   history: { maxEvents: 500 },
 * });
 * ```
 */
export function defineTopic<Path extends string, Events extends EventMap = EventMap>(
  path: Path,
  options: TopicOptions<Path, Events> = {},
): TopicDefinition<Path, Events> {
  checkPath(path);
  const problem = problemIn(options, RULES);
  if (problem !== undefined) throw new SseError('invalid-definition', `defineTopic(${describe(path)}): ${problem}`);
  const { events, history, onSlow, begin, authorize, authorizePattern } = options;
  const definition = {
    path,
    events: events && Object.freeze({ ...events }),
    history: history && Object.freeze({ ...history }),
    onSlow,
    begin: typeof begin === 'object' ? Object.freeze({ ...begin }) : begin,
    authorize: authorize as AuthorizeTopic | undefined,
    authorizePattern,
  };
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}

/** Tells whether a value was made by {@link defineTopic}, also by that of another loaded copy of this package. */
export function isTopicDefinition(value: unknown): value is TopicDefinition {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, BRAND);
}
