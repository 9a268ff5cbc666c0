import type { SseEvent } from '../wire/event.js';
import type { WireProfile } from '../wire/profile.js';
import { countedBy } from './counted.js';
import { DONE, unnamed } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';
import { uiMessageOf } from './ui-message.js';

const SHARED = make(tellNothing);

/**
 * The UI message stream of the AI SDK, as `useChat()` reads it: an unnamed event for each part, and `[DONE]` behind the last. A stop is the
 * part `abort`. Its clients have a resumed stream from its beginning, or come back with `?startIndex=<number of parts>`. Who asks for JSON
 * gets the message.
 *
 * @throws SseError `invalid-options`
 */
export function aiSdkUi(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('aiSdkUi()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'aiSdkUi',
    headers: Object.freeze({ 'x-vercel-ai-ui-message-stream': 'v1' }),
    encode: (event) => unnamed(isDataPart(event) ? { data: partOf(event) } : event),
    end: ({ reason }) => {
      if (reason === 'complete') return [DONE];
      return reason === 'stopped' ? [{ data: { type: 'abort' } }, DONE] : undefined;
    },
    error: (failure) => [{ data: { type: 'error', errorText: tell(failure) } }],
    cursor: countedBy('startIndex', 1),
    none: 204,
    reduce: (events) => uiMessageOf(events.map((event) => (isDataPart(event) ? partOf(event) : event.data))),
  });
}

/** `{ type: 'data-…', id, data }` is a part of the application's own, and has the shape of an event. */
function isDataPart({ type }: SseEvent): boolean {
  return type !== undefined && type.startsWith('data-');
}

function partOf({ type, id, data }: SseEvent): object {
  return { type, ...(id !== undefined && { id }), data };
}
