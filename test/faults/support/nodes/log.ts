import type { Engine } from 'nestjs-event-stream';
import { type Position, formatPosition } from '../../../../src/topic/position.js';

/** An event, as the engine's log has it. */
export interface Stored {
  readonly topic: string;
  readonly id: string;
  readonly seq: number;
  readonly at: number;
  readonly publisher: number;
  readonly n: number;
}

export interface Log {
  readonly epoch: string;
  readonly entries: readonly Stored[];
  readonly bySeq: ReadonlyMap<number, Stored>;
}

/** Reads all there is of these topics, in lane order. */
export async function readLog(engine: Engine, topics: readonly string[]): Promise<Log> {
  const entries: Stored[] = [];
  let after: number | undefined;
  for (;;) {
    const page = await engine.read({ topics, after, maxEntries: 5_000, maxBytes: 16_777_216 });
    for (const { topic, seq, at, data } of page.entries) {
      const id = formatPosition({ epoch: page.upTo.epoch, seq, at });
      entries.push({ topic, id, seq, at, ...numbersOf(data) });
    }
    after = page.upTo.seq;
    if (page.entries.length > 0) continue;
    return { epoch: page.upTo.epoch, entries, bySeq: new Map(entries.map((entry) => [entry.seq, entry])) };
  }
}

/** The place in the log that an id names. */
export function placeOf(id: string): Position {
  const [epoch = '', seq = '', at = ''] = id.split('.');
  return { epoch, seq: Number.parseInt(seq, 36), at: Number.parseInt(at, 36) };
}

/** A payload is a letter, `data: ` and the text. */
function numbersOf(data: Uint8Array): { publisher: number; n: number } {
  const [publisher, n] = Buffer.from(data.subarray(7)).toString('latin1').split('|', 2);
  return { publisher: Number(publisher), n: Number(n) };
}
