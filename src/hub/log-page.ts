import type { Hole, LogEntry, ReadPage } from '../engine/engine.js';
import { payloadOf } from '../engine/text-entry.js';
import type { Position } from '../topic/position.js';
import { controlOf } from '../wire/payload.js';
import { takeBatch } from './batch.js';
import type { Batch } from './batch.js';

/** A page of what leads up to a place. */
export interface LeadPage extends ReadPage {
  /** How many ends each topic has among its newest, if it was the first page that was asked for. */
  readonly more?: ReadonlyMap<string, number> | undefined;
}

/** A page of the log, encoded once for all who read it. */
export class LogPage implements ReadPage {
  readonly entries: readonly LogEntry[];
  readonly upTo: Position;
  readonly holes: readonly Hole[];
  /** Of a page of what leads up to a place: how many ends each topic has among its newest. */
  readonly more: ReadonlyMap<string, number> | undefined;
  readonly #encoded: { batches?: readonly Batch[] };

  constructor({ entries, upTo, holes, more }: LeadPage, encoded: { batches?: readonly Batch[] } = {}) {
    this.entries = entries;
    this.upTo = upTo;
    this.holes = holes;
    this.more = more;
    this.#encoded = encoded;
  }

  get batches(): readonly Batch[] {
    return (this.#encoded.batches ??= batchesOf(this.upTo.epoch, this.entries));
  }

  /** The same page for someone to whom something else is missing before it. What it was encoded to is shared. */
  with(holes: readonly Hole[]): LogPage {
    return new LogPage({ entries: this.entries, upTo: this.upTo, holes }, this.#encoded);
  }

  /** The events of the page, without the ends of topics, and without those with these sequences. */
  withoutEnds(others: ReadonlySet<number>): LogPage {
    const entries = this.entries.filter((entry) => controlOf(payloadOf(entry)) === undefined && !others.has(entry.seq));
    return new LogPage({ entries, upTo: this.upTo, holes: this.holes });
  }

  /** The part of the page up to a place; all of it when the place is behind it. */
  cut(stop: Position | undefined): LogPage {
    if (stop === undefined || stop.seq >= this.upTo.seq) return this;
    const entries = this.entries.filter(({ seq }) => seq <= stop.seq);
    return new LogPage({ entries, upTo: stop, holes: this.holes });
  }
}

function batchesOf(epoch: string, entries: readonly LogEntry[]): Batch[] {
  const batches: Batch[] = [];
  for (let from = 0; from < entries.length;) {
    const batch = takeBatch(epoch, (index) => entries[index], from, Infinity);
    batches.push(batch);
    from += batch.entries.length + (batch.control === undefined ? 0 : 1);
  }
  return batches;
}
