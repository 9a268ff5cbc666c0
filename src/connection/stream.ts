import { destroyResponse, destroySocketOf } from '../http/raw-response.js';
import type { StartedResponse } from '../http/raw-response.js';
import type { WriterOwner } from '../http/response-writer.js';
import { isSafe } from '../http/stream-request.js';
import type { StreamRequest } from '../http/stream-request.js';
import { parsePosition } from '../topic/position.js';
import type { Principal } from '../topic/principal.js';
import { failureOf } from '../topic/run-end.js';
import type { RunEnd } from '../topic/run-end.js';
import type { Dialect } from '../wire/dialect.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import { END_ID } from '../wire/words.js';
import type { CloseReason, EndReason } from '../wire/words.js';
import { Connection } from './connection.js';
import { Life } from './life.js';
import { Output } from './output.js';
import type { About, ConnectionSignals } from './signals.js';
import { SourcePump } from './source-pump.js';
import type { SourceTarget } from './source-pump.js';
import { type Source, beginOf, discard } from './source.js';
import type { ConnectionRequest, ConnectionRoute, ConnectionSettings, StreamHost } from './stream-host.js';
import { StreamTopics } from './stream-topics.js';
import type { TopicsOwner } from './stream-topics.js';
import { Timekeeper } from './timekeeper.js';
import type { TimedStream } from './timekeeper.js';
import { NO_STEPS } from './transform.js';
import type { Step } from './transform.js';

/** One response, from the request to the end of the socket. Users see it as a {@link Connection}. */
export class Stream extends Life implements SourceTarget, TopicsOwner, TimedStream, WriterOwner {
  readonly id: string;
  readonly request: StreamRequest;
  /** The framework's own. */
  readonly response: object;
  readonly lastEventId: string | undefined;
  readonly principal: Principal | null;
  readonly grantedTopics: readonly string[] | undefined;
  readonly topics: StreamTopics;
  /** What happens to the events of its topics on their way. */
  steps: readonly Step[] = NO_STEPS;

  readonly #host: StreamHost;
  readonly #route: ConnectionRoute;
  #connection: Connection | undefined;
  #output: Output | undefined;
  #pump: { stop(): void } | undefined;
  #timekeeper: Timekeeper | undefined;
  #address: string | undefined;
  /** What was sent before its head was. */
  #early = '';
  #openedAtMs = 0;

  constructor(host: StreamHost, id: string, of: ConnectionRequest) {
    super();
    this.#host = host;
    this.id = id;
    this.request = of.request;
    this.response = of.response;
    this.lastEventId = of.lastEventId;
    this.principal = of.principal;
    this.grantedTopics = of.grantedTopics;
    this.#route = of.route;
    this.topics = new StreamTopics(host, this);
  }

  get settings(): ConnectionSettings {
    return this.#route.settings;
  }

  get dialect(): Dialect {
    return this.#route.dialect;
  }

  /** As users see it. */
  get connection(): Connection {
    return (this.#connection ??= new Connection(this));
  }

  /** Asked for when it is wanted: that takes a system call, and keeps 100 bytes. */
  get address(): string | undefined {
    return (this.#address ??= this.#route.addressOf(this));
  }

  /** Once it is open. */
  get output(): Output {
    return this.#output as Output;
  }

  /** Begins to stream. */
  open(response: StartedResponse, source: Source): void {
    this.begin();
    // Whole numbers, which take no object of their own.
    this.#openedAtMs = Math.floor(performance.now());
    const isPlain = source.kind === 'topics' && source.selection.steps.length === 0;
    if (!isPlain || this.#host.isHeard) this.keepContext();
    this.#output = new Output(response, this, this.dialect);
    this.#timekeeper = new Timekeeper(this.#host.wheel, this, this.principal);
    this.#output.open(() => this.#start(source));
  }

  /** Sends a value of its source. Gives what goes out of it. */
  send(event: unknown): string {
    const given = toEvent(event);
    checkSourceEvent(given);
    const text = this.dialect.event(given);
    if (this.state === 'pending') this.#early += text;
    else if (this.state === 'open' && !this.output.push(text, this.settings.maxPendingBytes))
      this.end('slow-consumer', { isSudden: true });
    return text;
  }

  /** Drops the response without a word; with its socket, on HTTP/2 all others of its client, too: the server is closing, and must not wait. */
  drop(what: 'response' | 'socket'): void {
    if (what === 'socket' && this.#output === undefined) this.#route.cutRequest(this);
    else if (what === 'socket') destroySocketOf(this.output.raw);
    if (this.#output !== undefined) destroyResponse(this.#output.raw);
    this.disconnected();
  }

  drained(): void {
    this.topics.pump();
  }

  beat(): void {
    // A newer place to resume from is as good a sign of life.
    if (this.state === 'open' && this.output.isIdle && !this.topics.advance()) this.output.beat();
  }

  topicEnded(topic: string, end?: RunEnd): void {
    this.topics.leave([topic]);
    const failure = end && failureOf(end);
    // Whoever comes back would meet it again.
    if (failure !== undefined) return this.breakOff(() => this.dialect.failure(failure, false, END_ID, this.body));
    // A source that is still running has more to say.
    if (this.topics.count > 0 || this.#pump !== undefined) return;
    this.endHere(end?.state === 'stopped' ? 'stopped' : 'complete');
  }

  /** Says what has happened to it, in the context of its own request. */
  tell<Kind extends keyof ConnectionSignals>(kind: Kind, about: () => About<Kind>): void {
    const { signals } = this.#host;
    if (!signals.wants(kind)) return;
    const signal = { connection: this.connection, ...about() } as unknown as ConnectionSignals[Kind];
    this.within(() => signals.tell(kind, signal));
  }

  protected get isRepeatable(): boolean {
    return isSafe(this.request);
  }

  protected get body(): unknown {
    return this.request.body;
  }

  protected flush(): void {
    this.topics.pump();
  }

  /** A source beside the topics has ids of its own. */
  protected place(): string | undefined {
    return this.#pump === undefined ? this.topics.place : undefined;
  }

  protected close(reason: EndReason | 'failed', words: string): void {
    this.tell('ending', () => ({ reason }));
    this.output.end(words);
    this.#timekeeper?.ended(reason === 'slow-consumer' || reason === 'revoked');
  }

  protected cut(): void {
    destroyResponse(this.output.raw);
  }

  protected release(abort: () => void): void {
    this.topics.close();
    abort();
    this.within(() => this.#pump?.stop());
    this.#output?.release();
  }

  protected closed(reason: CloseReason): void {
    if (this.#output?.hasEnded === false) this.within(() => this.#route.endAbandoned(this));
    this.#timekeeper?.stop();
    const isOpened = this.#output !== undefined;
    this.#host.closed(this);
    if (isOpened) this.tell('closed', () => ({ reason, ...this.#sum() }));
  }

  protected failed(error: unknown): void {
    this.within(() => this.#route.onFailed(this, error));
  }

  protected listenerFailed(error: unknown): void {
    this.#route.onListenerFailed(this, error);
  }

  #start(source: Source): void {
    // The first bytes go out before any event: `open` of an EventSource, and every proxy, wait for them.
    const early = this.topics.takeEarly(beginOf(source) ?? this.#route.begin);
    const { retryMs, heartbeatMs } = this.settings;
    this.output.writeNow(this.dialect.start(retryMs, heartbeatMs) + this.#early + early);
    this.#early = '';
    if (this.endAtOnce()) return discard(source);
    const isOfTopics = source.kind === 'topics';
    if (isOfTopics) this.steps = source.selection.steps;
    // The id of a source's own event is no place in the log of the topics beside it.
    const isPlace = isOfTopics || parsePosition(this.lastEventId) !== undefined;
    this.topics.attach(isPlace ? this.lastEventId : undefined);
    if (source.kind === 'begun') (this.#pump = source.source).open();
    else if (!isOfTopics) (this.#pump = new SourcePump(this)).start(source);
  }

  #sum(): { ms: number; bytes: number; frames: number; events: number } {
    const { bytes, frames, events } = this.output;
    return { ms: Math.floor(performance.now()) - this.#openedAtMs, bytes, frames, events };
  }
}
