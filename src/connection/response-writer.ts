import { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { frame } from '../wire/chunk.js';
import type { Frame } from '../wire/chunk.js';
import { GzipBody } from '../wire/gzip.js';

/** The response underneath any of Nest's adapters. */
export type RawResponse = ServerResponse | Http2ServerResponse;

/** A response whose head has been sent, or will be with the first byte. */
export interface StartedResponse {
  readonly raw: RawResponse;
  /** Whether its head says that the body is packed. */
  readonly isGzip: boolean;
}

/** Whose response it is. */
export interface WriterOwner {
  /** More can be taken. */
  drained(): void;
}

/**
 * What is handed over at once of something large. A client that takes this much in time is alive, however slow its link
 * and however long all of an event takes it.
 */
const SLICE_BYTES = 65_536;

/**
 * With so much waiting in the process, no more is asked for. Not the socket's own mark, which is four times as high from
 * Node 22 on, for each client that does not read.
 */
const MAX_WAITING_BYTES = 16_384;

const NOTHING = Buffer.alloc(0);

/**
 * Writes to one response whose head has been sent, and tells when it can take more.
 *
 * All bytes of a stream take one way, since only then their order is nobody else's affair: to the socket, framed as chunks, or
 * through the response where they must. Node 24 keeps back what is written to a response, and frames that go to its socket
 * meanwhile would overtake it.
 */
export class ResponseWriter {
  readonly #raw: RawResponse;
  readonly #owner: WriterOwner;
  /** Where bytes with chunk framing go, once the head is sent; `undefined` where they have to go through the response. */
  #socket: Socket | undefined;
  #lastWriteAtMs = performance.now();
  #blockedSinceMs: number | undefined;
  /** What has been accepted of something large, but not been handed over yet. */
  #rest: Buffer | undefined;
  /** The last piece, while something waits before it. */
  #last: string | Buffer | undefined;
  /** Whether nothing more is to be written. */
  #isOver = false;
  /** Whether the socket keeps what it is given until all that this turn brings is there. */
  #isGathering = false;
  #waiting: (() => void) | undefined;
  readonly #gzip: GzipBody | undefined;

  constructor({ raw, isGzip }: StartedResponse, owner: WriterOwner) {
    this.#raw = raw;
    this.#owner = owner;
    if (isGzip) this.#gzip = new GzipBody();
  }

  /** `false` while what was written waits for the client. */
  get isWritable(): boolean {
    return this.#blockedSinceMs === undefined && !this.#isOver;
  }

  /** When something was written last, on the clock of `performance.now()`. */
  get lastWriteAtMs(): number {
    return this.#lastWriteAtMs;
  }

  /** Since when the client has taken nothing of what waits for it, on the clock of `performance.now()`. */
  get blockedSinceMs(): number | undefined {
    return this.#blockedSinceMs;
  }

  /** Bytes that were written and have not left the process. */
  get pendingBytes(): number {
    return this.#raw.writableLength + (this.#rest?.byteLength ?? 0);
  }

  /** Resolves when more can be taken, or when nobody waits for that any more. One at a time may wait. */
  async whenWritable(): Promise<void> {
    if (!this.isWritable && !this.#isOver) await new Promise<void>((resolve) => (this.#waiting = resolve));
  }

  /** Lets go of whoever waits: the stream is over, and `drain` may never come. */
  release(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** Sends the head, if it has not left yet, and in the same write to the socket all that `writeFirst` writes. */
  open(writeFirst: () => void): void {
    const socket = 'stream' in this.#raw ? undefined : this.#raw.socket;
    socket?.cork();
    // With the first text, Node would keep the head in the thirty pieces that it was joined from: 1.2 KB.
    if (socket) (this.#raw as ServerResponse).flushHeaders();
    this.#socket = frameableSocket(this.#raw);
    if (this.#socket !== undefined) this.#watchEnd();
    try {
      if (this.#gzip !== undefined) this.#hand(this.#gzip.header);
      writeFirst();
    } finally {
      socket?.uncork();
    }
  }

  /**
   * Writes text of which more may follow in this turn, and goes out with it: a source that never waits would otherwise make a
   * write of each.
   */
  write(text: string): void {
    if (this.#isEnded) return;
    this.#gather();
    this.writeFrame(frame([text]));
  }

  /** Writes text that stands for itself. */
  writeNow(text: string): void {
    this.writeFrame(frame([text]));
  }

  /** Writes bytes that other connections write too, without copying or framing them again. */
  writeFrame(shared: Frame): void {
    if (this.#isEnded) return;
    if (this.#rest !== undefined) this.#handOverRest();
    this.#hand(this.#gzip?.pack(shared) ?? shared);
  }

  /** Ends the response with a last piece of text; what was written before still goes out. */
  end(text: string): void {
    if (this.#isEnded) return;
    this.#isOver = true;
    const last = this.#gzip === undefined ? text : packedEnd(this.#gzip, text);
    if (this.#rest === undefined) this.#endResponse(last);
    else this.#last = last;
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

  get #isEnded(): boolean {
    return this.#isOver || (this.#socket === undefined && (this.#isOver = this.#raw.writableEnded));
  }

  /**
   * Learns of it when somebody else ends the response, before its last bytes are written. To ask it at each write costs more:
   * Express gives each response a prototype, and with it a form of its own, which V8 knows nothing of.
   */
  #watchEnd(): void {
    this.#isOver = this.#raw.writableEnded;
    this.#raw.on('prefinish', this.#ended.bind(this));
  }

  /** From here on the socket may be the next response's. */
  #ended(): void {
    this.#isOver = true;
    this.#isGathering = false;
    this.#rest = undefined;
    this.#last = undefined;
  }

  /** A response gathers by itself. */
  #gather(): void {
    if (this.#isGathering || this.#socket === undefined) return;
    this.#isGathering = true;
    this.#socket.cork();
    process.nextTick(ResponseWriter.#endGathering, this);
  }

  static #endGathering(this: void, writer: ResponseWriter): void {
    if (!writer.#isGathering) return;
    writer.#isGathering = false;
    writer.#socket?.uncork();
  }

  /** It takes with it what was gathered. */
  #endResponse(last: string | Buffer): void {
    this.#ended();
    (this.#raw as ServerResponse).end(last);
  }

  #hand(sent: Frame): void {
    const bytes = this.#socket === undefined ? sent.plain : sent.chunked;
    if (bytes.byteLength <= SLICE_BYTES) return this.#handOver(bytes);
    this.#rest = bytes;
    this.#handOverSlices();
  }

  #handOverSlices(): void {
    while (this.#rest !== undefined && this.#blockedSinceMs === undefined) {
      const bytes = this.#rest;
      this.#rest = bytes.byteLength > SLICE_BYTES ? bytes.subarray(SLICE_BYTES) : undefined;
      this.#handOver(bytes.subarray(0, SLICE_BYTES));
    }
    if (this.#rest === undefined && this.#last !== undefined) this.#endResponse(this.#last);
  }

  /** Something else follows, and must not get in between. */
  #handOverRest(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#handOver(rest);
  }

  #handOver(bytes: Buffer): void {
    this.#lastWriteAtMs = performance.now();
    const target = this.#socket ?? this.#raw;
    // A socket that has been destroyed has nothing waiting, and no room: a source that never waits would never let its `close` come.
    const hasRoom = (target as Socket).write(bytes);
    if (target === this.#raw) flushCompression(this.#raw);
    const isFull = !hasRoom || (target.writableLength >= MAX_WAITING_BYTES && !hasForeignWrite(target));
    if (!isFull || this.#blockedSinceMs !== undefined) return;
    this.#blockedSinceMs = this.#lastWriteAtMs;
    // After a disconnect neither comes; the owner hears of that by `close`.
    if (hasForeignWrite(target)) target.once('drain', () => this.#left());
    else (target as Socket).write(NOTHING, (error) => error || this.#left());
  }

  /**
   * What waited has left. What follows is for the next turn: the kernel may take all that a source gives without waiting, and nobody
   * else would ever have one.
   */
  #left(): void {
    setImmediate(() => {
      this.#blockedSinceMs = undefined;
      if (this.#raw.destroyed) return;
      this.#handOverSlices();
      if (this.#blockedSinceMs !== undefined) return;
      this.release();
      this.#owner.drained();
    });
  }
}

/**
 * The socket, when bytes with HTTP/1.1 chunk framing may go straight to it: the message is chunked, nothing of it waits
 * in the response, and nobody has put a `write` of their own in between. `ServerResponse.write` would frame the same bytes
 * again for every client, at twice the cost.
 */
function frameableSocket(raw: RawResponse): Socket | undefined {
  if ('stream' in raw || hasForeignWrite(raw)) return undefined;
  const { socket } = raw;
  const isDirect = raw.chunkedEncoding && socket !== null && raw.writableLength === socket.writableLength;
  return isDirect ? socket : undefined;
}

/** Whether somebody (a compression middleware) has put a `write` of their own in between, which need not call back. */
function hasForeignWrite(target: RawResponse | Socket): boolean {
  if ('stream' in target) return Object.hasOwn(target, 'write');
  return target instanceof ServerResponse && target.write !== ServerResponse.prototype.write;
}

function packedEnd(body: GzipBody, text: string): Buffer {
  return Buffer.concat([body.pack(frame([text])).plain, body.trailer]);
}

/** A compression middleware holds written bytes back until it is told to flush. */
function flushCompression(raw: RawResponse): void {
  const { flush } = raw as { flush?: () => void };
  flush?.call(raw);
}
