import type { LogEntry } from '../engine/engine.js';
import type { Position } from '../topic/position.js';

/** A number that was given to another entry before: the log has lost its newest entries and counts on from there. */
export function isReused(entry: LogEntry, known: number, place: Position): boolean {
  return entry.seq <= known && entry.at > place.at;
}

/** The further one of two positions of a lane; of different lanes the second. */
export function newer(one: Position | undefined, other: Position): Position {
  return one !== undefined && one.epoch === other.epoch && one.seq > other.seq ? one : other;
}
