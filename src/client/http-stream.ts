import type { ParsedEvent } from '../wire/parse.js';
import { END, END_ID, FAILURE, RESET } from '../wire/words.js';
import { judge } from './answer.js';
import { BaseStream, callListener } from './base-stream.js';
import { endingOf } from './ending.js';
import { ReceivedEvent } from './events.js';
import type { AnyEvents, Reset } from './events.js';
import type { Attempt, DebugFrame, StreamOptions, Url } from './options.js';
import type { Outcome } from './outcome.js';
import { watchPage } from './page.js';
import { readBody } from './read-body.js';
import type { EventSink } from './read-body.js';
import { isRepeatable, requestOf, urlOf } from './request.js';
import { Retries } from './retries.js';
import { StreamError } from './state.js';
import type { ClosedState, StreamState } from './state.js';
import { Watchdog } from './watchdog.js';

/** Whoever ends a wait more often than that waits for it. */
const WAKE_MS = 2_000;
/** What is asked for within it is done once. */
const JOIN_MS = 50;
/** The longest that a timer can be. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const NUMBERS = [
  'retryInterval',
  'maxRetryInterval',
  'retries',
  'connectTimeout',
  'heartbeat',
  'maxBufferSize',
] as const;

/** A stream of its own connections. */
export class HttpStream<E extends object = AnyEvents> extends BaseStream<E> implements EventSink {
  #url: Url;
  readonly #options: StreamOptions;
  /** Behind what has come: where it resumes. */
  #place: string;
  readonly #retries: Retries;
  /** What came of the last attempt. */
  #last: Outcome | undefined;
  /** Resets without an event between them. */
  #resets = 0;
  /** What a snapshot is to be taken for. */
  #why: Reset | { readonly reason: 'start' } | undefined;
  /** Where the answer to a request that is not repeated has said to go on. */
  #resumeUrl: string | undefined;
  /** Ends the attempt, or the wait, that is under way. */
  #current = new AbortController();
  #wokenAt = -WAKE_MS;
  /** The page is frozen, or left. */
  #isAway = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: Watchdog | undefined;
  readonly #unwatch: () => void;

  constructor(url: Url, options: StreamOptions) {
    super();
    if (typeof url !== 'function') urlOf(url);
    for (const name of NUMBERS) {
      const value = options[name] ?? 0;
      if (value !== false && !(value >= 0))
        throw new TypeError(`${name} must be a number of at least 0; got ${String(value)}`);
    }
    const { lastEventId, signal } = options;
    this.#url = url;
    this.#options = options;
    this.#place = this.lastEventId = (typeof lastEventId === 'function' ? lastEventId() : lastEventId) ?? '';
    this.#retries = new Retries(options);
    if (!this.#place && options.snapshot) this.#why = { reason: 'start' };
    this.#unwatch = watchPage({ left: () => this.#leave(), back: () => this.#return(), seen: () => this.#see() });
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.close();
    void this.#run();
  }

  reconnect({ url = this.#url }: { readonly url?: Url | undefined } = {}): void {
    if (typeof url !== 'function') urlOf(url);
    const isMoved = url !== this.#url;
    this.#url = url;
    if (!this.#isRepeatable || this.#isAway) return;
    if (isMoved || this.state.phase !== 'waiting') this.#again(JOIN_MS);
    else this.#wake();
  }

  take({ type, data, lastEventId }: ParsedEvent, topic: string | undefined): Outcome | undefined {
    const { text, snapshot } = this.#options;
    const event = new ReceivedEvent(type, data, lastEventId, topic, text);
    const isControl = type === END || type === FAILURE;
    if (lastEventId !== END_ID) this.#place = lastEventId;
    this.dispatch(event, isControl);
    if (isControl) return endingOf(event, this.#isRepeatable);
    if (type !== RESET) this.#resets = 0;
    else if (snapshot && !this.#isOver) {
      this.#why = event.json<Reset>();
      return { reason: 'reset', isAgain: ++this.#resets < 3 };
    }
    return undefined;
  }

  override moved(id: string): void {
    if (id === END_ID) return;
    this.#place = id;
    super.moved(id);
  }

  retry(ms: number): void {
    this.#retries.baseMs = ms;
  }

  protected override finish(reason: ClosedState['reason'], more?: Pick<ClosedState, 'status' | 'error'>): void {
    super.finish(reason, more);
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unwatch();
    this.#current.abort();
  }

  protected override setState(state: StreamState, quietly?: boolean): void {
    const { downSince } = this.#retries;
    const told = downSince ? { ...state, downSince } : state;
    super.setState(told, quietly);
    this.#debug({ kind: 'state', state: told });
  }

  get #isOver(): boolean {
    return this.state.phase === 'closed';
  }

  get #isRepeatable(): boolean {
    return this.#resumeUrl !== undefined || isRepeatable(this.#options);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      this.setState({ phase: 'connecting', attempt: this.#retries.failures + 1 });
      let outcome: Outcome = await this.#until((signal) => this.#attempt(signal));
      this.#last = outcome;
      // A page that is left while it waits comes back to no wait.
      for (let ms; !this.#isOver && (ms = this.#settle(outcome)) > 0;)
        outcome = await this.#until((signal) => pause(ms, signal));
    }
  }

  /** Does what may hang or fail, until `#current` is aborted with another outcome. Never rejects. */
  async #until(work: (signal: AbortSignal) => Promise<Outcome>): Promise<Outcome> {
    const current = (this.#current = new AbortController());
    const { signal } = current;
    const ended = new Promise<Outcome>((resolve) => {
      signal.addEventListener('abort', () => resolve(signal.reason as Outcome));
    });
    const worked = work(signal).catch((error: unknown): Outcome => ({ reason: 'error', error }));
    const outcome = await Promise.race([ended, worked]);
    // An answer that is refused can still be read.
    if (!outcome.closes) current.abort();
    else if (!this.#isOver) this.#current = new AbortController();
    return outcome;
  }

  async #attempt(signal: AbortSignal): Promise<Outcome> {
    const { connectTimeout = 30_000, fetch = globalThis.fetch, headers, heartbeat, retryOn } = this.#options;
    const current = this.#current;
    await this.#takeSnapshot(signal);
    const timer = setTimeout(() => current.abort({ reason: 'timeout' } satisfies Outcome), connectTimeout);
    signal.addEventListener('abort', () => clearTimeout(timer));
    const { reason, status } = { reason: undefined, status: undefined, ...this.#last };
    const attempt: Attempt = { number: this.#retries.failures + 1, lastEventId: this.#place, reason, status, signal };
    const asked = await requestOf(this.#resumeUrl ?? this.#url, this.#options, attempt, this.#resumeUrl !== undefined);
    if (signal.aborted) return AGAIN;
    this.#debug({ kind: 'request', url: asked.url, method: asked.init.method, lastEventId: this.#place });
    let response;
    try {
      response = await fetch(asked.url, asked.init);
    } catch (error) {
      return { reason: 'network', error };
    } finally {
      clearTimeout(timer);
    }
    if (signal.aborted) return AGAIN;
    this.#debug({ kind: 'response', response });
    const isAsked = typeof headers === 'function' || typeof this.#url === 'function';
    const outcome = judge(response, retryOn, isAsked && reason !== 'unauthorized');
    if (outcome) return outcome;
    this.#watchdog = new Watchdog(heartbeat, () => current.abort({ reason: 'silent' } satisfies Outcome));
    this.#opened(response, asked.url);
    const of = { signal, sink: this, watchdog: this.#watchdog, lastEventId: this.#place, debug: this.#debug };
    return readBody(response.body as ReadableStream<Uint8Array>, of, this.#options);
  }

  async #takeSnapshot(signal: AbortSignal): Promise<void> {
    if (!this.#why) return;
    const { lastEventId = '' } = (await this.#options.snapshot?.(this.#why, signal)) ?? {};
    if (signal.aborted) return;
    this.#why = undefined;
    this.moved(lastEventId);
  }

  #opened({ headers }: Response, url: string): void {
    const location = headers.get('content-location');
    if (location && !isRepeatable(this.#options)) {
      const { href, origin } = new URL(location, url);
      // What the headers have is for this origin.
      if (origin === new URL(url).origin) this.#resumeUrl = href;
    }
    this.#retries.opened();
    this.setState({ phase: 'open', resumed: this.#place !== '' });
  }

  /** Says how the stream is after an attempt. @returns how long to wait before the next, in ms */
  #settle(outcome: Outcome): number {
    const { status, error } = outcome;
    const about = { ...(status !== undefined && { status }) };
    if (outcome.closes !== undefined) return this.#end(outcome.closes, error, about);
    const { reason } = outcome;
    if (!this.#isRepeatable && reason !== 'unauthorized')
      return this.#end(status ? 'refused' : reason === 'error' ? 'failed' : 'lost', error, about);
    if (reason === 'page') {
      // Nobody is called any more: a page that is being left must not say that it is offline.
      this.setState({ phase: 'waiting', reason, attempt: this.#retries.failures, retryAt: Infinity }, true);
      return Infinity;
    }
    const ms = this.#retries.after(outcome);
    if (ms === Infinity) return this.#end('lost', error, about);
    if (ms > 0 || !outcome.isAgain) {
      const retryAt = Math.round(Date.now() + ms);
      const { failures: attempt } = this.#retries;
      this.setState({ phase: 'waiting', reason, attempt, retryAt, ...about, ...(error !== undefined && { error }) });
    }
    return ms;
  }

  #end(reason: ClosedState['reason'], cause: unknown, about: Pick<ClosedState, 'status'>): 0 {
    const error =
      cause instanceof StreamError ? cause : new StreamError(reason, `The stream is over: ${reason}`, undefined, cause);
    this.finish(reason, reason === 'complete' ? about : { ...about, error });
    return 0;
  }

  #leave(): void {
    // What is asked for once is read on, if it can be.
    if (this.#isOver || !this.#isRepeatable) return;
    this.#isAway = true;
    this.#current.abort({ reason: 'page' } satisfies Outcome);
  }

  #return(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#current.abort(AGAIN);
  }

  #see(): void {
    this.#return();
    if (this.state.phase === 'waiting') this.#wake();
    else if (this.state.phase === 'open' && this.#watchdog?.isQuiet && this.#isRepeatable) this.#again(0);
  }

  /** Ends a wait, but none that the answer has asked for. */
  #wake(): void {
    this.#again(Math.max(this.#wokenAt + WAKE_MS, this.#retries.notBefore) - performance.now());
  }

  #again(ms: number): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#wokenAt = performance.now();
      this.#current.abort(AGAIN);
    }, ms);
  }

  readonly #onAbort = (): void => this.close();

  readonly #debug = (frame: DebugFrame): void => {
    if (this.#options.debug) callListener(this.#options.debug, frame);
  };
}

const AGAIN: Outcome = { reason: 'cut', isAgain: true };

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS), AGAIN);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });
}
