import type { AppendRequest } from '../engine/engine.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { ENTRY_HEADER_BYTES, ENTRY_OVERHEAD_BYTES } from './script.js';

/**
 * While the server stores an event or gives it out, it does nothing else, 7 to 12 ms for each MiB; and 3 to 5 ms for each MiB with each
 * further event of a topic whose oldest is so large. With this one, that is 0.2 and 0.08 s.
 */
export const MAX_EVENT_BYTES = 16_777_216;

/**
 * How large an event may be that is published whole. By default the server cuts off who has more than 32 MiB waiting for it
 * (`client-output-buffer-limit pubsub`). Up to 2 MiB, a process that is subscribed to the topic was never cut off, with 256 MiB published at
 * once; of 4 MiB it was, with 128 MiB. One that is subscribed to all topics besides gets everything twice, and 24 MiB of any size at once.
 */
export const MAX_WHOLE_BYTES = 2_097_152;

/** @throws SseError `invalid-event` */
export function checkEvent(request: AppendRequest, failures: EngineFailures): void {
  failures.checkSize(request, MAX_EVENT_BYTES);
  const bytes = request.data.byteLength;
  if (bytes <= MAX_WHOLE_BYTES || isKept(request)) return;
  const more = `. Of a topic whose history.maxBytes has room for it, it takes ${MAX_EVENT_BYTES}`;
  throw failures.tooLarge(bytes, MAX_WHOLE_BYTES, ` where the topic does not keep them${more}`);
}

/** As the script decides it that stores the event. */
function isKept({ data, id = '', retention }: AppendRequest): boolean {
  const entryBytes = ENTRY_HEADER_BYTES + Buffer.byteLength(id) + data.byteLength;
  return retention.maxEvents >= 1 && entryBytes + ENTRY_OVERHEAD_BYTES <= retention.maxBytes;
}
