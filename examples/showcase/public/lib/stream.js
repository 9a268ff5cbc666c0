import { framesOf, parseFrame } from './frames.js';
import { onWanted, takeLine } from './lines.js';

/** How long a server may take to answer before the page says that it does not. */
const ANSWER_MS = 5_000;
const RETRY_MS = 3_000;

/**
 * An EventSource, and what a page needs around it: a state in words, a pause, a reason when it is refused, and a way back
 * where EventSource gives up. It resumes by the id of the last event.
 *
 * | state | |
 * | --- | --- |
 * | `connecting` | the first time |
 * | `waiting` | other tabs have all the lines |
 * | `open` | events come as they are published |
 * | `reconnecting` | it was cut, and EventSource comes back |
 * | `lost` | the server cannot be reached |
 * | `silent` | it can, and does not say anything |
 * | `paused` | by the page |
 * | `resting` | nobody sees this tab, and another needs the line |
 * | `refused` | `problem` says why |
 * | `ended` | there is nothing more |
 */
export class Stream {
  state = 'idle';
  problem = '';
  lastEventId;
  #path;
  #on;
  #onState;
  #silenceMs;
  #findsPlace;
  #source;
  #attempt = new AbortController();
  #timer;

  /**
   * @param options.on listeners by the type of the event
   * @param options.silenceMs how long an open stream may say nothing, where that is known
   * @param options.findsPlace for topics that may be silent for long: asks where they are, to come back to that also when
   *   nothing was heard. EventSource tells a page its place with the first event only.
   */
  constructor(path, { on, onState = () => {}, lastEventId, silenceMs, findsPlace = false }) {
    [this.#path, this.#on, this.#onState] = [path, on, onState];
    [this.#silenceMs, this.#findsPlace, this.lastEventId] = [silenceMs, findsPlace, lastEventId];
    onWanted(() => this.#isUnderWay && this.#leave('resting'));
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && ['resting', 'waiting'].includes(this.state)) this.open();
    });
    // What the browser says of the network is a hint: a new connection finds out, and nothing is missed.
    for (const hint of ['online', 'offline']) {
      addEventListener(hint, () => this.#isUnderWay && this.state !== 'waiting' && this.open());
    }
  }

  open() {
    this.#leave('connecting');
    const { signal } = (this.#attempt = new AbortController());
    this.#begin(signal).catch(() => {}); // abandoned while it waited
  }

  async #begin(signal) {
    await takeLine(signal, () => this.#become('waiting'));
    if (signal.aborted) return;
    this.#become('connecting');
    if (this.#findsPlace) this.lastEventId ||= await placeOf(this.#path, signal);
    if (!signal.aborted) this.#connect();
  }

  pause() {
    this.#leave('paused');
  }

  close() {
    this.#leave('ended');
  }

  get #isUnderWay() {
    return !['idle', 'paused', 'resting', 'refused', 'ended'].includes(this.state);
  }

  get #url() {
    if (!this.lastEventId) return this.#path;
    return `${this.#path}${this.#path.includes('?') ? '&' : '?'}lastEventId=${encodeURIComponent(this.lastEventId)}`;
  }

  #connect() {
    const source = (this.#source = new EventSource(this.#url));
    this.#expectWithin(ANSWER_MS);
    source.onopen = () => this.#hear();
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) return void this.#askWhy();
      this.#become(this.state === 'open' ? 'reconnecting' : 'lost');
      this.#expectWithin(RETRY_MS + ANSWER_MS);
    };
    for (const [type, listener] of Object.entries(this.#on)) {
      source.addEventListener(type, (event) => {
        // An event without an id of its own has the one before, or none: then there is no newer place.
        if (event.lastEventId) this.lastEventId = event.lastEventId;
        this.#hear();
        listener(event);
      });
    }
    source.addEventListener('stream.end', ({ data }) => JSON.parse(data).reconnect || this.close());
  }

  #hear() {
    this.#become('open');
    this.#expectWithin(this.#silenceMs);
  }

  /** A connection can be dead without an error. A new one finds out, and begins where this one stopped. */
  #expectWithin(ms) {
    clearTimeout(this.#timer);
    if (ms === undefined) return;
    this.#timer = setTimeout(() => {
      const wasOpen = this.state === 'open';
      this.#become('silent');
      if (!wasOpen) return;
      this.#source.close();
      this.#connect();
    }, ms);
  }

  /** EventSource has given up, and does not say what it was answered. */
  async #askWhy() {
    const { signal } = this.#attempt;
    clearTimeout(this.#timer);
    const response = await fetch(this.#url, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => undefined);
    const { status = 0 } = response ?? {};
    const isRefused = status >= 400 && status < 500 && status !== 429;
    const { message } = isRefused ? await response.json().catch(() => ({})) : {};
    void response?.body?.cancel().catch(() => {});
    if (signal.aborted) return;
    if (status === 204) return this.close();
    if (isRefused) {
      this.problem = message ?? `The server answered ${status}`;
      return this.#leave('refused');
    }
    this.#become('lost');
    this.#timer = setTimeout(() => this.#connect(), RETRY_MS);
  }

  #leave(state) {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#attempt.abort();
    this.#become(state);
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#onState(this);
  }
}

/** The id that a stream of topics begins with; `undefined` when the server does not answer, which EventSource finds out, too. */
async function placeOf(path, signal) {
  try {
    const response = await fetch(path, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
    for await (const frame of framesOf(response)) {
      const { id } = parseFrame(frame);
      if (id) return id;
    }
  } catch {
    return undefined;
  }
}
