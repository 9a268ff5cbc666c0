import type { Batch } from '../hub/batch.js';
import { encodeFields } from '../wire/encode.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { unpackEvent } from '../wire/payload.js';

/** One step of a selection: lets an event pass or not, or makes another of it. */
export type Step = { readonly filter: (event: SseEvent) => boolean } | { readonly map: (event: SseEvent) => unknown };

/** Shared, because most selections and connections have none. */
export const NO_STEPS: readonly Step[] = [];

/** The events of a batch after a selection's steps, each with the id to resume from. Throws what a step throws. */
export function* transform(batch: Batch, steps: readonly Step[]): Generator<SseEvent> {
  for (const entry of batch.entries) {
    const id = batch.idOf(entry);
    const event = unpackEvent(entry.data);
    const changed = 'data' in event ? applySteps({ ...event, id }, steps) : event;
    if (changed !== undefined) yield { ...changed, id } as SseEvent;
  }
}

/** The wire form of a batch after a selection's steps; empty when nothing is left. */
export function encodeTransformed(batch: Batch, steps: readonly Step[]): string {
  let text = '';
  for (const { id, ...event } of transform(batch, steps)) {
    checkSourceEvent(event);
    text += `id: ${id}\n${encodeFields(event)}\n`;
  }
  return text;
}

/** A notice has no data that a step could look at: it passes as it is. */
function applySteps(event: SseEvent, steps: readonly Step[]): SseEvent | SseNotice | undefined {
  let current: SseEvent | SseNotice = event;
  for (const step of steps) {
    if (!('data' in current)) return current;
    if ('map' in step) current = withId(toEvent(step.map(current)), event.id);
    else if (!step.filter(current)) return undefined;
  }
  return current;
}

function withId(event: SseEvent | SseNotice, id: string | undefined): SseEvent | SseNotice {
  return 'data' in event ? { ...event, id } : event;
}
