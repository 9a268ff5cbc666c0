import { SseError, describe } from '../errors.js';
import type { Recent } from './begin.js';
import { type TopicDefinition, isTopicDefinition } from './define.js';
import { matchTopic, paramOf } from './path.js';
import { isPattern } from './pattern.js';

/** The definition that a topic name belongs to, with the parameters that its path has in that name. */
export interface TopicMatch {
  readonly definition: TopicDefinition;
  readonly params: Readonly<Record<string, string>>;
}

interface Node {
  readonly statics: Map<string, Node>;
  parameter?: Node;
  definition?: TopicDefinition;
}

/**
 * The topic definitions of one application, found by topic name.
 *
 * They share one tree of segments, so that a look-up does not grow with their number.
 */
export class TopicRegistry {
  readonly #root: Node = { statics: new Map() };
  /** Most look-ups are of publishers, many of which have no definitions at all. */
  #isEmpty = true;
  #hasBegins = false;

  /** @throws {@link SseError} with the code `invalid-definition`, as {@link add} does */
  constructor(definitions: Iterable<TopicDefinition> = []) {
    for (const definition of definitions) this.add(definition);
  }

  /**
   * Adds a definition. Adding the same one again changes nothing.
   *
   * @throws {@link SseError} with the code `invalid-definition` when another definition has the same static segments and
   * its parameters in the same places, whatever their names
   */
  add(definition: TopicDefinition): void {
    if (!isTopicDefinition(definition)) {
      throw new SseError(
        'invalid-definition',
        `A topic definition must come from defineTopic(); got ${describe(definition)}`,
      );
    }
    const node = definition.path.split('/').reduce(childOf, this.#root);
    this.#isEmpty = false;
    this.#hasBegins ||= definition.begin !== undefined;
    node.definition ??= definition;
    if (node.definition === definition) return;
    throw new SseError(
      'invalid-definition',
      `The definitions ${describe(node.definition.path)} and ${describe(definition.path)} claim the same topics; ` +
        'define them once and use that definition everywhere',
    );
  }

  /**
   * The definition of a topic. Where several fit, the most specific: from the left, a static segment comes before a
   * parameter.
   */
  find(name: string): TopicMatch | undefined {
    if (this.#isEmpty) return undefined;
    const definition = search(this.#root, name.split('/'), 0);
    const params = definition && matchTopic(definition, name);
    return params && { definition, params };
  }

  /** What the definition of a topic says of where its streams begin. */
  beginOf(name: string): Recent | undefined {
    return this.#hasBegins ? this.find(name)?.definition.begin : undefined;
  }

  /** Whether the definition of any topic of these says so. */
  hasBegin(selectors: Iterable<string>): boolean {
    if (!this.#hasBegins) return false;
    for (const selector of selectors) {
      const definitions = isPattern(selector) ? this.overlapping(selector) : [this.find(selector)?.definition];
      if (definitions.some((definition) => definition?.begin !== undefined)) return true;
    }
    return false;
  }

  /** The definitions that have at least one topic which a pattern matches. */
  overlapping(pattern: string): TopicDefinition[] {
    const found = new Set<TopicDefinition>();
    collect(this.#root, pattern.split('/'), 0, found, new Map());
    return [...found];
  }
}

function childOf(node: Node, segment: string): Node {
  if (paramOf(segment) !== undefined) return (node.parameter ??= { statics: new Map() });
  let child = node.statics.get(segment);
  if (child === undefined) {
    child = { statics: new Map() };
    node.statics.set(segment, child);
  }
  return child;
}

/** Goes back to the parameter where a static segment led nowhere. Each node is reached in one way only, so at most once. */
function search(node: Node | undefined, segments: readonly string[], depth: number): TopicDefinition | undefined {
  if (node === undefined) return undefined;
  const segment = segments[depth];
  if (segment === undefined) return node.definition;
  return search(node.statics.get(segment), segments, depth + 1) ?? search(node.parameter, segments, depth + 1);
}

/** Each node is visited once per segment of the pattern, however many `**` it has. */
function collect(
  node: Node,
  segments: readonly string[],
  depth: number,
  found: Set<TopicDefinition>,
  visited: Map<Node, Set<number>>,
): void {
  let depths = visited.get(node);
  if (depths === undefined) visited.set(node, (depths = new Set()));
  if (depths.has(depth)) return;
  depths.add(depth);
  const segment = segments[depth];
  if (segment === undefined) {
    if (node.definition !== undefined) found.add(node.definition);
    return;
  }
  if (segment === '**') collect(node, segments, depth + 1, found, visited);
  const isWildcard = segment === '*' || segment === '**';
  const children = isWildcard ? [...node.statics.values()] : [node.statics.get(segment)];
  for (const child of [...children, node.parameter]) {
    if (child !== undefined) collect(child, segments, segment === '**' ? depth : depth + 1, found, visited);
  }
}
