import { SseError } from '../errors.js';
import type { Hub } from '../hub/hub.js';
import type { OnSlow, Principal } from '../topic/define.js';
import { checkPattern } from '../topic/pattern.js';
import { HEARTBEAT, encodeEvent, encodeRetry } from '../wire/encode.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import { RECONNECTS, encodeEnd } from './end-reason.js';
import type { CloseReason, EndReason } from './end-reason.js';
import { ResponseWriter } from './response-writer.js';
import type { RawResponse } from './response-writer.js';
import type { Selection } from './selection.js';
import { SourcePump } from './source-pump.js';
import type { SourceTarget } from './source-pump.js';
import type { Source } from './source.js';
import type { SseConnection, StreamRequest } from './sse-connection.js';
import { TopicFeed } from './topic-feed.js';
import type { FeedOwner } from './topic-feed.js';
import type { Step } from './transform.js';
import type { Wheel, WheelTask } from './wheel.js';

export interface ConnectionSettings {
  readonly heartbeatMs: number | false;
  readonly retryMs: number | false;
  readonly maxLifetimeMs: number | false;
  readonly maxPendingBytes: number;
}

/** What connections share in one process. */
export interface ConnectionHost {
  readonly hub: Hub;
  readonly wheel: Wheel;
  readonly maxTopics: number;
  /** Rejects when this connection may not read the topic or pattern. */
  authorize(connection: SseConnection, selector: string): Promise<void>;
  onSlowOf(selector: string): OnSlow;
  onClosed(connection: Connection, reason: CloseReason): void;
  onFailed(connection: Connection, error: unknown): void;
}

/** How long a response may take to leave the process after its end, for a client that does not read. */
const END_DEADLINE_MS = 5_000;
const FAILURE_MESSAGE = 'The stream was ended by an error on the server';

/** One open response: its life from the request to the end of the socket. */
export class Connection implements SseConnection, SourceTarget, FeedOwner, WheelTask {
  readonly id: string;
  readonly request: StreamRequest;
  readonly lastEventId: string | undefined;
  readonly settings: ConnectionSettings;
  principal: Principal | null = null;
  /** Hears of the error that ended the stream, beside the host. */
  onFailure: ((error: unknown) => unknown) | undefined;
  slot: number | undefined;

  readonly #host: ConnectionHost;
  readonly #selectors = new Set<string>();
  #state: 'pending' | 'open' | 'ending' | 'closed' = 'pending';
  #endReason: CloseReason | undefined;
  /** What was sent, and how the stream was ended, before its head was. */
  #early = '';
  #earlyEnd: { readonly reason: EndReason; readonly frame: string } | undefined;
  #steps: readonly Step[] = [];
  #writer: ResponseWriter | undefined;
  #feed: TopicFeed | undefined;
  #pump: SourcePump | undefined;
  #abort: AbortController | undefined;
  #wantsWritable: (() => void) | undefined;
  #lastWriteAt = 0;
  /** When the stream is to end by itself, and why. */
  #expiry: { readonly at: number; readonly reason: EndReason } = { at: Infinity, reason: 'lifetime' };

  constructor(host: ConnectionHost, id: string, request: StreamRequest, lastEventId: string | undefined, settings: ConnectionSettings) {
    this.#host = host;
    this.id = id;
    this.request = request;
    this.lastEventId = lastEventId;
    this.settings = settings;
  }

  get state(): 'pending' | 'open' | 'ending' | 'closed' {
    return this.#state;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#state === 'ending' || this.#state === 'closed') this.#abort.abort();
    }
    return this.#abort.signal;
  }

  get topics(): readonly string[] {
    return [...this.#selectors];
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  get writer(): ResponseWriter {
    return this.#writer as ResponseWriter;
  }

  get maxPendingBytes(): number {
    return this.settings.maxPendingBytes;
  }

  get isWritable(): boolean {
    return this.#state === 'open' && this.writer.isWritable;
  }

  /** Begins to stream into a response whose head has been sent or will be with the first byte. */
  open(raw: RawResponse, source: Source): void {
    this.#state = 'open';
    this.#writer = new ResponseWriter(raw, () => this.#drained());
    const { retryMs, maxLifetimeMs } = this.settings;
    // The first bytes go out before any event: `open` of an EventSource, and every proxy, wait for them.
    this.#write((retryMs === false ? HEARTBEAT : encodeRetry(retryMs)) + this.#early);
    this.#early = '';
    if (this.#earlyEnd !== undefined) return this.#finish(this.#earlyEnd.reason, this.#earlyEnd.frame);
    this.#expiry = expiryOf(maxLifetimeMs, this.principal);
    this.#scheduleNext();
    if (source.kind === 'topics') this.#steps = source.selection.steps;
    if (this.#selectors.size > 0 || source.kind === 'topics') this.#openFeed();
    if (source.kind === 'topics') return;
    this.#pump = new SourcePump(this);
    if (source.kind === 'push') this.#pump.push(source.source);
    else void this.#pump.pull(source.start);
  }

  send(event: unknown): void {
    const given = toEvent(event);
    checkSourceEvent(given);
    const text = encodeEvent(given);
    if (this.#state === 'pending') this.#early += text;
    else if (this.#state === 'open') this.#push(text);
  }

  async subscribe(topic: string | Selection): Promise<void> {
    const added = selectorsOf(topic).filter((selector) => !this.#selectors.has(selector));
    await this.admit(added);
    if (this.#state === 'ending' || this.#state === 'closed') return;
    for (const selector of added) this.#selectors.add(selector);
    if (this.#state === 'pending') return;
    if (this.#feed === undefined) this.#openFeed();
    else this.#feed.select(this.#selectors);
  }

  unsubscribe(topic: string | Selection): void {
    for (const selector of selectorsOf(topic)) this.#selectors.delete(selector);
    this.#feed?.select(this.#selectors);
  }

  /** Checks topics before they are read, and counts them in. Rejects with an `SseError` that says why not. */
  async admit(selectors: readonly string[]): Promise<void> {
    for (const selector of selectors) checkPattern(selector);
    const { maxTopics } = this.#host;
    if (new Set([...this.#selectors, ...selectors]).size > maxTopics) {
      throw new SseError('too-many-topics', `One connection may read ${maxTopics} topics (limits.topicsPerConnection)`);
    }
    for (const selector of selectors) await this.#host.authorize(this, selector);
  }

  /** Adds the topics of the route's own selection, once admitted. */
  select(selectors: readonly string[]): void {
    for (const selector of selectors) this.#selectors.add(selector);
  }

  close({ reason = 'closed', reconnect = RECONNECTS[reason] }: { reason?: EndReason | undefined; reconnect?: boolean | undefined } = {}): void {
    this.end(reason, reconnect);
  }

  /** Ends the stream, telling the client why; `retryMs` tells it when to come back. */
  end(reason: EndReason, reconnect: boolean = RECONNECTS[reason], retryMs?: number): void {
    const frame = encodeEnd(reason, reconnect, retryMs);
    if (this.#state !== 'pending') return this.#finish(reason, frame);
    this.#earlyEnd ??= { reason, frame };
    this.#abort?.abort();
  }

  /** The client is gone, or the stream never came to be. */
  disconnected(): void {
    this.#forget(this.#endReason ?? 'disconnected');
  }

  /** Drops the connection without a word. */
  destroy(): void {
    this.#writer?.destroy();
    this.#forget(this.#endReason ?? 'disconnected');
  }

  closeSocketWhenSent(): void {
    this.#writer?.closeSocketWhenSent();
  }

  next(value: unknown): void {
    try {
      this.send(value);
    } catch (error) {
      this.fail(error);
    }
  }

  complete(): void {
    this.end('complete');
  }

  /** Ends the stream with a message that says nothing of the error, which goes to the host. */
  fail(error?: unknown, id?: string): void {
    if (this.#state !== 'open') return;
    const code = SseError.is(error) ? error.code : undefined;
    this.#finish('failed', encodeEvent({ type: 'stream.error', data: { message: FAILURE_MESSAGE, code }, id }));
    if (error === undefined) return;
    this.#host.onFailed(this, error);
    this.onFailure?.(error);
  }

  tooSlow(): void {
    this.end('slow-consumer');
  }

  onSlowOf(selectors: ReadonlySet<string>): OnSlow {
    let answer: OnSlow = 'resume';
    for (const selector of selectors) {
      const onSlow = this.#host.onSlowOf(selector);
      if (onSlow === 'disconnect') return onSlow;
      if (onSlow === 'skip') answer = onSlow;
    }
    return answer;
  }

  wrote(): void {
    this.#lastWriteAt = performance.now();
  }

  async whenWritable(): Promise<void> {
    if (this.#state !== 'open' || this.writer.isWritable) return;
    await new Promise<void>((resolve) => (this.#wantsWritable = resolve));
  }

  onTime(nowMs: number): void {
    if (this.#state === 'ending') return this.destroy();
    if (nowMs >= this.#expiry.at) return this.end(this.#expiry.reason);
    const { heartbeatMs } = this.settings;
    if (heartbeatMs !== false && nowMs - this.#lastWriteAt >= heartbeatMs && this.writer.isWritable) {
      this.#feed?.advance();
      if (nowMs - this.#lastWriteAt >= heartbeatMs) this.#write(HEARTBEAT);
    }
    this.#scheduleNext();
  }

  #openFeed(): void {
    this.#feed = new TopicFeed(this.#host.hub, this, this.#selectors);
    this.#feed.open(this.lastEventId);
  }

  #write(text: string): void {
    this.writer.write(text);
    this.wrote();
  }

  /** Writes what cannot be held back, within the bound of what may wait. */
  #push(text: string): void {
    const waiting = this.writer.pendingBytes;
    if (waiting > 0 && waiting + text.length > this.settings.maxPendingBytes) this.tooSlow();
    else this.#write(text);
  }

  #drained(): void {
    this.#wantsWritable?.();
    this.#wantsWritable = undefined;
    if (this.#state === 'open') this.#feed?.pump();
  }

  #scheduleNext(): void {
    const { heartbeatMs } = this.settings;
    const now = performance.now();
    const silentUntil = heartbeatMs === false ? Infinity : Math.max(this.#lastWriteAt + heartbeatMs, now + 1);
    const at = Math.min(silentUntil, this.#expiry.at);
    if (at !== Infinity) this.#host.wheel.schedule(this, at - now);
  }

  #finish(reason: CloseReason, lastFrame: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#endReason = reason;
    this.#release();
    this.writer.end(lastFrame);
    this.#host.wheel.schedule(this, END_DEADLINE_MS);
  }

  #forget(reason: CloseReason): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#release();
    this.#host.wheel.cancel(this);
    this.#host.onClosed(this, reason);
  }

  #release(): void {
    this.#feed?.close();
    this.#abort?.abort();
    this.#pump?.stop();
    this.#wantsWritable?.();
    this.#wantsWritable = undefined;
  }
}

function expiryOf(maxLifetimeMs: number | false, principal: Principal | null): { at: number; reason: EndReason } {
  const now = performance.now();
  // Jittered, so that clients that came together do not come back together.
  const lifetime = maxLifetimeMs === false ? Infinity : maxLifetimeMs * (0.8 + 0.2 * Math.random());
  const expiresAt = principal?.expiresAt;
  const left = expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
  return left < lifetime ? { at: now + left, reason: 'expired' } : { at: now + lifetime, reason: 'lifetime' };
}

function selectorsOf(topic: string | Selection): readonly string[] {
  return typeof topic === 'string' ? [topic] : topic.selectors;
}
