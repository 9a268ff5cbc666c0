import { openStream } from '/client.js';
import { onWanted, takeLine } from './lines.js';

/** How long a server may take to answer before the page says that it does not. */
const ANSWER_MS = 5_000;
/** Somebody is looking: the attempts get no further apart than that, and what the server asks for. */
const MAX_RETRY_MS = 5_000;

/** What a reader is told while a stream waits, by its reason. Behind all others it comes back, and that is all there is to say. */
const WAITING = { network: 'lost', timeout: 'silent', silent: 'silent', status: 'busy', unauthorized: 'busy' };
const CLOSED = { aborted: 'ended', complete: 'ended', closed: 'ended', refused: 'refused', revoked: 'refused' };

/** How a stream of `openStream` is, in one of the words of the pages. */
export function wordOf({ phase, reason }) {
  if (phase === 'waiting') return WAITING[reason] ?? 'reconnecting';
  return phase === 'closed' ? (CLOSED[reason] ?? 'interrupted') : phase;
}

/**
 * A stream of `openStream`, and what a page needs around it: a state in one word, a pause, and one of the connections that all
 * tabs share. It resumes where it was.
 *
 * | state | |
 * | --- | --- |
 * | `connecting` | the first time |
 * | `waiting` | other tabs have all the lines |
 * | `open` | events come as they are published |
 * | `reconnecting` | it has ended, and comes back; `reason` says why, `retryAt` when |
 * | `lost`, `silent`, `busy` | the same, when the server cannot be reached, does not say anything, or has no time |
 * | `paused` | by the page |
 * | `resting` | nobody sees this tab, and another needs the line |
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
  #options;
  #stream;
  #line = new AbortController();

  /**
   * @param options.on listeners by the type of the event
   * @param options those of `openStream`
   */
  constructor(path, { on, onState = () => {}, lastEventId, ...options }) {
    [this.#path, this.#on, this.#onState, this.lastEventId] = [path, on, onState, lastEventId];
    this.#options = { connectTimeout: ANSWER_MS, maxRetryInterval: MAX_RETRY_MS, ...options };
    onWanted(() => this.#isUnderWay && this.#leave('resting'));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && ['resting', 'waiting'].includes(this.state)) this.open();
    });
    // What the browser says is a hint, and may be wrong: a new connection finds out, and nothing is missed.
    addEventListener('offline', () => this.#stream?.reconnect());
  }

  open() {
    this.#leave('connecting');
    const { signal } = (this.#line = new AbortController());
    takeLine(signal, () => this.#become('waiting')).then(
      () => signal.aborted || this.#connect(signal),
      () => {}, // abandoned while it waited
    );
  }

  pause() {
    this.#leave('paused');
  }

  close() {
    this.#leave('ended');
  }

  get #isUnderWay() {
    return !['idle', 'paused', 'resting', 'refused', 'interrupted', 'ended'].includes(this.state);
  }

  #connect(signal) {
    const { lastEventId } = this;
    const stream = (this.#stream = openStream(this.#path, { ...this.#options, lastEventId, signal }));
    for (const [type, listener] of Object.entries(this.#on)) stream.on(type, listener);
    // What this page has ended itself is not told again.
    stream.subscribe((state) => signal.aborted || this.#show(state));
    stream.closed.then(() => this.#line.signal === signal && this.#line.abort());
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
    this.lastEventId = this.#stream?.lastEventId ?? this.lastEventId;
    this.#stream = undefined;
    this.#line.abort();
    this.#become(state);
  }

  #become(state, { reason, retryAt } = {}) {
    if (this.state === state && this.reason === reason && this.retryAt === retryAt) return;
    Object.assign(this, { state, reason, retryAt });
    this.#onState(this);
  }
}
