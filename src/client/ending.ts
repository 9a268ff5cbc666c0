import { END } from '../wire/words.js';
import type { FAILURE } from '../wire/words.js';
import type { ControlEvents, ReceivedEvent } from './events.js';
import type { Outcome } from './outcome.js';
import { StreamError } from './state.js';
import type { WaitReason } from './state.js';

type Said = Partial<ControlEvents[typeof END] & ControlEvents[typeof FAILURE]>;

/** What the last event of a stream says of what comes behind it. */
export function endingOf(event: ReceivedEvent, isRepeatable: boolean): Outcome {
  const { reason = 'closed', reconnect = true, message = 'The stream failed' } = saidBy(event) as Said;
  if (event.type === END) return reconnect ? { reason: reason as WaitReason, isPlanned: true } : { closes: reason };
  const error = new StreamError('failed', message);
  return reconnect && isRepeatable ? { reason: 'error', error } : { closes: 'failed', error };
}

/** What another server sends under our names may be anything. */
export function saidBy(event: ReceivedEvent): object {
  try {
    return Object(event.json()) as object;
  } catch {
    return {};
  }
}
