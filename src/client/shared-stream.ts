import { END, END_ID, FAILURE, RESET } from '../wire/words.js';
import { BaseStream } from './base-stream.js';
import { ReceivedEvent } from './events.js';
import type { AnyEvents, Reset } from './events.js';
import type { StreamOptions, Url } from './options.js';
import { OwnStream } from './own-stream.js';
import type { Reader } from './own-stream.js';
import { watchPage } from './page.js';
import { Passed } from './passed.js';
import { StreamError } from './state.js';
import type { ClosedState, StreamState } from './state.js';
import { joinTabs, nameOf } from './tabs.js';
import type { Message, Step, TabListener, Tabs, Told, Wish } from './tabs.js';
import { Watchdog } from './watchdog.js';

/** Within it a leader answers. */
const ANSWER_MS = 2_000;
/** Within it a leader has opened its connection, or says that it could not. */
const OPENING_MS = 40_000;
/** So much of what the leader says is kept while a tab catches up. */
const MOST_AHEAD = 256;

/**
 * A stream that the tabs of a browser read over the connection of one of them. The leader is who holds the lock. It tells the others each of its steps,
 * with the spot that it begins at: so each of them knows whether it follows on what that tab has. A tab that has missed one reads for itself,
 * from its own place, until it is level with the leader. Nothing else need be known of who led when, and what got lost.
 */
export class SharedStream<E extends object = AnyEvents> extends BaseStream<E> implements Reader, TabListener {
  readonly #key: string;
  #url: Url;
  readonly #options: StreamOptions;
  #passed: Passed;
  /** Events are missing, and the snapshot is not there yet. */
  #why: Reset | undefined;
  /** Until this tab leaves them. */
  #tabs: Tabs | undefined;
  #isLeader = false;
  /** The page is frozen, or left. */
  #isAway = false;
  /** What this tab reads for itself, and as the leader for the others. */
  #own: OwnStream | undefined;
  /** What the leader has said meanwhile. */
  #ahead: Step[] = [];
  #leaderState: StreamState | undefined;
  #beatMs: number;
  #saidAt = 0;
  /** Of the leader. */
  #watchdog: Watchdog | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #unwatch: () => void;

  constructor(key: string, url: Url, options: StreamOptions) {
    super();
    const { heartbeat, lastEventId, signal } = options;
    this.#key = key;
    this.#url = url;
    this.#options = options;
    this.lastEventId = (typeof lastEventId === 'function' ? lastEventId() : lastEventId) ?? '';
    this.#passed = new Passed(this.lastEventId);
    this.#beatMs = Number(heartbeat ?? 15_000);
    this.#unwatch = watchPage({ left: () => this.#goAway(), back: () => this.#comeBack(), seen: () => this.#see() });
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.close();
    else this.#enter();
  }

  reconnect({ url = this.#url }: { readonly url?: Url | undefined } = {}): void {
    nameOf('', url);
    const isMoved = url !== this.#url;
    this.#url = url;
    if (this.#isOver || this.#isAway) return;
    if (isMoved) this.#enter();
    else this.#ask('open');
  }

  took({ type, text, lastEventId, topic }: ReceivedEvent): void {
    const { place, spot } = this.#passed;
    const id = lastEventId === END_ID ? place : lastEventId;
    this.#take({ prev: spot, id, event: [type, text, lastEventId, topic] });
    this.#follow();
  }

  went(place: string, isJump: boolean): void {
    if (isJump) {
      this.#passed = new Passed(place);
      this.#why = undefined;
    }
    this.#take({ prev: this.#passed.spot, id: place });
    this.#follow();
  }

  beat(beatMs: number | undefined): void {
    if (beatMs && this.#options.heartbeat === undefined) {
      this.#beatMs = beatMs;
      this.#sayAll();
    } else if (performance.now() - this.#saidAt > this.#beatMs / 2) this.#sayPlace();
  }

  lead(): void {
    this.#isLeader = true;
    this.#ahead = [];
    this.#watchdog?.stop();
    this.#read();
    this.#sayAll();
  }

  deposed(): void {
    this.#enter();
  }

  hear(message: Message): void {
    if ('state' in message) this.#hearState(message);
    else if ('ask' in message) {
      if (this.#isLeader) this.#grant(message);
    } else if (!this.#isLeader) {
      clearTimeout(this.#timer);
      this.#watchdog?.fed();
      if (this.#ahead.push(message) > MOST_AHEAD) this.#ahead.shift();
      this.#follow();
    }
  }

  protected override finish(reason: ClosedState['reason'], more?: Pick<ClosedState, 'status' | 'error'>): void {
    super.finish(reason, more);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unwatch();
    this.#leave();
  }

  get #isOver(): boolean {
    return this.state.phase === 'closed';
  }

  /** Joins the other tabs, or joins them anew. @param steal the lead, from a tab that says nothing */
  #enter(steal = false): void {
    this.#leave();
    this.#tabs = joinTabs(nameOf(this.#key, this.#url), steal, this);
    this.#expect();
    this.#tabs.say({ ask: 'all' });
    if (this.#options.snapshot && !this.#passed.place) return this.#read();
    this.setState({ phase: 'connecting', attempt: 1 });
    this.#timer = setTimeout(() => this.#read(), ANSWER_MS);
  }

  #leave(): void {
    this.#isLeader = false;
    this.#ahead = [];
    this.#leaderState = undefined;
    this.#watchdog?.stop();
    this.#stopReading();
    this.#tabs?.leave();
  }

  /** Reads for itself. */
  #read(): void {
    clearTimeout(this.#timer);
    if (this.#own || this.#isOver) return;
    const { snapshot } = this.#options;
    const options = {
      ...this.#options,
      lastEventId: this.#why ? '' : this.#passed.place,
      snapshot: snapshot && ((why, signal) => snapshot(this.#why ?? why, signal)),
    } satisfies StreamOptions;
    const own = (this.#own = new OwnStream(this.#url, options, this));
    own.subscribe((state) => {
      if (own !== this.#own) return;
      this.#sayState(state);
      this.#show(state);
    });
  }

  #stopReading(): void {
    clearTimeout(this.#timer);
    const own = this.#own;
    this.#own = undefined;
    own?.close();
  }

  /** Takes a step, whoever has said it. */
  #take(step: Step): void {
    const { id, event } = step;
    this.#passed.goTo(id, event?.[0] === RESET);
    this.#say(step);
    if (!event) return this.moved(id);
    const received = new ReceivedEvent(...event, this.#options.text);
    if (received.type === RESET && this.#options.snapshot) this.#why = received.json();
    this.dispatch(received, received.type === END || received.type === FAILURE);
  }

  /** Takes what the leader has said, as far as it follows on what this tab has. */
  #follow(): void {
    const isNext = ({ prev, id }: Step): boolean => this.#passed.isFollowedBy(prev, id);
    const isKnown = ({ id }: Step): boolean => this.#passed.has(id);
    if (this.#own) {
      // From a spot that this tab has passed, the leader has said, or will say, all that follows.
      const at = this.#why || this.isFull ? -1 : this.#ahead.findIndex((step) => isNext(step) || isKnown(step));
      if (at < 0) return;
      this.#ahead.splice(0, at);
      this.#stopReading();
      if (this.#leaderState) this.#show(this.#leaderState);
    }
    for (let step; !this.#own && (step = this.#ahead.shift());) {
      const fits = isNext(step);
      if (fits ? step.event && this.isFull : !isKnown(step)) {
        this.#ahead.unshift(step);
        this.#read();
      } else if (fits) this.#take(step);
      if (this.#why) this.#read();
    }
  }

  #hearState({ state, failure, beatMs }: Told): void {
    const told = failure ? { ...state, error: new StreamError(...failure) } : state;
    if (told.phase === 'closed') return this.#show(told);
    if (this.#isLeader) return;
    clearTimeout(this.#timer);
    this.#leaderState = told;
    this.#beatMs = beatMs;
    this.#expect();
    if (!this.#own) this.#show(told);
  }

  /** Allows the leader some silence, and then takes the lead. */
  #expect(): void {
    const { phase, retryAt = 0 } = (this.#leaderState ?? {}) as { phase?: string; retryAt?: number };
    const beatMs = this.#beatMs;
    // Longer than what the leader allows the server; and not all at once, as each would steal the lead from the last.
    const openMs = beatMs && beatMs + Math.min(beatMs, 2_500 + Math.random() * 1_000);
    const otherMs = OPENING_MS + Math.max(0, retryAt - Date.now());
    this.#watchdog?.stop();
    this.#watchdog = new Watchdog(phase === 'open' ? openMs : otherMs / 2, () => this.#enter(true));
    this.#watchdog.fed();
  }

  #show(state: StreamState): void {
    if (state.phase === 'closed') this.finish(state.reason, state);
    else if (state.phase !== 'open' || this.state.phase !== 'open') this.setState(state);
  }

  #ask(ask: 'open' | 'soon'): void {
    this.#grant({ ask });
    if (!this.#isLeader) this.#tabs?.say({ ask });
  }

  #grant({ ask }: Wish): void {
    if (ask === 'all') this.#sayAll();
    else if (ask === 'open' || this.#own?.state.phase === 'waiting') this.#own?.reconnect();
  }

  /** As the leader. */
  #say(message: Message): void {
    if (!this.#isLeader) return;
    this.#saidAt = performance.now();
    this.#tabs?.say(message);
  }

  #sayAll(): void {
    this.#sayPlace();
    if (this.#own) this.#sayState(this.#own.state);
  }

  #sayPlace(): void {
    this.#say({ prev: this.#passed.spot, id: this.#passed.place });
  }

  #sayState({ error, ...state }: StreamState & { readonly error?: unknown }): void {
    const { code, message } = Object(error) as StreamError;
    this.#say({ state, failure: error !== undefined && [code, message], beatMs: this.#beatMs });
  }

  #goAway(): void {
    if (this.#isOver) return;
    this.#isAway = true;
    this.#leave();
    // Nobody is called: a page that is being left must not say that it is offline.
    this.setState({ phase: 'waiting', reason: 'page', attempt: 0, retryAt: Infinity }, true);
  }

  #comeBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#enter();
  }

  #see(): void {
    this.#comeBack();
    if (this.state.phase === 'waiting') this.#ask('soon');
  }

  readonly #onAbort = (): void => this.close();
}
