import { payloadOf } from '../engine/text-entry.js';
import type { Batch } from '../hub/batch.js';
import { publicName } from '../topic/own-name.js';
import type { Dialect } from '../wire/dialect.js';
import { checkSourceEvent, readEvent, toEvent } from '../wire/event.js';
import type { ReadEvent, SseEvent, SseNotice } from '../wire/event.js';
import { unpackEvent } from '../wire/payload.js';

/** One step of a selection: lets an event pass or not, makes another of it, or leaves out topics that its pattern matches. */
export type Step =
  | { readonly filter: (event: ReadEvent) => boolean }
  | { readonly map: (event: ReadEvent) => unknown }
  | { readonly wants: (topic: string) => boolean };

/** Shared, because most selections and connections have none. */
export const NO_STEPS: readonly Step[] = [];

/** Whether anything of a topic is for those who read a selection with these steps. */
export function isWanted(topic: string, steps: readonly Step[]): boolean {
  return steps.every((step) => !('wants' in step) || step.wants(topic));
}

/** The events of a batch after a selection's steps, each with its topic and the id to resume from. Throws what a step throws. */
export function* transform(batch: Batch, steps: readonly Step[]): Generator<ReadEvent> {
  for (const entry of batch.entries) {
    const topic = publicName(entry.topic);
    if (!isWanted(topic, steps)) continue;
    const changed = applySteps(unpackEvent(payloadOf(entry)), batch.idOf(entry), topic, steps);
    if (changed !== undefined) yield changed as ReadEvent;
  }
}

/** The wire form of a batch after a selection's steps; empty when nothing is left. */
export function encodeTransformed(batch: Batch, steps: readonly Step[], dialect: Dialect): string {
  let text = '';
  for (const { id, topic, ...event } of transform(batch, steps)) {
    checkSourceEvent(event);
    text += dialect.event(event, id, topic);
  }
  return text;
}

/** A notice has no data that a step could look at: it passes as it is. What a step makes of an event stays one of its topic, with its id. */
function applySteps(
  event: SseEvent | SseNotice,
  id: string,
  topic: string,
  steps: readonly Step[],
): ReadEvent | SseNotice | undefined {
  let current = readEvent(event, id, topic);
  for (const step of steps) {
    if (!('data' in current)) return current;
    if ('map' in step) current = readEvent(toEvent(step.map(current)), id, topic);
    else if ('filter' in step && !step.filter(current)) return undefined;
  }
  return current;
}
