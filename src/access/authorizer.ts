import type { TopicReader } from '../connection/topic-set.js';
import { SseError, describe } from '../errors.js';
import type { TopicDefinition } from '../topic/define.js';
import { coversPattern } from '../topic/path.js';
import { concerns, isPattern } from '../topic/pattern.js';
import type { Principal } from '../topic/principal.js';
import type { TopicRegistry } from '../topic/registry.js';
import type { Authorize } from './options.js';
import type { Refusals } from './refusals.js';
import type { Revocations } from './revocations.js';

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
    if (isPattern(selector)) return this.#ruleAgainstPattern(principal, selector);
    const match = this.#registry.find(selector);
    const own = match?.definition.authorize;
    if (own === undefined) return this.#ruleOfModule(principal, selector, match?.params ?? {});
    const isAllowed = (await own(principal, match?.params ?? {})) === true;
    return isAllowed ? undefined : `by \`authorize\` of the definition ${describe(match?.definition.path)}`;
  }

  /**
   * A pattern has no parameters to decide by, and must not be a way around definitions that decide by them. So each that it could
   * bring topics of has to consent, and the module where it could bring others.
   */
  async #ruleAgainstPattern(principal: Principal | null, pattern: string): Promise<string | undefined> {
    const touched = this.#registry.overlapping(pattern);
    const closed = touched.find(isClosedToPatterns);
    if (closed !== undefined)
      return `the pattern covers ${describe(closed.path)}, which has an \`authorize\` and no \`authorizePattern\``;
    for (const { path, authorizePattern } of touched) {
      if (authorizePattern === undefined) continue;
      const isAllowed = (await authorizePattern(principal, pattern)) === true;
      if (!isAllowed) return `by \`authorizePattern\` of the definition ${describe(path)}`;
    }
    const isDecided =
      touched.every(({ authorizePattern }) => authorizePattern !== undefined) &&
      touched.some((definition) => coversPattern(definition, pattern));
    return isDecided ? undefined : this.#ruleOfModule(principal, pattern, {});
  }

  async #ruleOfModule(
    principal: Principal | null,
    selector: string,
    params: Readonly<Record<string, string>>,
  ): Promise<string | undefined> {
    if (typeof this.#authorize !== 'function') return undefined;
    const isAllowed = (await this.#authorize(principal, selector, params)) === true;
    return isAllowed ? undefined : 'by `authorize` of SseModule';
  }
}

function isClosedToPatterns({ authorize, authorizePattern }: TopicDefinition): boolean {
  return authorize !== undefined && authorizePattern === undefined;
}

/** Whether a ticket for a name or pattern is one for this name or pattern. */
function covers(granted: string, selector: string): boolean {
  return granted === selector || (!isPattern(selector) && concerns(granted, [selector]));
}

function forbidden(): SseError {
  return new SseError('forbidden', 'This stream may not be subscribed to');
}
