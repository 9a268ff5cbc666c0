import type { EngineState } from '../feed/engine-health.js';
import type { Teller } from '../signals.js';

/** What happens to a process's log and those who read it, by kind. Times are in ms, on this process's own clock. */
export interface HubSignals {
  /** An event, or the end of a topic, was stored. */
  readonly published: {
    readonly topic: string;
    /** As it is stored. */
    readonly bytes: number;
    /** How long the engine took. */
    readonly ms: number;
  };
  /** The engine has not stored an event, or has not said whether it has. */
  readonly unpublished: { readonly topic: string; readonly error: unknown; readonly ms: number };
  /** A page of the log was read, for all who wait for it. */
  readonly page: {
    /** How many were asked for. */
    readonly topics: number;
    readonly events: number;
    readonly bytes: number;
    readonly ms: number;
  };
  /** All who had something new have been given it, as far as they take it. */
  readonly round: {
    readonly readers: number;
    /** Without the turns of others in between. */
    readonly ms: number;
  };
  /** The engine does its work no longer, or again. */
  readonly engine: {
    readonly state: EngineState;
    /** What went wrong; `undefined` with `up`. */
    readonly error: unknown;
  };
}

/** Where nobody hears of it. */
export const NOBODY: Teller<HubSignals> = { wants: () => false, tell: () => undefined };
