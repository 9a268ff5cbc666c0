import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import { HEADER_BYTES } from './codec.js';
import type { JetStream } from './jetstream.js';

/** How large the data of an event may be, by what the server said last. */
export function maxEventBytesOf(stream: JetStream): number {
  return Math.max(0, Math.min(stream.maxPayload, stream.maxMessageBytes) - HEADER_BYTES);
}

/** What is wrong with an event that is too large, and what would let it through; `undefined` when it is not. */
export function sizeProblem(data: Uint8Array, stream: JetStream, failures: EngineFailures): SseError | undefined {
  const max = maxEventBytesOf(stream);
  if (data.byteLength <= max) return undefined;
  const setting =
    stream.maxMessageBytes < stream.maxPayload
      ? `max_msg_size of the stream, which is ${stream.maxMessageBytes}`
      : `max_payload of nats-server, which is ${stream.maxPayload}`;
  return failures.tooLarge(data.byteLength, max, `. It is ${setting}, less ${HEADER_BYTES} for headers`);
}
