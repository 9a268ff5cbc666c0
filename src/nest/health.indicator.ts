import { Inject, Injectable } from '@nestjs/common';
import type { EngineState } from '../feed/engine-health.js';
import { Node } from '../node/node.js';

/** What `@nestjs/terminus` takes from an indicator. */
export type SseHealthResult<Key extends string = string> = Record<
  Key,
  { readonly status: 'up' | 'down'; readonly engine: string; readonly state: EngineState; readonly message?: string }
>;

/**
 * Tells whether the engine answers, in the form that `HealthCheckService.check()` of `@nestjs/terminus` expects; other
 * health checks can read it as well. A `degraded` engine is up: streams stay open, and catch up by themselves.
 *
 * @example
 * ```ts
 * health.check([() => indicator.isHealthy('sse')]);
 * ```
 */
@Injectable()
export class SseHealthIndicator {
  readonly #node: Node;

  /** @internal */
  constructor(@Inject(Node) node: Node) {
    this.#node = node;
  }

  /** Asks the engine. Never rejects: an engine that does not answer is `down`. */
  async isHealthy<Key extends string = 'sse'>(key = 'sse' as Key): Promise<SseHealthResult<Key>> {
    const { engine } = this.#node;
    const about = { engine: engine.name, state: engine.state };
    try {
      await engine.health();
      return { [key]: { status: 'up', ...about } } as SseHealthResult<Key>;
    } catch {
      // Not the engine's own message, which may have an address or a password in it: a health route may be open to all.
      return { [key]: { status: 'down', ...about, message: 'The engine does not answer' } } as SseHealthResult<Key>;
    }
  }
}
