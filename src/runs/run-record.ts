import type { RunEnd, RunEndState } from '../topic/run-end.js';

/** Whether a run is running, or how it has ended. */
export type RunState = 'running' | RunEndState;

/** What a run was started with, as the nodes tell each other. */
export interface RunFacts {
  readonly id: string;
  readonly key: string;
  /** Who produces it: a session of a node. */
  readonly session: string;
  readonly retainMs: number;
  readonly maxBytes: number;
  /** After so many ms without a watcher it is stopped. */
  readonly unwatchedMs?: number | undefined;
}

/** The end of a run, and where it stands. */
export interface RecordedEnd extends RunEnd {
  /** The sequence of the entry that ends it. */
  readonly seq: number;
  /** When, on the engine's clock in ms since 1970. */
  readonly atMs: number;
}

/** What all nodes know of a run. */
export interface RunRecord extends RunFacts {
  /** The place in the log from which on its events come. */
  readonly place: string;
  /** On the engine's clock, in ms since 1970. */
  readonly startedAtMs: number;
  /** Why it is to be stopped; `undefined`: nobody wants that. */
  stopReason: string | undefined;
  /** Whether who produced it has lost it: its end is to be written by somebody else. */
  isLost: boolean;
  end: RecordedEnd | undefined;
}

/** What of a run does not change. */
export function factsOf({
  stopReason: _,
  isLost: _lost,
  end: _end,
  ...facts
}: RunRecord): Omit<RunRecord, 'stopReason' | 'isLost' | 'end'> {
  return facts;
}

/** How a run does. */
export function stateOf({ end }: RunRecord): RunState {
  return end?.state ?? 'running';
}

/** The node of a session. */
export function nodeOf(session: string): string {
  return session.slice(0, session.lastIndexOf('.'));
}
