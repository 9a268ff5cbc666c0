import type { LogEntry } from '../engine/engine.js';
import { payloadOf, sizeOf } from '../engine/text-entry.js';
import { chunkOf, frame } from '../http/chunk.js';
import type { Frame } from '../http/chunk.js';
import { publicName } from '../topic/own-name.js';
import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type { Dialect } from '../wire/dialect.js';
import { controlOf } from '../wire/payload.js';

/** Before all events. Positions are shared by all who stand there: thousands of them, none with numbers of its own. */
export const START: Position = { epoch: '', seq: 0, at: 0 };
/** No place at all. */
export const NOWHERE: Position = { epoch: '', seq: -1, at: 0 };

const NONE: readonly LogEntry[] = [];

/** Consecutive entries that go out in one write, encoded once for all who stand at the same place. */
export class Batch {
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
  /** The entry right behind `entries`, when it ends its topic instead of carrying an event. */
  readonly control: LogEntry | undefined;
  /** Where a cursor stands that has been moved over all of it. */
  readonly place: Position;
  /** Whether it is one event for one reader: there is nobody to share bytes with. */
  readonly isOfOne: boolean;
  #frame: Frame | undefined;
  #dialect: Dialect | undefined;
  /** Those of further dialects. Few places have any. */
  #others: Map<Dialect, Frame> | undefined;

  constructor(epoch: string, entries: readonly LogEntry[], control?: LogEntry, isOfOne = false) {
    this.isOfOne = isOfOne;
    this.epoch = epoch;
    this.entries = entries;
    this.control = control;
    this.place = placeOf(epoch, control ?? (entries[entries.length - 1] as LogEntry));
  }

  /** The bytes of all entries. Must not be asked of a batch without entries. */
  frame(dialect: Dialect): Frame {
    // Those who stand at one place mostly speak alike, and nothing is searched for them.
    if (this.#dialect === dialect) return this.#frame as Frame;
    if (this.#dialect !== undefined) return this.#otherFrame(dialect);
    // Not every dialect can encode all.
    this.#frame = this.#encode(dialect);
    this.#dialect = dialect;
    return this.#frame;
  }

  /** One of each: readers of several dialects come in any order, and each frame is packed once. */
  #otherFrame(dialect: Dialect): Frame {
    this.#others ??= new Map();
    let known = this.#others.get(dialect);
    if (known === undefined) this.#others.set(dialect, (known = this.#encode(dialect)));
    return known;
  }

  /** The chunk of all entries as text; `undefined` when not all of it is ASCII. Nothing of it is kept. */
  chunk(dialect: Dialect): string | undefined {
    return chunkOf(this.#partsIn(dialect));
  }

  #encode(dialect: Dialect): Frame {
    return frame(this.#partsIn(dialect));
  }

  #partsIn(dialect: Dialect): (string | Uint8Array)[] {
    const parts: (string | Uint8Array)[] = [];
    for (const entry of this.entries) dialect.entry(parts, this.idOf(entry), payloadOf(entry), publicName(entry.topic));
    return parts;
  }

  /** What the client will send back to resume after this entry. */
  idOf(entry: LogEntry): string {
    return entry.id ?? formatPosition({ epoch: this.epoch, seq: entry.seq, at: entry.at });
  }
}

/**
 * Takes what fits one write: at least one entry, and never past the end of a topic.
 *
 * @param at gives the entry with an index, counted from `from`
 */
export function takeBatch(
  epoch: string,
  at: (index: number) => LogEntry | undefined,
  from: number,
  maxBytes: number,
): Batch {
  const taken: LogEntry[] = [];
  let bytes = 0;
  for (let entry = at(from); entry !== undefined; entry = at(from + taken.length)) {
    if (controlOf(payloadOf(entry)) !== undefined) return new Batch(epoch, taken, entry);
    bytes += sizeOf(entry);
    if (taken.length > 0 && bytes > maxBytes) break;
    taken.push(entry);
  }
  return new Batch(epoch, taken);
}

/** Takes one entry. */
export function batchOfOne(epoch: string, entry: LogEntry, hasOneReader: boolean): Batch {
  const isControl = controlOf(payloadOf(entry)) !== undefined;
  return isControl ? new Batch(epoch, NONE, entry) : new Batch(epoch, [entry], undefined, hasOneReader);
}

/** All entries up to the end of a topic, however many bytes they have. */
export function batchOf(epoch: string, entries: readonly LogEntry[]): Batch {
  return takeBatch(epoch, (index) => entries[index], 0, Infinity);
}

/** Not the entry itself, which would keep its payload alive. */
export function placeOf(epoch: string, { seq, at }: LogEntry): Position {
  return { epoch, seq, at };
}
