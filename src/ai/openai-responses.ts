import type { SseEvent } from '../wire/event.js';
import type { WireProfile } from '../wire/profile.js';
import { countedBy } from './counted.js';
import { named, objectsIn } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';

const SHARED = make(tellNothing);

/**
 * How OpenAI streams Responses: events that are named as their `type` says, each with a `sequence_number`, which counts from 0; the last is
 * `response.completed`. Its clients come back with `?starting_after=<number>`. Who asks for JSON gets the response.
 *
 * @throws SseError `invalid-options`
 */
export function openaiResponses(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('openaiResponses()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'openaiResponses',
    encode: (event) => named('openaiResponses', event),
    error: (failure) => {
      const data = { type: 'error', code: failure.code, message: tell(failure), param: null };
      return [{ type: 'error', data }];
    },
    cursor: countedBy('starting_after', 0),
    none: 404,
    reduce: responseOf,
  });
}

/** The response as the last event that has one says, with the items of its output as far as they are done. */
function responseOf(events: readonly SseEvent[]): unknown {
  let response: Record<string, unknown> | undefined;
  const output: unknown[] = [];
  for (const event of objectsIn(events)) {
    if (typeof event.response === 'object' && event.response !== null)
      response = event.response as Record<string, unknown>;
    if (event.type === 'response.output_item.done') output[Number(event.output_index)] = event.item;
  }
  if (response === undefined) return null;
  const isWhole = Array.isArray(response.output) && response.output.length > 0;
  return isWhole || output.length === 0
    ? response
    : { ...response, output: output.filter((item) => item !== undefined) };
}
