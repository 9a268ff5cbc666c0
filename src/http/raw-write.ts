import type { Socket } from 'node:net';
import { CHUNK_END, chunkHead } from './chunk.js';
import { hasForeignWrite } from './raw-response.js';
import type { RawResponse } from './raw-response.js';
import { MIN_TEXT_BYTES, SLICE_BYTES } from './write-bounds.js';

const NOTHING = Buffer.alloc(0);

/** Writes a chunk of HTTP/1.1 in one piece. */
export function writeChunk(socket: Socket, content: Buffer | string): boolean {
  socket.cork();
  socket.write(chunkHead(content.length), 'latin1');
  socket.write(content, 'latin1');
  const hasRoom = socket.write(CHUNK_END);
  socket.uncork();
  return hasRoom;
}

/** The kernel takes a copy of ASCII as it is; a Buffer of more than Node's pool has would be a second one: a third of the CPU. */
export function isBestAsText(text: string): boolean {
  return text.length >= MIN_TEXT_BYTES && text.length <= SLICE_BYTES && Buffer.byteLength(text) === text.length;
}

/** Whether no more is to be written for now, because this much or more waits in the process. */
export function isFull(raw: RawResponse, socket: Socket | undefined, hasRoom: boolean, maxBytes: number): boolean {
  if (socket === undefined) return !hasRoom || (!hasForeignWrite(raw) && raw.writableLength >= maxBytes);
  // A socket that has ended has nothing waiting, and no room: a source that never waits would never let its `close` come.
  return (!hasRoom && !socket.writable) || socket.writableLength >= maxBytes;
}

/** Calls back behind all that waits; `drain` comes only where the target's own mark was reached. */
export function whenTaken(target: Pick<Socket, 'write'>, callback: () => void): void {
  target.write(NOTHING, (error) => error || callback());
}

/** The bytes that wait in a response. What has only Node's prototype, as Express gives it to any, cannot tell: from Node 24 on, it throws. */
export function waitingBytes(raw: RawResponse): number {
  try {
    return raw.writableLength || 0;
  } catch {
    return 0;
  }
}
