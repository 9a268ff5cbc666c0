import type { Revocations } from '../connection/revocations.js';
import { concerns } from '../connection/revocations.js';
import type { TopicReader } from '../connection/topic-set.js';
import { SseError, describe } from '../errors.js';
import type { Principal } from '../topic/define.js';
import { isPattern } from '../topic/pattern.js';
import type { TopicRegistry } from '../topic/registry.js';
import type { Refusals } from './refusals.js';
import type { Authorize } from './sse-options.js';

/** Decides who may read what. Whoever is refused learns nothing else: the answer is the same for every topic. */
export class Authorizer {
  readonly #registry: TopicRegistry;
  readonly #revocations: Revocations;
  readonly #authorize: Authorize | 'public' | undefined;
  readonly #refusals: Refusals;

  constructor(
    registry: TopicRegistry,
    revocations: Revocations,
    authorize: Authorize | 'public' | undefined,
    refusals: Refusals,
  ) {
    this.#registry = registry;
    this.#revocations = revocations;
    this.#authorize = authorize;
    this.#refusals = refusals;
  }

  /**
   * With no topics: of the principal as a whole.
   *
   * @throws SseError `forbidden` when the principal has been revoked for one of these topics
   */
  checkRevoked(principal: Principal | null, selectors: readonly string[]): void {
    if (!this.#revocations.denies(principal, selectors, Date.now())) return;
    this.#refusals.ofTopics({ principal }, selectors, 'it was revoked');
    throw forbidden();
  }

  /** @throws SseError `forbidden`, as a rejection, and what the application's own rule throws */
  async checkTopic(reader: TopicReader, selector: string): Promise<void> {
    const rule = await this.#ruleAgainst(reader, selector);
    if (rule === undefined) return;
    this.#refusals.ofTopics(reader, [selector], rule);
    throw forbidden();
  }

  /** What forbids it; `undefined` when nothing does. */
  async #ruleAgainst({ principal, grantedTopics }: TopicReader, selector: string): Promise<string | undefined> {
    if (grantedTopics !== undefined && !grantedTopics.some((granted) => covers(granted, selector))) {
      return 'its ticket was issued for other topics';
    }
    const match = this.#registry.find(selector);
    const own = match?.definition.authorize;
    if (own !== undefined) {
      const isAllowed = (await own(principal, match?.params ?? {})) === true;
      return isAllowed ? undefined : `by \`authorize\` of the definition ${describe(match?.definition.path)}`;
    }
    const hidden = isPattern(selector) ? this.#hiddenBy(selector) : undefined;
    if (hidden !== undefined) return `the pattern covers ${describe(hidden)}, which has an \`authorize\` of its own`;
    if (typeof this.#authorize !== 'function') return undefined;
    const isAllowed = (await this.#authorize(principal, selector, match?.params ?? {})) === true;
    return isAllowed ? undefined : 'by `authorize` of SseModule';
  }

  /** A pattern has no parameters to decide by, and must not be a way around definitions that decide by them. */
  #hiddenBy(pattern: string): string | undefined {
    return this.#registry.overlapping(pattern).find(({ authorize }) => authorize !== undefined)?.path;
  }
}

/** Whether a ticket for a name or pattern is one for this name or pattern. */
function covers(granted: string, selector: string): boolean {
  return granted === selector || (!isPattern(selector) && concerns(granted, [selector]));
}

function forbidden(): SseError {
  return new SseError('forbidden', 'This stream may not be subscribed to');
}
