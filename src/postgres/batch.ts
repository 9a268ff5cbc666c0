import { isUtf8 } from 'node:buffer';
import type { AppendRequest } from '../engine/engine.js';

/** What the function `append` takes of a batch: names, ids, sizes, data, texts, events, bytes, ages. */
export function encodeBatch(requests: readonly AppendRequest[]): unknown[] {
  return [
    requests.map(({ topic }) => topic),
    requests.map(({ id }) => id ?? null),
    requests.map(({ data }) => data.byteLength),
    Buffer.concat(requests.map(({ data }) => data)),
    requests.map(({ data }) => isText(data)),
    requests.map(({ retention }) => retention.maxEvents),
    requests.map(({ retention }) => retention.maxBytes),
    requests.map(({ retention }) => retention.maxAgeMs),
  ];
}

/** Whether PostgreSQL can hold the bytes as text: no NUL, and what it takes for UTF-8. */
export function isText(data: Uint8Array): boolean {
  return isUtf8(data) && !data.includes(0);
}
