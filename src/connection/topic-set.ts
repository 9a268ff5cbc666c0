import { SseError } from '../errors.js';
import type { StreamRequest } from '../http/stream-request.js';
import type { OnSlow } from '../topic/define.js';
import { checkPattern, isPattern } from '../topic/pattern.js';
import type { Principal } from '../topic/principal.js';
import type { Selection } from './selection.js';

/** Who wants to read. */
export interface TopicReader {
  readonly principal: Principal | null;
  /** The names and patterns that it may read at most; `undefined`: no such bound. */
  readonly grantedTopics: readonly string[] | undefined;
  readonly request?: StreamRequest | undefined;
}

/** How many topics and patterns one connection may read, and how many of them may be patterns. */
export interface TopicLimits {
  readonly topicsPerConnection: number;
  readonly patternsPerConnection: number;
}

/** Who decides what a connection may read. */
export interface TopicRules {
  readonly topicLimits: TopicLimits;
  /** Rejects when the connection may not read the topic or pattern. */
  authorize(reader: TopicReader, selector: string): Promise<void>;
  /** Throws when the connection may not read one of them any more. */
  checkRevoked(reader: TopicReader, selectors: readonly string[]): void;
  onSlowOf(selector: string): OnSlow;
}

const NONE: readonly string[] = [];

/** The topics and patterns that one connection reads. */
export class TopicSet<Host extends { readonly rules: TopicRules }> implements Iterable<string> {
  protected readonly host: Host;
  /** Replaced, never changed: most connections read one selection as it was made. */
  #selectors: readonly string[] = NONE;
  #onSlow: OnSlow | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  get names(): readonly string[] {
    return [...this.#selectors];
  }

  /** How many names and patterns. */
  get count(): number {
    return this.#selectors.length;
  }

  /** The strictest of what the topics ask for. */
  get onSlow(): OnSlow {
    return (this.#onSlow ??= strictest(this.#selectors.map((selector) => this.host.rules.onSlowOf(selector))));
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#selectors.values();
  }

  /**
   * Asks whether a connection may read these, too.
   *
   * @throws SseError `invalid-topic` or `too-many-topics`, as a rejection, and what the rules reject with
   */
  protected async check(reader: TopicReader, selectors: readonly string[]): Promise<void> {
    this.#checkCount(selectors);
    for (const selector of selectors) checkPattern(selector);
    for (const selector of selectors) await this.host.rules.authorize(reader, selector);
  }

  /**
   * Takes in topics that have been admitted. Meanwhile others may have come in, or the reader may have been revoked.
   *
   * @throws SseError `too-many-topics` or `forbidden`
   */
  protected add(reader: TopicReader, selectors: readonly string[]): void {
    this.#checkCount(selectors);
    this.host.rules.checkRevoked(reader, selectors);
    this.#onSlow = undefined;
    this.#selectors = this.#selectors.length === 0 ? unique(selectors) : unique([...this.#selectors, ...selectors]);
  }

  protected delete(selectors: readonly string[]): void {
    this.#onSlow = undefined;
    this.#selectors = this.#selectors.filter((selector) => !selectors.includes(selector));
  }

  #checkCount(selectors: readonly string[]): void {
    const { topicsPerConnection, patternsPerConnection } = this.host.rules.topicLimits;
    const all = unique([...this.#selectors, ...selectors]);
    if (all.length > topicsPerConnection) throw tooMany(`${topicsPerConnection} topics`, 'topicsPerConnection');
    if (all.length > patternsPerConnection && all.filter(isPattern).length > patternsPerConnection)
      throw tooMany(`${patternsPerConnection} patterns`, 'patternsPerConnection');
  }
}

function tooMany(most: string, limit: string): SseError {
  return new SseError('too-many-topics', `One connection may read ${most} (limits.${limit})`);
}

function unique(selectors: readonly string[]): readonly string[] {
  return selectors.length < 2 ? selectors : [...new Set(selectors)];
}

function strictest(wanted: readonly OnSlow[]): OnSlow {
  if (wanted.includes('disconnect')) return 'disconnect';
  return wanted.includes('skip') ? 'skip' : 'resume';
}

/**
 * The names and patterns that are meant.
 *
 * @throws SseError `invalid-topic` for a selection that changes its events: whoever combines selections would lose the steps
 */
export function selectorsOf(topic: string | Selection): readonly string[] {
  if (typeof topic === 'string') return [topic];
  if (topic.steps.length === 0 && topic.begin === undefined) return topic.selectors;
  const names = JSON.stringify(topic.selectors.join(', '));
  const what = 'Topics are combined and subscribed to as they are, before filter(), map() and from()';
  throw new SseError('invalid-topic', `${what}; ${names} has been through one of them`);
}
