import { openStream, shareStream } from '/client.js';

/** How long a server may take to answer before the page says that it does not. */
const ANSWER_MS = 5_000;
/** Somebody is looking: the attempts get no further apart than that, and what the server asks for. */
const MAX_RETRY_MS = 5_000;

/** What a reader is told while a stream waits, by its reason. Behind all others it comes back, and that is all there is to say. */
const WAITING = { network: 'lost', timeout: 'silent', silent: 'silent', status: 'busy', unauthorized: 'busy' };
const CLOSED = { aborted: 'ended', complete: 'ended', closed: 'ended', refused: 'refused', revoked: 'refused' };

/** How a stream of the client is, in one of the words of the pages. */
export function wordOf({ phase, reason }) {
  if (phase === 'waiting') return WAITING[reason] ?? 'reconnecting';
  return phase === 'closed' ? (CLOSED[reason] ?? 'interrupted') : phase;
}

/**
 * A stream of the client, and what a page needs around it: a state in one word, and a pause, behind which it resumes where it was.
 * All tabs of the browser that follow the same have one connection.
 *
 * | state | |
 * | --- | --- |
 * | `connecting` | the first time |
 * | `open` | events come as they are published |
 * | `reconnecting` | it has ended, and comes back; `reason` says why, `retryAt` when |
 * | `lost`, `silent`, `busy` | the same, when the server cannot be reached, does not say anything, or has no time |
 * | `paused` | by the page, or because nobody sees this tab and it shares with no other |
 * | `refused` | `problem` says why |
 * | `interrupted` | it is over before its time |
 * | `ended` | there is nothing more |
 */
export class Stream {
  state = 'idle';
  problem = '';
  reason;
  retryAt;
  lastEventId;
  #path;
  #on;
  #onState;
  #isShared;
  #options;
  #stream;

  /**
   * @param options.on listeners by the type of the event
   * @param options.isShared `false`: this tab has a connection of its own, while it is seen
   * @param options those of `shareStream`
   */
  constructor(path, { on, onState = () => {}, isShared = true, lastEventId, ...options }) {
    [this.#path, this.#on, this.#onState, this.#isShared] = [path, on, onState, isShared];
    this.lastEventId = lastEventId;
    this.#options = { connectTimeout: ANSWER_MS, maxRetryInterval: MAX_RETRY_MS, ...options };
    if (!isShared) document.addEventListener('visibilitychange', () => this.open());
    // What the browser says is a hint, and may be wrong: a new connection finds out, and nothing is missed.
    addEventListener('offline', () => this.#stream?.reconnect());
  }

  open() {
    if (!this.#isShared && document.hidden) return this.pause();
    this.#leave('connecting');
    const options = { ...this.#options, lastEventId: this.lastEventId };
    // Here the path says all that the streams of one browser may differ in. Where users log in, the key names the user.
    const stream = this.#isShared ? shareStream(this.#path, this.#path, options) : openStream(this.#path, options);
    this.#stream = stream;
    for (const [type, listener] of Object.entries(this.#on)) stream.on(type, listener);
    // What this page has ended itself is not told again.
    stream.subscribe((state) => stream === this.#stream && this.#show(state));
  }

  pause() {
    this.#leave('paused');
  }

  close() {
    this.#leave('ended');
  }

  #show(now) {
    const { phase, reason, retryAt } = now;
    if (phase === 'closed') return void this.#tellEnd(now);
    // While it tries again, there is still the same to say.
    if (phase === 'connecting' && this.reason) return this.#become(this.state, { reason: this.reason });
    this.#become(wordOf(now), { reason, retryAt });
  }

  async #tellEnd(end) {
    const stream = this.#stream;
    // The answer that was refused has not been read.
    const { message = end.error?.message } = (await end.error?.response?.json().catch(() => {})) ?? {};
    if (stream !== this.#stream) return;
    this.problem = message ?? '';
    this.#become(wordOf(end));
  }

  #leave(state) {
    const stream = this.#stream;
    this.lastEventId = stream?.lastEventId ?? this.lastEventId;
    this.#stream = undefined;
    stream?.close();
    this.#become(state);
  }

  #become(state, { reason, retryAt } = {}) {
    if (this.state === state && this.reason === reason && this.retryAt === retryAt) return;
    Object.assign(this, { state, reason, retryAt });
    this.#onState(this);
  }
}
