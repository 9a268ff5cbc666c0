import type { Batch } from '../hub/batch.js';
import { encodeFields } from '../wire/encode.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { unpackEvent } from '../wire/payload.js';

/** One step of a selection: lets an event pass or not, or makes another of it. */
export type Step = { readonly filter: (event: SseEvent) => boolean } | { readonly map: (event: SseEvent) => unknown };

/** The events of a batch after a selection's steps, each with the id to resume from. Throws what a step throws. */
export function* transform(batch: Batch, steps: readonly Step[]): Generator<SseEvent> {
  for (const entry of batch.entries) {
    const id = batch.idOf(entry);
    const event = applySteps({ ...(unpackEvent(entry.data) as SseEvent), id }, steps);
    if (event !== undefined) yield { ...event, id } as SseEvent;
  }
}

/** The wire form of a batch after a selection's steps; empty when nothing is left. */
export function encodeTransformed(batch: Batch, steps: readonly Step[]): string {
  let text = '';
  for (const event of transform(batch, steps)) {
    checkSourceEvent(event);
    text += `id: ${event.id}\n${encodeFields(event)}\n`;
  }
  return text;
}

function applySteps(event: SseEvent, steps: readonly Step[]): SseEvent | SseNotice | undefined {
  let current = event;
  for (const step of steps) {
    if ('map' in step) current = { ...(toEvent(step.map(current)) as SseEvent), id: event.id };
    else if (!step.filter(current)) return undefined;
  }
  return current;
}
