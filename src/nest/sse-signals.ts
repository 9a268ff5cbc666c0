import { Inject, Injectable } from '@nestjs/common';
import { Node } from '../node/node.js';
import type { NodeSignals } from '../node/signals.js';

/**
 * What happens in this process, for whoever wants to hear of it: metrics, a trace, a dashboard. Any number may listen. Listeners are called at
 * once, in the midst of what happens, so they must be quick; what they throw, or reject with, is reported and disturbs nothing.
 *
 * @example
 * ```ts
 * constructor(@Inject(SseSignals) signals: SseSignals) {
 *   signals.on('closed', ({ reason, events }) => this.delivered.add(events, { reason }));
 * }
 * ```
 */
@Injectable()
export class SseSignals {
  readonly #node: Node;

  /** @internal */
  constructor(@Inject(Node) node: Node) {
    this.#node = node;
  }

  /**
   * Has a listener hear of all of a kind that happens from now on.
   *
   * @returns ends that
   */
  on<Kind extends keyof NodeSignals>(kind: Kind, listener: (signal: NodeSignals[Kind]) => unknown): () => void {
    return this.#node.signals.on(kind, listener);
  }
}
