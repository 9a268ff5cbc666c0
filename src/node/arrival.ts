import { identityOf } from '../access/identity.js';
import { behind } from '../connection/behind.js';
import { collect } from '../connection/collect.js';
import { FirstEvent } from '../connection/first-event.js';
import type { Kept } from '../connection/kept.js';
import type { Selection } from '../connection/selection.js';
import { discard, toSource } from '../connection/source.js';
import type { Source, StreamedSource } from '../connection/source.js';
import type { ConnectionRoute } from '../connection/stream-host.js';
import type { Stream } from '../connection/stream.js';
import { SseError } from '../errors.js';
import type { Exchange, HeadSettings } from '../http/exchange.js';
import type { HeadCache } from '../http/head-cache.js';
import { rawOf } from '../http/raw-response.js';
import { isSafe } from '../http/stream-request.js';
import { parsePosition } from '../topic/position.js';
import type { WireProfile } from '../wire/profile.js';
import { END_ID } from '../wire/words.js';
import type { RefusalReason } from '../wire/words.js';
import { NothingThere, dataOf } from './answer.js';
import type { Answer } from './answer.js';
import { claimedPlace } from './claimed-place.js';
import type { ClaimedPlace } from './claimed-place.js';
import { chooseForm } from './negotiation.js';
import type { AnswerForm } from './negotiation.js';
import type { Node } from './node.js';
import { placeToResume } from './resume-at.js';
import type { ResumeAt } from './resume-at.js';
import { StreamRefused } from './stream-refused.js';

type OwnHeaders = Readonly<Record<string, string | string[]>> | undefined;

/** The route that a request has come to. */
export interface ArrivalRoute extends ConnectionRoute {
  readonly settings: ConnectionRoute['settings'] & HeadSettings;
  readonly heads: HeadCache;
  /** Further headers of the response. */
  readonly headers: OwnHeaders;
  /** Where a client goes on whose answer was cut. */
  readonly resumeAt: ResumeAt | undefined;
  /** How its streams speak, if not as this module does. */
  readonly wire: WireProfile | undefined;
  /** How a request is answered for which the handler gives nothing; `undefined`: that is a mistake. */
  readonly none?: 204 | 404 | undefined;
  /** How long the head waits for the first event; `undefined`: not at all. */
  readonly commit?: { readonly waitMs: number } | undefined;
  /** Whether the client chooses between a stream and one document. */
  readonly isNegotiated?: boolean | undefined;
}

// Keyed by the response, so that two applications in one process never meet. An interceptor and a decorated method
// have nothing else in common.
const arrivals = new WeakMap<object, Arrival>();

/** The arrival that is under way on a framework's response, if it is a stream route's. */
export function arrivalOf(response: unknown): Arrival | undefined {
  return typeof response === 'object' && response !== null ? arrivals.get(rawOf(response)) : undefined;
}

/**
 * The way of one request to its stream: `enter`, `ask` the handler, and `answer`, which authorizes what it has returned, takes a place in
 * the log, redeems the ticket, sends the head, and streams.
 */
export class Arrival {
  readonly stream: Stream;
  readonly #node: Node;
  readonly #exchange: Exchange;
  readonly #route: ArrivalRoute;
  readonly #claimed: ClaimedPlace;
  /**
   * How the request is answered: by a stream, or without asking the handler, because the stream had ended for good
   * (`over`) or is not to be opened now.
   */
  #answer: 'stream' | 'over' | RefusalReason = 'stream';
  #form: AnswerForm = 'stream';
  /** What the handler has returned, kept away from interceptors. */
  #result: { readonly value: unknown } | undefined;

  constructor(node: Node, exchange: Exchange, route: ArrivalRoute) {
    this.#node = node;
    this.#exchange = exchange;
    this.#route = route;
    const { request, response } = exchange;
    const identity = identityOf(request);
    this.#claimed = claimedPlace(route.wire, request);
    this.stream = node.prepare({
      request,
      response,
      route,
      lastEventId: typeof this.#claimed === 'string' ? this.#claimed : undefined,
      principal: identity?.principal ?? null,
      grantedTopics: identity?.topics,
    });
  }

  /**
   * Counts it in, and begins to listen for the end of its response.
   *
   * @throws SseError `forbidden` when its principal has been revoked; NotAcceptable when the route has no form that its client takes
   */
  enter(): void {
    const { raw, request } = this.#exchange;
    try {
      if (this.#route.isNegotiated === true) {
        this.#exchange.varyBy('Accept');
        this.#form = chooseForm(request);
      }
      const refusal = this.#node.connections.enter(this.stream, identityOf(request)?.isExpired === true);
      if (this.stream.lastEventId === END_ID) this.#answer = 'over';
      else if (refusal !== undefined) this.#answer = refusal;
      arrivals.set(raw, this);
      this.#exchange.onOver(this.stream);
    } catch (error) {
      this.stream.disconnected();
      throw error;
    }
  }

  /** Asks the handler what to stream, if that matters. Rejects with what it rejects with. */
  async ask(handler: () => unknown): Promise<void> {
    if (this.#answer !== 'stream') return;
    try {
      this.#result = { value: await handler() };
    } catch (error) {
      // The log is away, and what is only asked for is there again later.
      if (!SseError.is(error) || error.code !== 'engine-failed' || !isSafe(this.#exchange.request)) throw error;
      this.#answer = 'unavailable';
    }
  }

  /**
   * Answers the request. Rejects while nothing has been sent, so that an exception filter can.
   *
   * @throws SseError `not-a-source`, `forbidden`, `invalid-topic` or `too-many-topics`, `TicketUsed`, `NothingThere`, `StreamRefused`, and what
   * the source fails with before the head, as a rejection
   */
  async answer(): Promise<Answer> {
    arrivals.delete(this.#exchange.raw);
    if (this.#answer === 'stream' && this.#result === undefined) return 'unasked';
    const value = this.#result?.value;
    const isNone = this.#answer === 'stream' && (value === undefined || value === null);
    try {
      if (this.#answer === 'over' || (isNone && this.#route.none === 204)) this.#exchange.sendNoContent();
      else if (isNone && this.#route.none === 404) throw new NothingThere();
      else if (this.#answer !== 'stream') await this.#refuse(this.#answer);
      else if (this.#form === 'document') return await this.#collect(toSource(value));
      else await this.#open(toSource(value));
    } catch (error) {
      if (!this.#exchange.hasHead) throw error;
      // No exception filter can answer any more: it ends as any stream that has failed.
      this.#exchange.failed(error);
    }
    return 'sent';
  }

  /** Nobody waits for it any more: an error, or a timeout of an interceptor around it. */
  leave(): void {
    if (this.stream.isUnopened) this.stream.disconnected();
  }

  async #open(given: StreamedSource): Promise<void> {
    let source: Source = given;
    try {
      const placed = await this.#authorize(given);
      source = placed;
      const kept = keptOf(source);
      if (kept?.isOver(this.stream.lastEventId) === true) return this.#exchange.sendNoContent();
      const headers = this.#headers(kept);
      await this.#takePlace(source);
      const refusal = this.#isOver || (await this.#redeem()) ? undefined : 'unavailable';
      if (refusal === undefined && this.#waits) {
        this.#node.connections.await(this.stream);
        kept?.watched(this.stream.signal);
        const first = new FirstEvent(this.stream, placed, this.#route.begin);
        source = first.source;
        await first.within(this.#route.commit?.waitMs ?? 0);
      }
      if (refusal === undefined && !this.#isOver && (await this.#sendHead(headers))) {
        if (this.#route.commit === undefined) kept?.watched(this.stream.signal);
        return this.#node.connections.start(this.stream, this.#exchange, source);
      }
      discard(source);
      if (refusal !== undefined) await this.#refuse(refusal);
      else if (this.#exchange.isGone) this.#exchange.abandon();
    } catch (error) {
      discard(source);
      throw error;
    }
  }

  /** Waits for all events of a source, and gives the document that they make. */
  async #collect(given: StreamedSource): Promise<Answer> {
    const { stream } = this;
    let source = given;
    const kept = keptOf(source);
    stream.collect();
    try {
      source = await this.#authorize(source);
      if (kept?.isOver(stream.lastEventId) === true) return this.#sendNothing();
      if (!this.#isOver && !(await this.#redeem())) await this.#refuse('unavailable');
    } catch (error) {
      discard(source);
      throw error;
    }
    if (this.#exchange.isHead) {
      discard(source);
      return { document: undefined, headers: kept?.headers };
    }
    this.#node.connections.await(stream);
    kept?.watched(stream.signal);
    const events = await collect(stream, source, this.#route.begin);
    const reason = stream.endedEarly ?? 'complete';
    if (reason !== 'complete' && reason !== 'stopped')
      throw this.#node.connections.cutShort(stream, this.#exchange.raw, reason);
    if (!this.#isOver) return { document: await (this.#route.wire?.reduce ?? dataOf)(events), headers: kept?.headers };
    if (this.#exchange.isGone) this.#exchange.abandon();
    return 'sent';
  }

  #sendNothing(): 'sent' {
    this.#exchange.sendNoContent();
    return 'sent';
  }

  /** Whether there is a source to wait for before the head. */
  get #waits(): boolean {
    const isWanted = this.#route.commit !== undefined && !this.#exchange.isHead;
    return isWanted && !this.#isOver && this.stream.endedEarly === undefined;
  }

  /** Checks what may be read, and takes it in. Resolves to what is streamed then. */
  async #authorize(source: StreamedSource): Promise<StreamedSource> {
    if (source.kind !== 'topics') return source;
    await this.stream.topics.admit(source.selection.selectors);
    const selection = await this.#placed(source.selection);
    const { selectors, begin = this.#route.begin, kept } = selection;
    await this.stream.topics.select(selectors, begin, kept);
    return { kind: 'topics', selection };
  }

  /** A selection that begins where its client goes on, if that has told how many events it has. */
  async #placed(selection: Selection): Promise<Selection> {
    if (typeof this.#claimed !== 'object' || this.#exchange.isHead) return selection;
    const { begin = this.#route.begin } = selection;
    const place = await behind(selection, this.#claimed.events, { begin, dialect: this.#route.dialect });
    if (place !== undefined) return selection.from(place);
    this.stream.tell('reset', () => ({ reason: 'trimmed' as const, topics: selection.selectors }));
    throw new StreamRefused('gone', 0);
  }

  /** That of the topics beside a source, of which the source's own id is none. */
  async #takePlace(source: Source): Promise<void> {
    const isNeeded = source.kind !== 'topics' && !this.#exchange.isHead;
    if (isNeeded && parsePosition(this.stream.lastEventId) === undefined)
      await this.stream.topics.takePlace(this.#route.begin);
  }

  get #isOver(): boolean {
    return this.#exchange.isGone || this.stream.state === 'closed';
  }

  /** Uses the ticket up that has let someone in, if it was one. `false`: that could not be done now. */
  async #redeem(): Promise<boolean> {
    return this.#exchange.isHead || this.#node.access.redeem(this.#exchange.request);
  }

  /** Those of a stream that is opened, once it is known what it carries. */
  #headers(kept: Kept | undefined): OwnHeaders {
    const { headers, resumeAt } = this.#route;
    if (resumeAt === undefined && kept === undefined) return headers;
    const place = resumeAt && placeToResume(resumeAt, this.stream.connection);
    return { ...headers, ...kept?.headers, ...(place !== undefined && { 'Content-Location': place }) };
  }

  /** Answers whether there is someone to stream to. */
  async #sendHead(headers: OwnHeaders): Promise<boolean> {
    const isOpen = await this.#exchange.start(this.#route.heads, headers, this.#route.settings);
    return isOpen && !this.#exchange.isHead && !this.#exchange.isGone;
  }

  async #refuse(reason: RefusalReason): Promise<void> {
    if ((this.#route.dialect.isForeign || this.#form === 'document') && !this.#exchange.isGone)
      throw this.#node.connections.refusal(this.stream, this.#exchange.raw, reason);
    const isOpen = !this.#exchange.isGone && (await this.#exchange.start(this.#route.heads, this.#route.headers));
    if (isOpen && !this.#exchange.isHead) this.#node.connections.refuse(this.stream, this.#exchange, reason);
    else if (this.#exchange.isGone) this.#exchange.abandon();
  }
}

function keptOf(source: Source): Kept | undefined {
  return source.kind === 'topics' ? source.selection.kept : undefined;
}
