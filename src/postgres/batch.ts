import type { AppendRequest } from '../engine/engine.js';

/** What the function `append` takes of a batch: names, ids, sizes, data, events, bytes, ages. */
export function encodeBatch(requests: readonly AppendRequest[]): unknown[] {
  return [
    requests.map(({ topic }) => topic),
    requests.map(({ id }) => id ?? null),
    requests.map(({ data }) => data.byteLength),
    Buffer.concat(requests.map(({ data }) => data)),
    requests.map(({ retention }) => retention.maxEvents),
    requests.map(({ retention }) => retention.maxBytes),
    requests.map(({ retention }) => retention.maxAgeMs),
  ];
}

/** What the function `append_one` takes of an event: name, id, size, data, events, bytes, age. */
export function encodeOne({ topic, id, data, retention }: AppendRequest): unknown[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const { maxEvents, maxBytes, maxAgeMs } = retention;
  return [topic, id ?? null, data.byteLength, bytes, maxEvents, maxBytes, maxAgeMs];
}
