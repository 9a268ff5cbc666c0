import { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { Frame } from '../wire/chunk.js';

/** The response underneath any of Nest's adapters. */
export type RawResponse = ServerResponse | Http2ServerResponse;

/** Writes to one response whose head has been sent, and tells when it can take more. */
export class ResponseWriter {
  readonly #raw: RawResponse;
  readonly #onDrain: () => void;
  #blockedSinceMs: number | undefined;
  #waiting: (() => void) | undefined;

  constructor(raw: RawResponse, onDrain: () => void) {
    this.#raw = raw;
    this.#onDrain = onDrain;
  }

  /** `false` while what was written waits for the client. */
  get isWritable(): boolean {
    return this.#blockedSinceMs === undefined && !this.#raw.writableEnded;
  }

  /** Since when the client has not taken all of what waits for it, on the clock of `performance.now()`. */
  get blockedSinceMs(): number | undefined {
    return this.#blockedSinceMs;
  }

  /** Bytes that were written and have not left the process. */
  get pendingBytes(): number {
    return this.#raw.writableLength;
  }

  /** Resolves when more can be taken, or when nobody waits for that any more. One at a time may wait. */
  async whenWritable(): Promise<void> {
    if (!this.isWritable && !this.#raw.writableEnded) await new Promise<void>((resolve) => (this.#waiting = resolve));
  }

  /** Lets go of whoever waits: the stream is over, and `drain` may never come. */
  release(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  write(text: string): void {
    if (this.#raw.writableEnded) return;
    const hasRoom = (this.#raw as ServerResponse).write(text);
    flushCompression(this.#raw);
    if (!hasRoom) this.#block(this.#raw);
  }

  /** Writes bytes that other connections write too, without copying or framing them again. */
  writeFrame(frame: Frame): void {
    if (this.#raw.writableEnded) return;
    const socket = frameableSocket(this.#raw);
    const target = socket ?? (this.#raw as ServerResponse);
    const hasRoom = target.write(socket === undefined ? frame.plain : frame.chunked);
    if (socket === undefined) flushCompression(this.#raw);
    if (!hasRoom) this.#block(target);
  }

  /** Ends the response with a last piece of text; what was written before still goes out. */
  end(text: string): void {
    if (!this.#raw.writableEnded) (this.#raw as ServerResponse).end(text);
  }

  /** Drops what waits, and the connection with it. */
  destroy(): void {
    if ('stream' in this.#raw && this.#raw.stream !== undefined) this.#raw.stream.destroy();
    else this.#raw.destroy();
  }

  /** Drops the connection that the response is on, whatever else is on it. */
  destroySocket(): void {
    if ('stream' in this.#raw) this.#raw.stream?.session?.destroy();
    else this.#raw.destroy();
  }

  /** Lets go of the keep-alive connection once the response has been sent: the server is closing, nobody must come back on it. */
  closeSocketWhenSent(): void {
    const { socket } = this.#raw;
    if ('stream' in this.#raw) {
      const session = this.#raw.stream?.session;
      this.#raw.once('finish', () => session?.close());
    } else this.#raw.once('finish', () => socket?.destroySoon());
  }

  #block(target: RawResponse | Socket): void {
    if (this.#blockedSinceMs !== undefined) return;
    this.#blockedSinceMs = performance.now();
    // After a disconnect `drain` never comes; the owner hears of that by `close`.
    target.once('drain', () => {
      this.#blockedSinceMs = undefined;
      this.release();
      this.#onDrain();
    });
  }
}

/**
 * The socket, when bytes with HTTP/1.1 chunk framing may go straight to it: the message is chunked, nothing of it waits
 * in the response, and nobody (a compression middleware) has put a `write` of their own in between. `ServerResponse.write`
 * would frame the same bytes again for every client, at twice the cost.
 */
function frameableSocket(raw: RawResponse): Socket | undefined {
  if ('stream' in raw || raw.write !== ServerResponse.prototype.write) return undefined;
  const { socket } = raw;
  const isDirect = raw.chunkedEncoding && socket !== null && raw.writableLength === socket.writableLength;
  return isDirect ? socket : undefined;
}

/** A compression middleware holds written bytes back until it is told to flush. */
function flushCompression(raw: RawResponse): void {
  const { flush } = raw as { flush?: () => void };
  flush?.call(raw);
}
