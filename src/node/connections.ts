import type { Access } from '../access/access.js';
import { spread } from '../access/refusals.js';
import type { Source } from '../connection/source.js';
import { type ConnectionRequest, type StreamHost, retryMsOf } from '../connection/stream-host.js';
import { Stream } from '../connection/stream.js';
import { Wheel } from '../connection/wheel.js';
import { closeSocketBehind } from '../http/raw-response.js';
import type { RawResponse, StartedResponse } from '../http/raw-response.js';
import { ResponseWriter } from '../http/response-writer.js';
import type { Hub } from '../hub/hub.js';
import type { Teller } from '../signals.js';
import type { RefusalReason } from '../wire/words.js';
import { Admission } from './admission.js';
import type { ConnectionLimits } from './admission.js';
import { drain } from './drain.js';
import type { DrainTimes } from './drain.js';
import { Farewells } from './farewells.js';
import { OpenStreams } from './open-streams.js';
import type { NodeSignals } from './signals.js';
import { StreamRefused } from './stream-refused.js';
import type { RefusedReason } from './stream-refused.js';

/** What the register of streams is built on. */
export interface ConnectionsParts {
  readonly hub: Hub;
  readonly access: Access;
  readonly signals: Teller<NodeSignals>;
  readonly limits: ConnectionLimits;
  readonly isHeard: boolean;
}

/** The streams of this process, from their requests to their ends. */
export class Connections implements StreamHost {
  readonly hub: Hub;
  readonly rules: Access;
  readonly signals: Teller<NodeSignals>;
  readonly isHeard: boolean;
  readonly wheel = new Wheel();
  readonly open: OpenStreams;
  /** How many streams were not opened, by reason. */
  readonly refused: Partial<Record<RefusalReason, number>> = {};
  /** Requests of which it is being found out who asks. */
  readonly deciding = new Set<{ destroy(): void }>();
  readonly #farewells = new Farewells(this.wheel);
  readonly #admission: Admission;
  /** Those whose handler has not returned yet. */
  readonly #pending = new Set<Stream>();
  #prepared = 0;
  #isDraining = false;

  /** @param id names this process among those that share its log */
  constructor(id: string, { hub, access, signals, limits, isHeard }: ConnectionsParts) {
    this.open = new OpenStreams(id, access);
    this.hub = hub;
    this.rules = access;
    this.signals = signals;
    this.isHeard = isHeard;
    this.#admission = new Admission(limits);
  }

  /** How many are counted in: those that are open, and those that are on their way. */
  get counted(): number {
    return this.#admission.count;
  }

  /** Whether none are opened any more. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A stream for a request that has not been answered yet. */
  prepare(request: ConnectionRequest): Stream {
    const stream = new Stream(this, `${this.open.id}.${(++this.#prepared).toString(36)}`, request);
    this.#pending.add(stream);
    return stream;
  }

  /**
   * Counts a stream in, or answers why it is not to be opened now.
   *
   * @throws SseError `forbidden` when its principal has been revoked
   */
  enter(stream: Stream, isExpired: boolean): RefusalReason | undefined {
    this.rules.checkRevoked(stream, []);
    if (this.#isDraining) return 'shutdown';
    return isExpired ? 'expired' : this.#admission.enter(stream);
  }

  /** Answers a stream that is not to be opened now with when to come back. */
  refuse(stream: Stream, response: StartedResponse, reason: RefusalReason): void {
    this.#count(stream, reason);
    const writer = new ResponseWriter(response, stream);
    if (reason === 'shutdown') closeSocketBehind(response.raw);
    writer.end(stream.dialect.refusal(reason, spread(retryMsOf(stream.settings))));
    this.#farewells.add(response.raw);
    stream.tell('refused', () => ({ reason }));
  }

  /** The same as an error that is still to be answered, for a client that understands nothing but its status. */
  refusal(stream: Stream, raw: RawResponse, reason: RefusalReason): StreamRefused {
    this.#count(stream, reason);
    if (reason === 'shutdown') closeSocketBehind(raw);
    stream.tell('refused', () => ({ reason }));
    return new StreamRefused(reason, spread(retryMsOf(stream.settings)));
  }

  /** Answers, in place of a document, why that was ended before it was complete. */
  cutShort(stream: Stream, raw: RawResponse, reason: RefusedReason): StreamRefused {
    if (reason === 'shutdown') closeSocketBehind(raw);
    return new StreamRefused(reason, spread(retryMsOf(stream.settings)));
  }

  /** A stream waits for its source before it is answered, and is ended meanwhile as those that are open. */
  await(stream: Stream): void {
    if (stream.state === 'closed') return;
    this.open.add(stream);
    if (this.rules.isRevoked(stream, stream.topics.names)) stream.end('revoked');
  }

  /** Begins to stream. While the application shuts down, the client is told to come back instead. */
  start(stream: Stream, response: StartedResponse, source: Source): void {
    // Of one that is over it cannot be asked for any more. It asks the framework, which may ask the application.
    if (this.isHeard) void stream.address;
    this.#pending.delete(stream);
    this.open.add(stream);
    // It may have come to be since it was counted in.
    if (this.rules.isRevoked(stream, stream.topics.names)) stream.end('revoked');
    stream.open(response, source);
    if (this.#isDraining) closeSocketBehind(response.raw);
    stream.tell('opened', () => ({}));
  }

  closed(stream: Stream): void {
    this.#admission.leave(stream);
    this.#pending.delete(stream);
    this.open.delete(stream);
  }

  /** Opens no more, and ends all. Resolves when none is open. */
  async drain(times: DrainTimes): Promise<void> {
    this.#isDraining = true;
    await drain({ open: this.open, pending: this.#pending, deciding: this.deciding }, times);
  }

  /** Cuts what is still open. */
  cut(): void {
    for (const stream of [...this.open]) stream.drop('socket');
    this.wheel.close();
  }

  #count(stream: Stream, reason: RefusalReason): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
    this.rules.refusals.later(stream, reason);
  }
}
