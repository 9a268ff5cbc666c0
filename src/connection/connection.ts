import { AsyncResource } from 'node:async_hooks';
import type { Begin } from '../topic/begin.js';
import type { OnSlow } from '../topic/define.js';
import type { Principal } from '../topic/principal.js';
import { parsePosition } from '../topic/position.js';
import type { Dialect } from '../wire/dialect.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import { createAbort } from './abort.js';
import { RECONNECTS, type CloseReason, type EndReason, type ResetReason } from '../wire/words.js';
import type { ConnectionHost, ConnectionRequest, ConnectionRoute, ConnectionSettings } from './connection-host.js';
import { frameOfWord } from '../http/chunk.js';
import { type StartedResponse, destroyResponse, destroySocketOf } from '../http/raw-response.js';
import { ResponseWriter, type WriterOwner } from '../http/response-writer.js';
import type { Selection } from './selection.js';
import { SourcePump, type SourceTarget } from './source-pump.js';
import { type Source, beginOf, discard } from './source.js';
import type { SseConnection } from './sse-connection.js';
import type { StreamRequest } from '../http/stream-request.js';
import { type ReadingOwner, TopicReading } from './topic-reading.js';
import { TopicSet, selectorsOf } from './topic-set.js';
import { type TimedStream, Timekeeper } from './timekeeper.js';
import { NO_STEPS, type Step } from './transform.js';

/** One open response: its life from the request to the end of the socket. */
export class Connection implements SseConnection, SourceTarget, ReadingOwner, TimedStream, WriterOwner {
  readonly id: string;
  readonly request: StreamRequest;
  readonly settings: ConnectionSettings;
  readonly lastEventId: string | undefined;
  readonly principal: Principal | null;
  readonly grantedTopics: readonly string[] | undefined;
  readonly response: object;
  /** What happens to the events of its topics on their way. */
  steps: readonly Step[] = NO_STEPS;

  readonly #host: ConnectionHost;
  readonly #route: ConnectionRoute;
  readonly #topics: TopicSet;
  #state: 'pending' | 'open' | 'ending' | 'closed' = 'pending';
  #endReason: CloseReason | undefined;
  /** What was sent, and how the stream was ended, before its head was. */
  #early = '';
  #earlyEnd: { readonly reason: EndReason; readonly frame: string } | undefined;
  #writer: ResponseWriter | undefined;
  #feed: TopicReading | undefined;
  #pump: SourcePump | undefined;
  #abort: AbortController | undefined;
  /** That of the request, when anything of the application's is called later: 81 bytes. */
  #context: AsyncResource | undefined;
  #address: string | undefined;
  #timekeeper: Timekeeper | undefined;

  constructor(host: ConnectionHost, id: string, of: ConnectionRequest) {
    this.#host = host;
    this.#topics = new TopicSet(host);
    this.id = id;
    this.request = of.request;
    this.lastEventId = of.lastEventId;
    this.principal = of.principal;
    this.grantedTopics = of.grantedTopics;
    this.response = of.response;
    this.#route = of.route;
    this.settings = of.route.settings;
  }

  get state(): 'pending' | 'open' | 'ending' | 'closed' {
    return this.#state;
  }

  /** Asked for when it is wanted: that takes a system call, and keeps 100 bytes. */
  get address(): string | undefined {
    return (this.#address ??= this.#route.addressOf(this));
  }

  get signal(): AbortSignal {
    this.#context ??= new AsyncResource('SseConnection');
    const isOver = ['ending', 'closed'].includes(this.#state) || this.#earlyEnd !== undefined;
    return (this.#abort ??= createAbort(isOver, (error) => this.#route.onListenerFailed(this, error))).signal;
  }

  get dialect(): Dialect {
    return this.#route.dialect;
  }

  get topics(): readonly string[] {
    return [...this.#topics];
  }

  get writer(): ResponseWriter {
    return this.#writer as ResponseWriter;
  }

  get isWritable(): boolean {
    return this.#state === 'open' && this.writer.isWritable;
  }

  /** Begins to stream. */
  open(response: StartedResponse, source: Source): void {
    this.#state = 'open';
    const isPlain = source.kind === 'topics' && source.selection.steps.length === 0;
    if (!isPlain || this.#host.hasHooks) this.#context ??= new AsyncResource('SseConnection');
    this.#writer = new ResponseWriter(response, this);
    this.#timekeeper = new Timekeeper(this.#host.wheel, this, this.principal);
    this.#writer.open(() => this.#begin(source));
  }

  send(event: unknown): void {
    const given = toEvent(event);
    checkSourceEvent(given);
    const text = this.dialect.event(given);
    if (this.#state === 'pending') this.#early += text;
    else if (this.#state === 'open') this.#push(text);
  }

  async subscribe(topic: string | Selection): Promise<void> {
    await this.admit(selectorsOf(topic));
    await this.select(selectorsOf(topic));
  }

  unsubscribe(topic: string | Selection): void {
    this.#topics.delete(selectorsOf(topic));
    void this.#feed?.select(this.#topics);
  }

  /** Checks topics before they are read. Rejects with what says why not. */
  async admit(selectors: readonly string[]): Promise<void> {
    await this.#topics.admit(this, selectors);
  }

  /** Reads further topics, once admitted. Resolves when every later event of theirs will be sent. */
  async select(selectors: readonly string[], begin?: Begin): Promise<void> {
    this.#topics.add(this, selectors);
    if (this.#state === 'open') {
      if (this.#feed === undefined) this.#openFeed(undefined).attach();
      await this.#feed?.select(this.#topics);
    } else if (this.#state === 'pending' && this.lastEventId === undefined) {
      void this.#feed?.select(this.#topics);
      await this.takePlace(begin);
    }
  }

  /** Takes the place that a client begins at which brings none, so that it is never later than the head of the answer. */
  async takePlace(begin?: Begin): Promise<void> {
    if (this.#topics.size > 0) await (this.#feed ?? this.#openFeed(undefined, begin)).begun();
  }

  close({ reason = 'closed', reconnect }: Parameters<SseConnection['close']>[0] = {}): void {
    this.end(reason, reconnect);
  }

  /** Ends the stream, telling the client why; `retryMs` tells it when to come back. */
  end(reason: EndReason, reconnect: boolean = RECONNECTS[reason], retryMs?: number): void {
    if (this.#state === 'open') {
      // What was published before the end comes before it.
      this.#feed?.pump();
      return this.#finish(reason, this.dialect.end({ reason, reconnect, retryMs, place: this.#place() }));
    }
    if (this.#state !== 'pending') return;
    this.#earlyEnd ??= { reason, frame: this.dialect.end({ reason, reconnect, retryMs }) };
    this.within(() => this.#abort?.abort());
  }

  /** The client is gone, or the stream never came to be. */
  disconnected(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#release();
    if (this.#writer?.hasEnded === false) this.within(() => this.#route.endAbandoned(this));
    this.#timekeeper?.stop();
    this.within(() => this.#host.onClosed(this, this.#endReason ?? 'disconnected'));
  }

  /** Drops the response without a word. */
  destroy(): void {
    if (this.#writer !== undefined) destroyResponse(this.#writer.raw);
    this.disconnected();
  }

  /** Drops the response, and on HTTP/2 all others of its client: the server is closing, and must not wait for it. */
  cut(): void {
    if (this.#writer === undefined) this.#route.cutRequest(this);
    else destroySocketOf(this.#writer.raw);
    this.destroy();
  }

  /** Ends the stream with a message that says nothing of the error, which goes to the host. */
  fail(error?: unknown, id?: string): void {
    if (this.#state !== 'open') return;
    this.#finish('failed', this.dialect.failure(error, id));
    if (error !== undefined) this.within(() => this.#route.onFailed(this, error));
  }

  fellBehind(): void {
    this.within(() => this.#host.onSlow(this));
  }

  wasReset(reason: ResetReason, topics: readonly string[]): void {
    this.within(() => this.#host.onReset(this, reason, topics));
  }

  tooSlow(): void {
    this.fellBehind();
    this.#finish('slow-consumer', this.dialect.end({ reason: 'slow-consumer', reconnect: true, place: this.#place() }));
  }

  writeFailed(error: unknown): void {
    this.#endReason = 'failed';
    this.disconnected();
    this.within(() => this.#route.onFailed(this, error));
  }

  get onSlow(): OnSlow {
    return this.#topics.onSlow;
  }

  drained(): void {
    this.#feed?.pump();
  }

  async whenWritable(): Promise<void> {
    if (this.#state === 'open') await this.writer.whenWritable();
  }

  within<T>(work: () => T): T {
    return this.#context === undefined ? work() : this.#context.runInAsyncScope(work);
  }

  beat(): void {
    // While something waits, it is no use; and a newer place to resume from does as well.
    const isDue = this.isWritable && this.writer.pendingBytes === 0 && this.#feed?.advance() !== true;
    if (isDue) this.writer.writeFrame(frameOfWord(this.dialect.heartbeat));
  }

  expire(reason: EndReason): void {
    if (reason === 'slow-consumer') this.tooSlow();
    else this.end(reason);
  }

  topicEnded(topic: string): void {
    this.#topics.delete([topic]);
    // A source that is still running has more to say.
    if (this.#topics.size > 0 || this.#pump !== undefined) void this.#feed?.select(this.#topics);
    else this.#finish('complete', this.dialect.end({ reason: 'complete', reconnect: false }));
  }

  #begin(source: Source): void {
    // Whoever brings an id goes on behind it.
    if (this.lastEventId === undefined) this.#feed?.beginAt(this.#host.hub, beginOf(source) ?? this.#route.begin);
    // The first bytes go out before any event: `open` of an EventSource, and every proxy, wait for them.
    this.writer.writeNow(this.dialect.start(this.settings.retryMs) + this.#early + (this.#feed?.takeEarly() ?? ''));
    this.#early = '';
    if (this.#earlyEnd !== undefined) {
      discard(source);
      return this.#finish(this.#earlyEnd.reason, this.#earlyEnd.frame);
    }
    const isOfTopics = source.kind === 'topics';
    if (isOfTopics) this.steps = source.selection.steps;
    // The id of a source's own event is no place in the log of the topics beside it.
    const from = isOfTopics || parsePosition(this.lastEventId) !== undefined ? this.lastEventId : undefined;
    if (isOfTopics || this.#topics.size > 0) this.#feed ??= this.#openFeed(from);
    this.#feed?.attach();
    if (isOfTopics) return;
    (this.#pump = new SourcePump(this)).start(source);
  }

  /** Where a client that comes back goes on. A source beside the topics has ids of its own. */
  #place(): string | undefined {
    return this.#pump === undefined ? this.#feed?.place : undefined;
  }

  #openFeed(from: string | undefined, begin?: Begin): TopicReading {
    this.#feed = new TopicReading(this.#host.hub, this, this.#topics);
    this.#feed.open(this.#host.hub, from, begin);
    return this.#feed;
  }

  /** Writes what cannot be held back, within the bound of what may wait. */
  #push(text: string): void {
    const { isWritable, pendingBytes } = this.writer;
    const isOver = !isWritable && pendingBytes + Buffer.byteLength(text) > this.settings.maxPendingBytes;
    if (isOver) this.tooSlow();
    else this.writer.write(text);
  }

  #finish(reason: CloseReason, lastFrame: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#endReason = reason;
    this.#release();
    this.writer.end(lastFrame);
    this.#timekeeper?.ended(reason === 'slow-consumer' || reason === 'revoked');
  }

  #release(): void {
    this.#feed?.close();
    this.within(() => this.#abort?.abort());
    this.within(() => this.#pump?.stop());
    this.#writer?.release();
  }
}
