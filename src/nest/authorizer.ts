import type { Revocations } from '../connection/revocations.js';
import { concerns } from '../connection/revocations.js';
import type { TopicReader } from '../connection/topic-set.js';
import { SseError } from '../errors.js';
import type { Principal } from '../topic/define.js';
import { isPattern } from '../topic/pattern.js';
import type { TopicRegistry } from '../topic/registry.js';
import type { Authorize } from './sse-options.js';

/** Decides who may read what. Whoever is refused learns nothing else: the answer is the same for every topic. */
export class Authorizer {
  readonly #registry: TopicRegistry;
  readonly #revocations: Revocations;
  readonly #authorize: Authorize | 'public' | undefined;

  constructor(registry: TopicRegistry, revocations: Revocations, authorize: Authorize | 'public' | undefined) {
    this.#registry = registry;
    this.#revocations = revocations;
    this.#authorize = authorize;
  }

  /**
   * With no topics: of the principal as a whole.
   *
   * @throws SseError `forbidden` when the principal has been revoked for one of these topics
   */
  checkRevoked(principal: Principal | null, selectors: readonly string[]): void {
    if (this.#revocations.denies(principal, selectors, Date.now())) throw forbidden();
  }

  /** @throws SseError `forbidden`, as a rejection, and what the application's own rule throws */
  async checkTopic(reader: TopicReader, selector: string): Promise<void> {
    if (!(await this.#mayRead(reader, selector))) throw forbidden();
  }

  async #mayRead({ principal, grantedTopics }: TopicReader, selector: string): Promise<boolean> {
    if (grantedTopics !== undefined && !grantedTopics.some((granted) => covers(granted, selector))) return false;
    const match = this.#registry.find(selector);
    const own = match?.definition.authorize;
    if (own !== undefined) return (await own(principal, match?.params ?? {})) === true;
    if (isPattern(selector) && this.#hidesRules(selector)) return false;
    if (typeof this.#authorize !== 'function') return true;
    return (await this.#authorize(principal, selector, match?.params ?? {})) === true;
  }

  /** A pattern has no parameters to decide by, and must not be a way around definitions that decide by them. */
  #hidesRules(pattern: string): boolean {
    return this.#registry.overlapping(pattern).some(({ authorize }) => authorize !== undefined);
  }
}

/** Whether a ticket for a name or pattern is one for this name or pattern. */
function covers(granted: string, selector: string): boolean {
  return granted === selector || (!isPattern(selector) && concerns(granted, [selector]));
}

function forbidden(): SseError {
  return new SseError('forbidden', 'This stream may not be subscribed to');
}
