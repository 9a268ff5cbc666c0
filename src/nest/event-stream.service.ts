import { Inject, Injectable } from '@nestjs/common';
import type { Revocation } from '../access/revocations.js';
import type { TicketOptions } from '../access/tickets.js';
import { readHistory } from '../connection/read-history.js';
import type { HistoryPage, ReadOptions } from '../connection/read-history.js';
import { Selection } from '../connection/selection.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { selectorsOf } from '../connection/topic-set.js';
import { SseError, describe } from '../errors.js';
import { Node } from '../node/node.js';
import type { EngineStatus } from '../node/node.js';
import type { CloseOptions, ConnectionSelector, Presence } from '../node/presence.js';
import { checkTopicName } from '../topic/name.js';
import { checkPattern } from '../topic/pattern.js';
import { formatPosition } from '../topic/position.js';
import type { Principal } from '../topic/principal.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import type { RefusalReason } from '../wire/words.js';
import { Topic } from './topic.js';

/** The streams that are open. */
export interface OpenConnections {
  /** How many, in this process. */
  readonly count: number;
  /** How many streams were not opened so far, by reason: their clients were told to come back later. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Those of this process. */
  list(): readonly SseConnection[];
  /**
   * Ends all streams that fit what is given, on every node, with the reason `closed`. They may come back: see `revoke`
   * for those who shall not.
   *
   * @throws SseError `invalid-options` or `invalid-topic`, as a rejection; `engine-failed` or `engine-uncertain` when the
   * other nodes could not be told
   */
  close(selector: ConnectionSelector, options?: CloseOptions): Promise<void>;
}

export interface PresenceOptions {
  /**
   * Whether the principals are wanted, too.
   *
   * @default false
   */
  readonly members?: boolean | undefined;
  /**
   * How long is waited for nodes that do not answer, in ms.
   *
   * @default 1_000
   */
  readonly timeoutMs?: number | undefined;
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
  /** How the engine does. */
  readonly engine: EngineStatus;
  readonly #node: Node;

  /** @internal */
  constructor(@Inject(Node) node: Node) {
    this.#node = node;
    const { connections } = node;
    this.connections = {
      get count(): number {
        return connections.open.size;
      },
      refused: connections.refused,
      list: () => connections.open.list(),
      close: async (selector, options = {}) => {
        checkSelector(selector);
        await node.closeStreams(selector, options);
      },
    };
    this.engine = node.engine;
    this.tickets = { issue: (principal, options) => node.access.issueTicket(principal, options) };
  }

  /**
   * Publishes an event to everyone who reads the topic. Resolves with its id once the engine has stored it.
   *
   * @throws SseError as a rejection: `invalid-topic`, `invalid-event`, `schema-mismatch`, `closed` or `engine-failed`:
   * nothing was stored then. With `engine-uncertain` it may have been: whether to publish again is for the caller to say.
   */
  publish(topic: string, event: SseEvent | SseNotice): Promise<{ id: string }> {
    return this.#node.publisher.publish(topic, event);
  }

  /**
   * Publishes an event if and only if the transaction is committed, in the order of the commits, a moment after. For
   * engines with transactions: `postgresEngine()`.
   *
   * @param transaction what the transaction's statements are run with: a client of `pg`, or whatever else has
   * `query(text, values)`
   * @throws SseError as a rejection: as `publish`, and `invalid-options` when the engine has no transactions
   */
  publishInTransaction(transaction: object, topic: string, event: SseEvent | SseNotice): Promise<void> {
    return this.#node.publisher.publishInTransaction(transaction, topic, event);
  }

  /**
   * One topic, by its name.
   *
   * @throws SseError `invalid-topic`
   */
  topic<T = unknown>(name: string): Topic<T> {
    return new Topic<T>(this.#node, name);
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
    return new Selection<T>(this.#node.hub, [...new Set(names)]);
  }

  /**
   * The place of now in the log, as an id: what was published before has come before it, and what is published from now on comes after.
   * A stream that begins there (`from`, or a client's `Last-Event-ID`) misses nothing of the time since.
   *
   * @throws SseError `engine-failed` or `closed`, as a rejection
   */
  async position(): Promise<string> {
    return formatPosition(await this.#node.hub.head());
  }

  /**
   * Reads what history holds of a topic or a selection, through its `filter` and `map`: for pages that do not stream. Asks nobody whether
   * he may: that is for the caller to do.
   *
   * @throws SseError `invalid-topic`, `invalid-options`, `engine-failed` or `closed`, as a rejection, and what a step throws
   */
  async read<E extends SseEvent = SseEvent>(
    topics: string | Selection<unknown, E>,
    options: ReadOptions = {},
  ): Promise<HistoryPage<E>> {
    const selection = typeof topics === 'string' ? this.topics(topics) : topics;
    return readHistory(this.#node.hub, selection as Selection<unknown, E>, options);
  }

  /**
   * Counts the streams that read a topic, by name or by pattern, on all nodes: each is asked now.
   *
   * @throws SseError `invalid-topic` or `invalid-options`, as a rejection; `engine-failed` or `engine-uncertain` when the
   * other nodes could not be asked
   */
  async presence(topic: string, { members = false, timeoutMs = 1_000 }: PresenceOptions = {}): Promise<Presence> {
    checkTopicName(topic);
    if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
      throw new SseError('invalid-options', `presence: timeoutMs must be above 0, got ${describe(timeoutMs)}`);
    }
    return this.#node.presence(topic, members, timeoutMs);
  }

  /**
   * Ends the streams of a principal, or those of its streams that read a topic, with the reason `revoked`, and refuses
   * them with `403` from now on, on every node.
   *
   * @throws SseError `invalid-options` or `invalid-topic`, as a rejection
   */
  async revoke({ principalId, topic, forMs = 86_400_000 }: RevokeOptions): Promise<void> {
    checkRevocation({ principalId, topic });
    if (typeof forMs !== 'number' || !(forMs > 0))
      throw new SseError('invalid-options', `revoke: forMs must be above 0, got ${describe(forMs)}`);
    await this.#node.access.revoke({ principalId, topic }, forMs);
  }

  /**
   * Takes a revocation back, before its time is over.
   *
   * @throws SseError `invalid-options` or `invalid-topic`, as a rejection
   */
  async reinstate({ principalId, topic }: Revocation): Promise<void> {
    checkRevocation({ principalId, topic });
    await this.#node.access.reinstate({ principalId, topic });
  }
}

function checkSelector({ id, principalId, topic }: ConnectionSelector): void {
  for (const [name, value] of Object.entries({ id, principalId })) {
    if (value === undefined || typeof value === 'string') continue;
    throw new SseError('invalid-options', `connections.close: ${name} must be a string, got ${describe(value)}`);
  }
  if (topic !== undefined) checkPattern(topic);
  if (id !== undefined || principalId !== undefined || topic !== undefined) return;
  throw new SseError('invalid-options', 'connections.close: give an id, a principalId or a topic');
}

function checkRevocation({ principalId, topic }: Revocation): void {
  if (typeof principalId !== 'string') {
    throw new SseError('invalid-options', `principalId must be a string, got ${describe(principalId)}`);
  }
  if (topic !== undefined) checkPattern(topic);
}
