/** Where that is kept which is known by the one name of a selection: a run, in a topic of this module's own. */
export interface Kept {
  readonly topic: string;
  /** The place in the log that it begins at. */
  readonly place: string;
  /** Further headers of the responses that stream it. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a client with this id has all there is, its end included. */
  isOver(lastEventId: string | undefined): boolean;
  /** Whether a place is one before it: of what was there under its name before. */
  isAfter(lastEventId: string | undefined): boolean;
  /** Somebody watches it, until the signal is aborted. */
  watched(until: AbortSignal): void;
}

/** Names and patterns, and where that is kept which the one of them stands for. */
export interface Selected {
  readonly selectors: readonly string[];
  readonly kept?: Kept | undefined;
}

/** What is read of a selection. */
export function readOf({ selectors, kept }: Selected): readonly string[] {
  return kept === undefined ? selectors : [kept.topic];
}
