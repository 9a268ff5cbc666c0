import { Inject, Injectable } from '@nestjs/common';
import { SseError, describe } from '../errors.js';
import type { RefusalReason } from '../connection/end-reason.js';
import type { Revocation } from '../connection/revocations.js';
import { Selection } from '../connection/selection.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { selectorsOf } from '../connection/topic-set.js';
import { checkPattern } from '../topic/pattern.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { SseRuntime } from './runtime.js';
import type { TicketOptions } from './tickets.js';
import type { Principal } from '../topic/define.js';
import { Topic } from './topic.js';

/** What is open in this process. */
export interface OpenConnections {
  readonly count: number;
  /** How many streams were not opened so far, by reason: their clients were told to come back later. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  list(): readonly SseConnection[];
}

export interface TicketOffice {
  /**
   * Issues a code that stands for the principal once, as `?ticket=<code>`: 256 random bits, URL-safe.
   *
   * @throws SseError `invalid-options` or `invalid-topic`
   */
  issue(principal: Principal, options?: TicketOptions): string;
}

export interface RevokeOptions extends Revocation {
  /**
   * How long they are refused when they come back, in ms: as long as a credential from before can be used. A principal
   * with a later `issuedAt` is not refused.
   *
   * @default 86_400_000
   */
  readonly forMs?: number | undefined;
}

/** Publishes events, and names the topics that routes stream. */
@Injectable()
export class EventStreamService {
  /** The streams that are open in this process. */
  readonly connections: OpenConnections;
  /** One-time codes for clients that cannot send headers. */
  readonly tickets: TicketOffice;
  readonly #runtime: SseRuntime;

  constructor(@Inject(SseRuntime) runtime: SseRuntime) {
    this.#runtime = runtime;
    this.connections = {
      get count(): number {
        return runtime.open.size;
      },
      refused: runtime.refused,
      list: () => [...runtime.open],
    };
    this.tickets = { issue: (principal, options) => runtime.tickets.issue(principal, options) };
  }

  /**
   * Publishes an event to everyone who reads the topic. Resolves with its id once the engine has stored it.
   *
   * @throws SseError as a rejection: `invalid-topic`, `invalid-event`, `schema-mismatch`, `closed` or `engine-failed`.
   * Nothing was stored then.
   */
  publish(topic: string, event: SseEvent | SseNotice): Promise<{ id: string }> {
    return this.#runtime.publisher.publish(topic, event);
  }

  /**
   * One topic, by its name.
   *
   * @throws SseError `invalid-topic`
   */
  topic<T = unknown>(name: string): Topic<T> {
    return new Topic<T>(this.#runtime, name);
  }

  /**
   * Several topics as one stream, in the order in which their events were published; one id resumes them all. A pattern
   * stands for all topics that match it: `*` for one segment, `**` for any number.
   *
   * @throws SseError `invalid-topic`
   */
  topics<T = unknown>(...selectors: readonly (string | Selection<T>)[]): Selection<T> {
    const names = selectors.flatMap(selectorsOf);
    for (const name of names) checkPattern(name);
    if (names.length === 0) throw new SseError('invalid-topic', 'topics() must be given at least one topic or pattern');
    return new Selection<T>(this.#runtime.hub, [...new Set(names)]);
  }

  /**
   * Ends the streams of a principal, or those of its streams that read a topic, with the reason `revoked`, and refuses
   * them with `403` from now on.
   *
   * @throws SseError `invalid-options` or `invalid-topic`, as a rejection
   */
  async revoke({ principalId, topic, forMs = 86_400_000 }: RevokeOptions): Promise<void> {
    checkRevocation({ principalId, topic });
    if (typeof forMs !== 'number' || !(forMs > 0))
      throw new SseError('invalid-options', `revoke: forMs must be above 0, got ${describe(forMs)}`);
    this.#runtime.revoke({ principalId, topic }, forMs);
  }

  /**
   * Takes a revocation back, before its time is over.
   *
   * @throws SseError `invalid-options` or `invalid-topic`, as a rejection
   */
  async reinstate({ principalId, topic }: Revocation): Promise<void> {
    checkRevocation({ principalId, topic });
    this.#runtime.reinstate({ principalId, topic });
  }
}

function checkRevocation({ principalId, topic }: Revocation): void {
  if (typeof principalId !== 'string') {
    throw new SseError('invalid-options', `principalId must be a string, got ${describe(principalId)}`);
  }
  if (topic !== undefined) checkPattern(topic);
}
