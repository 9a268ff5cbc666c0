import type { Position } from '../topic/position.js';
import type { HoleReason } from '../wire/words.js';

/** One stored event. The payload is opaque to engines: they keep its bytes and give them back. */
export interface LogEntry {
  readonly topic: string;
  /** Place in the lane: a safe integer above 0, strictly increasing over all topics. */
  readonly seq: number;
  /** `seq` of the same topic's previous event, `0` for its first. */
  readonly prev: number;
  /** The engine's clock in ms since 1970, never decreasing along the lane. */
  readonly at: number;
  readonly data: Uint8Array;
  /** The same as text, where it is ASCII and the engine was given it and keeps it so. It is what counts then. */
  readonly text?: string | undefined;
  /** The id that the publisher gave, when it gave one. */
  readonly id?: string | undefined;
}

/** How much of one topic is kept for clients that come back. The first bound that is reached evicts the oldest. */
export interface Retention {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export interface AppendRequest {
  readonly topic: string;
  readonly data: Uint8Array;
  /** The same as text, where it is short and ASCII. Given to `appendNow` only, of which `data` is then no property of its own. */
  readonly text?: string | undefined;
  readonly id?: string | undefined;
  readonly retention: Retention;
}

/** Leaves out the older entries of each topic up to a place. Entries beyond it are not concerned. */
export interface Excerpt {
  /** The sequence of that place. */
  readonly upTo: number;
  /** So many are wanted of each topic at most, the newest; `Infinity`: all. */
  readonly last: number;
  /** Only those are wanted that were stored at this time or later, on the engine's clock in ms since 1970; `0`: all. */
  readonly since: number;
}

export interface ReadRequest {
  readonly topics: readonly string[];
  /** Only entries beyond this sequence are wanted, and holes behind it are told; `undefined` reads from the first retained entry. */
  readonly after: number | undefined;
  /** The position that a client claims to have read up to, with `after` its sequence: asks for the checks of promise 6. */
  readonly verify?: Position | undefined;
  readonly excerpt?: Excerpt | undefined;
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export interface Hole {
  readonly reason: HoleReason;
  readonly topics: readonly string[];
}

export interface ReadPage {
  /** In lane order. */
  readonly entries: readonly LogEntry[];
  /** Every entry of these topics up to here is in this page or was before it. Equals the lane's head when the page is the last. */
  readonly upTo: Position;
  /** What is missing before the first entry; empty when nothing is. */
  readonly holes: readonly Hole[];
}

export interface Listing {
  readonly names: readonly string[];
  /** The lane's head at the time of the listing. */
  readonly upTo: Position;
  /** Topics with this prefix whose last event was at or before this sequence may have disappeared; `0`: none has. */
  readonly forgottenUpTo: number;
}

/** The newest entry of a topic, also when it is no longer retained. */
export interface TopicHead {
  readonly seq: number;
  readonly at: number;
}

export interface Heads {
  /** The lane's head, read before those of the topics or together with them. */
  readonly upTo: Position;
  /** One for each topic that was asked for, in their order; `undefined` for one that the log does not know. */
  readonly topics: readonly (TopicHead | undefined)[];
}

/** Stands for all topics of an engine in `subscribe`; no topic can have this name. */
export const EVERY_TOPIC = '**';

/** Of an engine that has an object for each topic: what its owner keeps there, instead of looking it up for each entry. */
export interface TopicSlot {
  kept?: unknown;
}

/** Where an engine delivers what is published while the hub is interested. Nothing here throws. */
export interface EngineSink {
  /**
   * An entry may come again, also long after; it may be lost. The hub drops the one and reads the other.
   *
   * @param slot of its topic, if the engine has one: for another topic, another one
   */
  entry(epoch: string, entry: LogEntry, slot?: TopicSlot): void;
  /** Stands, in its place, for an entry that is too large to be delivered: the hub reads it. */
  hint(epoch: string, topic: string, seq: number): void;
  /** Live delivery does not work: what is stored from now on may be lost to it. The engine is trying to restore it. */
  interrupted(error: unknown): void;
  /** Live delivery works again, for every subscribed topic; what was stored in between may be lost to it. */
  resumed(): void;
}

/**
 * Where the log lives and how nodes hear of each other's events. The promises, checked by `engineContract`:
 *
 * 1. `append` resolves to the event's position once it is stored as durably as the engine promises; positions strictly increase.
 * 2. Appends of one caller keep the order of their calls, also without awaiting each.
 * 3. Each entry's `prev` is the sequence of the topic's previous entry: the chain has no gap, whoever publishes.
 * 4. `read` returns the retained entries of the topics beyond `after`, in lane order, each payload byte for byte,
 *    and at least one of them when there is any, however small the bounds; `upTo` lets the caller go on without loss or repetition.
 * 5. A read sees every append that has resolved before it.
 * 6. With `verify`, a position of another epoch, ahead of the log, or contradicted by it is answered with the hole
 *    `epoch`, `ahead` or `diverged`, and the page starts at the first retained entry.
 * 7. A topic with entries beyond `after` that are no longer retained has the hole `trimmed`; one with nothing missing never has.
 * 8. Retention bounds each topic by count, bytes and age; a topic idle for long disappears, and a reader who may have missed
 *    something of it then gets the hole `unknown`.
 * 9. When `subscribe` has resolved with position h, read after live delivery was confirmed, every entry beyond h of those topics is
 *    delivered to the sink in lane order, or as a `hint` in its place; entries up to h may be, and any may be repeated.
 *    Subscribing again is harmless.
 * 10. After `unsubscribe`, delivery ends; it never throws.
 * 11. Names are kept exactly: two that differ in one byte are two topics.
 * 12. `locate` finds the position of a publisher's own id while its entry is retained; an id that was used twice is `ambiguous`.
 * 13. `list` returns every topic known to the log that begins with the prefix, also one whose entries are all evicted,
 *     and a position: no other topic with that prefix has had an event up to it.
 * 14. `close` is idempotent, leaves no timer or handle behind, and later calls reject with `closed`.
 * 15. `at` never decreases, also when the clock steps back.
 * 16. `heads` tells the newest entry of each topic and the lane's head: a topic whose `seq` there is not beyond a place has
 *     nothing between that place and `upTo`.
 * 17. No call hangs: each settles within the engine's own deadline. `append` rejects with `engine-failed` when nothing was
 *     stored, and with `engine-uncertain` when that cannot be told; what it re-sends by itself is stored once.
 * 18. An engine that cannot deliver says `interrupted`, restores delivery by itself, and says `resumed` before it delivers
 *     anything again.
 * 19. An event of more than `maxEventBytes` is refused with `invalid-event`, and nothing else suffers from it; one of just so many is
 *     stored. Where the topic does not keep it, the engine may refuse a smaller one too.
 * 20. `open` gives each application an engine of its own, which works whichever of the others has been closed.
 * 21. With `excerpt` the page lacks what that leaves out, and is otherwise the same: all its pages in turn are the whole excerpt, as of any
 *     moment up to each page. Holes are told as without.
 */
export interface Engine {
  /** For logs and errors, for example `memory`. */
  readonly name: string;
  /** Whether other processes may use the same log at the same time. */
  readonly isShared: boolean;
  /** How many bytes the data of an event may have: a larger one is refused with `invalid-event`. `Infinity`: as many as there is memory for. */
  readonly maxEventBytes: number;
  /**
   * Of engines that can: makes the engine of one application, which starts it and closes it, and nothing else. Called at the start of each
   * application that this engine was given to. Without it, an engine is for one application.
   *
   * @throws SseError `invalid-options`, as a rejection, when something is missing that no waiting brings, such as the package of a driver
   */
  open?(): Promise<Engine>;
  /** Called once, before the first `subscribe`. A process that only publishes never calls it. */
  start(sink: EngineSink): Promise<void>;
  append(request: AppendRequest): Promise<Position>;
  /**
   * Of engines that have stored it when the call returns: the same as `append`, without the cost of a promise. What it begins that lasts
   * longer than the call, such as a timer, is not to keep the caller's asynchronous context.
   *
   * @throws SseError what `append` rejects with
   */
  appendNow?(request: AppendRequest): Position;
  /**
   * Of engines that can: stores an event if and only if the caller's own transaction is committed. Rejects when it could
   * not be added to the transaction.
   *
   * @param transaction what the caller runs its statements with, such as a client of the engine's driver
   */
  appendInTransaction?(transaction: unknown, request: AppendRequest): Promise<void>;
  read(request: ReadRequest): Promise<ReadPage>;
  locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined>;
  list(prefix: string): Promise<Listing>;
  heads(topics: readonly string[]): Promise<Heads>;
  subscribe(topics: readonly string[]): Promise<Position>;
  unsubscribe(topics: readonly string[]): void;
  /** Rejects when the log cannot be reached. */
  health(): Promise<void>;
  close(): Promise<void>;
}
