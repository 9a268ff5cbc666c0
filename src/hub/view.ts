import { PatternIndex, isPattern } from '../topic/pattern.js';
import { Window } from './window.js';
import type { WindowBudget } from './window-budget.js';

const NOBODY: readonly Reader[] = [];

/** Who reads a view: a cursor. */
export interface Reader {
  /** Everything up to this sequence has been read. */
  readonly seq: number;
  readonly isClosed: boolean;
  pump(): void;
  /** The log is another one, or has lost something: the place is to be checked before anything else is read. */
  restart(): void;
  /** An event of this topic came too late to be given in its order. */
  missed(topic: string): void;
  /** Some topics have ended for good. */
  endTopics(): void;
  close(): void;
}

/**
 * One selection of topics in this process, with a window of its newest events. Connections that want the same topics share one view, and with
 * it every encoded byte.
 */
export class View extends Window {
  /** Stands for the key, which may be long, in this process. */
  readonly id: number;
  readonly key: string;
  readonly selectors: readonly string[];
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  /** Whether it is to be served in the next round. */
  isWaiting = false;
  /** How many cursors read here or are about to. */
  refs = 0;
  /** Since when nobody reads here, on the clock of `performance.now()`. */
  idleSince = 0;
  /** Settles when live delivery into this window is guaranteed. */
  opened: Promise<void> | undefined;

  /** Its only reader. With thousands of topics most have one, and a collection would be an object more to fetch. */
  #lone: Reader | undefined;
  /** All of them, once there have been two. */
  #readers: Set<Reader> | undefined;
  /** Made when a list of topics is matched for the first time. */
  #index: PatternIndex<true> | undefined;

  constructor(id: number, key: string, selectors: readonly string[], budget: WindowBudget) {
    super(budget);
    this.id = id;
    this.key = key;
    this.selectors = selectors;
    this.names = selectors.filter((selector) => !isPattern(selector));
    this.patterns = selectors.filter(isPattern);
  }

  /** Its reader, when there is just one. */
  get lone(): Reader | undefined {
    return this.#lone;
  }

  get readers(): Iterable<Reader> {
    return this.#readers ?? (this.#lone === undefined ? NOBODY : [this.#lone]);
  }

  get isWatched(): boolean {
    return this.#lone !== undefined || this.#readers !== undefined;
  }

  add(reader: Reader): void {
    if (this.#readers !== undefined) this.#readers.add(reader);
    else if (this.#lone === undefined || this.#lone === reader) this.#lone = reader;
    else {
      this.#readers = new Set([this.#lone, reader]);
      this.#lone = undefined;
    }
  }

  remove(reader: Reader): void {
    if (this.#lone === reader) this.#lone = undefined;
    this.#readers?.delete(reader);
    if (this.#readers?.size === 0) this.#readers = undefined;
  }

  /** Tells whether a topic belongs to the selection by one of its patterns. */
  matches(name: string): boolean {
    this.#index ??= indexOf(this.patterns);
    return this.#index.hasMatch(name);
  }

  protected get isRead(): boolean {
    return this.refs > 0;
  }

  protected get hasOneReader(): boolean {
    return this.#lone !== undefined;
  }
}

function indexOf(patterns: readonly string[]): PatternIndex<true> {
  const index = new PatternIndex<true>();
  for (const pattern of patterns) index.add(pattern, true);
  return index;
}
