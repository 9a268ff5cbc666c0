import type { Url } from './options.js';
import { urlOf } from './request.js';
import type { StreamState } from './state.js';

/** From a spot to a place the leader goes, by an event or without one; nothing lies between. */
export interface Step {
  readonly prev: string;
  readonly id: string;
  readonly event?: readonly [type: string, text: string, lastEventId: string, topic: string | undefined] | undefined;
}

/** How the stream of the leader is. */
export interface Told {
  /** Its error is apart, as errors lose what they have on the way. */
  readonly state: StreamState;
  readonly failure: readonly [code: string, message: string] | false;
  /** How often the leader hears of the server, in ms; 0: it need not. */
  readonly beatMs: number;
}

/** What a tab wants of the leader: to be told all, or the connection opened again, `soon` if it is waited for. */
export interface Wish {
  readonly ask: 'all' | 'open' | 'soon';
}

export type Message = Step | Told | Wish;

export interface TabListener {
  hear(message: Message): void;
  /** This tab is the leader now. */
  lead(): void;
  /** Another tab has stolen that. */
  deposed(): void;
}

export interface Tabs {
  say(message: Message): void;
  leave(): void;
}

/** Of a stream, or with the key alone of all that have it. The number is that of {@link Message}: tabs that speak differently do not meet. */
export function nameOf(key: string, url?: Url): string {
  return JSON.stringify(['sse', 1, key, url && (typeof url === 'function' ? '' : urlOf(url).href)]);
}

/** Joins the tabs of a browser that have the same stream. One of them leads: it holds the lock. @param steal the lead */
export function joinTabs(name: string, steal: boolean, listener: TabListener): Tabs {
  const left = new AbortController();
  const { signal } = left;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => listener.hear(data as Message);
  const lead = (): unknown =>
    signal.aborted ||
    new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
      listener.lead();
    });
  navigator.locks.request(name, steal ? { steal } : left, lead).catch((error: Error) => {
    if (signal.aborted) return;
    // Others are refused locks, such as frames that are sandboxed.
    if (error.name === 'AbortError') listener.deposed();
    else listener.lead();
  });
  return {
    say: (message) => channel.postMessage(message),
    leave() {
      left.abort();
      channel.close();
    },
  };
}
