import type { ParsedEvent } from '../wire/parse.js';
import { END, END_ID, FAILURE, RESET } from '../wire/words.js';
import { judge } from './answer.js';
import { BaseStream, callListener } from './base-stream.js';
import { endingOf, saidBy } from './ending.js';
import { ReceivedEvent } from './events.js';
import type { AnyEvents, Reset } from './events.js';
import type { DebugFrame, StreamOptions, Url } from './options.js';
import type { Outcome } from './outcome.js';
import { watchPage } from './page.js';
import { readBody } from './read-body.js';
import type { EventSink } from './read-body.js';
import { isRepeatable, requestOf, urlOf } from './request.js';
import { Retries } from './retries.js';
import { StreamError } from './state.js';
import type { ClosedState, StreamState } from './state.js';
import { MAX_TIMER_MS, Watchdog } from './watchdog.js';

/** Whoever ends a wait more often than that waits for it. */
const WAKE_MS = 2_000;
/** What is asked for within it is done once. */
const JOIN_MS = 50;

const AGAIN: Outcome = { isAgain: true };

/** A stream of its own connections. */
export class HttpStream<E extends object = AnyEvents> extends BaseStream<E> implements EventSink {
  #url!: Url;
  readonly #options: StreamOptions;
  readonly #retries: Retries;
  /** Behind what has come: where it resumes. */
  #place: string;
  /** What came of the last attempt. */
  #last: Outcome = {};
  /** Resets without an event between them. */
  #resets = 0;
  /** What a snapshot is to be taken for. */
  #why: Reset | { readonly reason: 'start' } | undefined;
  /** Ends the attempt, or the wait, that is under way, with its outcome. */
  #current = new AbortController();
  #wokenAt = -WAKE_MS;
  /** The page is frozen, or left. */
  #isAway = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: Watchdog | undefined;
  readonly #unwatch: () => void;

  constructor(url: Url, options: StreamOptions) {
    super();
    this.#move(url);
    checkOptions(options);
    const { lastEventId, signal } = options;
    this.#options = options;
    this.#retries = new Retries(options);
    this.#place = this.lastEventId = (typeof lastEventId === 'function' ? lastEventId() : lastEventId) ?? '';
    if (!this.#place && options.snapshot) this.#why = { reason: 'start' };
    this.#unwatch = watchPage({ left: () => this.#leave(), back: () => this.#return(), seen: () => this.#see() });
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.close();
    void this.#run();
  }

  reconnect({ url = this.#url }: { readonly url?: Url | undefined } = {}): void {
    this.#move(url);
    if (!this.#isRepeatable || this.#isAway) return;
    if (this.state.phase === 'waiting') this.#wake();
    else this.#again(JOIN_MS);
  }

  take({ type, data, lastEventId }: ParsedEvent, topic: string | undefined): Outcome | undefined {
    const { text, snapshot } = this.#options;
    const event = new ReceivedEvent(type, data, lastEventId, topic, text);
    const isControl = type === END || type === FAILURE;
    if (lastEventId !== END_ID) this.#place = lastEventId;
    this.dispatch(event, isControl);
    if (isControl) return endingOf(event, this.#isRepeatable);
    if (type !== RESET) this.#resets = 0;
    else if (snapshot) {
      this.#why = saidBy(event) as Reset;
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

  readonly debug = (frame: DebugFrame): void => {
    if (this.#options.debug) callListener(this.#options.debug, frame);
  };

  protected override finish(reason: ClosedState['reason'], more?: Pick<ClosedState, 'status' | 'error'>): void {
    super.finish(reason, more);
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unwatch();
    this.#current.abort();
  }

  protected override setState(given: StreamState, quietly?: boolean): void {
    const { downSince } = this.#retries;
    super.setState(downSince ? { ...given, downSince } : given, quietly, (state) =>
      this.debug({ kind: 'state', state }),
    );
  }

  readonly #onAbort = (): void => this.close();

  get #isOver(): boolean {
    return this.state.phase === 'closed';
  }

  get #isRepeatable(): boolean {
    return !!this.location || isRepeatable(this.#options);
  }

  #move(url: Url): void {
    if (typeof url !== 'function') urlOf(url);
    this.#url = url;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      // An attempt that begins is what was waited for.
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.setState({ phase: 'connecting', attempt: this.#retries.failures + 1 });
      let outcome = (this.#last = await this.#until((signal) => this.#attempt(signal)));
      // A page that is left while it waits comes back to no wait.
      for (let ms; !this.#isOver && (ms = this.#settle(outcome));)
        outcome = await this.#until((signal) => pause(ms, signal));
    }
  }

  /** Does what may hang or fail, until `#current` is aborted with another outcome. Never rejects. */
  async #until(work: (signal: AbortSignal) => Promise<Outcome>): Promise<Outcome> {
    const current = (this.#current = new AbortController());
    // Whoever was told of the state may have closed the stream.
    if (this.#isOver) return AGAIN;
    const { signal } = current;
    const outcome = await Promise.race([
      new Promise<Outcome>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason as Outcome))),
      work(signal).catch((error: unknown): Outcome => ({ reason: 'error', error })),
    ]);
    // An answer that is refused can still be read.
    if (!outcome.closes) current.abort();
    else if (!this.#isOver) this.#current = new AbortController();
    return outcome;
  }

  async #attempt(signal: AbortSignal): Promise<Outcome> {
    const { connectTimeout = 30_000, fetch = globalThis.fetch, headers, heartbeat, retryOn, snapshot } = this.#options;
    const end = (reason: 'timeout' | 'silent') => (): void => current.abort({ reason } satisfies Outcome);
    const current = this.#current;
    if (this.#why) {
      // What came before the gap must not be read after the state that it belongs to.
      if (this.holds(1)) await this.whenRoom(1);
      if (signal.aborted) return AGAIN;
      const { lastEventId = '' } = (await snapshot!(this.#why, signal)) ?? {};
      if (signal.aborted) return AGAIN;
      this.#why = undefined;
      this.moved(lastEventId);
    }
    const timer = setTimeout(end('timeout'), Math.min(connectTimeout, MAX_TIMER_MS));
    signal.addEventListener('abort', () => clearTimeout(timer));
    const { reason, status } = this.#last;
    const lastEventId = this.#place;
    const attempt = { number: this.#retries.failures + 1, lastEventId, reason, status, signal };
    const { url, init } = await requestOf(this.#url, this.#options, attempt, this.location);
    if (signal.aborted) return AGAIN;
    this.debug({ kind: 'request', url, method: init.method, lastEventId });
    let response;
    try {
      response = await fetch(url, init);
    } catch (error) {
      return { reason: 'network', error };
    } finally {
      clearTimeout(timer);
    }
    if (signal.aborted) return AGAIN;
    this.debug({ kind: 'response', response });
    const isAsked = typeof headers === 'function' || typeof this.#url === 'function';
    const outcome = judge(response, retryOn, this.#isRepeatable, isAsked && reason !== 'unauthorized');
    if (outcome) return outcome;
    const location = response.headers.get('content-location');
    if (location && !this.#isRepeatable) {
      const resume = new URL(location, url);
      // What the headers have is for this origin.
      if (resume.origin === new URL(url).origin) this.location = resume.href;
    }
    this.#retries.opened();
    this.setState({ phase: 'open', resumed: lastEventId !== '' });
    this.#watchdog = new Watchdog(heartbeat, end('silent'));
    return readBody(response.body!, this, this.#watchdog, signal, lastEventId, this.#options);
  }

  /** Says how the stream is after an attempt. @returns how long to wait before the next, in ms */
  #settle(outcome: Outcome): number {
    const { reason = 'cut', status, error, isAgain } = outcome;
    const isPage = reason === 'page';
    let { closes } = outcome;
    // An answer that is no stream has begun nothing that could be begun twice.
    if (!closes && !this.#isRepeatable && !status && outcome !== AGAIN) closes = reason === 'error' ? 'failed' : 'lost';
    const ms = closes ? 0 : isPage ? Infinity : this.#retries.after(outcome);
    if (ms === Infinity && !isPage) closes = 'lost';
    if (closes) {
      const cause =
        error instanceof StreamError
          ? error
          : new StreamError(
              closes,
              `The stream is over: ${closes}. ${(error as Error | undefined)?.message ?? ''}`,
              undefined,
              error,
            );
      this.finish(closes, { status, error: closes === 'complete' ? undefined : cause });
    } else if (!isAgain) {
      const { failures: attempt } = this.#retries;
      // Of a page that is being left nobody is told: it must not say that it is offline.
      this.setState({ phase: 'waiting', reason, attempt, retryAt: Math.round(Date.now() + ms), status, error }, isPage);
    }
    return closes ? 0 : ms;
  }

  #leave(): void {
    // What is asked for once is read on, if it can be.
    if (!this.#isRepeatable) return;
    this.#isAway = true;
    this.#current.abort({ reason: 'page' } satisfies Outcome);
  }

  #return(): void {
    if (this.#isAway) this.#current.abort(AGAIN);
    this.#isAway = false;
  }

  #see(): void {
    this.#return();
    if (this.state.phase === 'waiting') this.#wake();
    else if (this.#watchdog?.isQuiet && this.#isRepeatable) this.#again(0);
  }

  /** Ends a wait, but none that the answer has asked for. */
  #wake(): void {
    const now = performance.now();
    // Of a time that has passed Node warns.
    this.#again(Math.max(this.#wokenAt + WAKE_MS, this.#retries.notBefore, now) - now);
  }

  #again(ms: number): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#wokenAt = performance.now();
      this.#current.abort(AGAIN);
    }, ms);
  }
}

/** @throws TypeError */
export function checkOptions(options: StreamOptions): void {
  for (const name of [
    'retryInterval',
    'maxRetryInterval',
    'retries',
    'connectTimeout',
    'heartbeat',
    'maxBufferSize',
  ] as const)
    if (!(Number(options[name] ?? 0) >= 0))
      throw new TypeError(`${name} must be a number of at least 0; got ${options[name]}`);
}

/** Ends early when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS), AGAIN);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });
}
