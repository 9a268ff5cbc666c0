import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { frame } from './chunk.js';
import type { Frame } from './chunk.js';
import { GzipBody } from './gzip.js';
import {
  destroyResponse,
  endResponse,
  frameableSocket,
  hasForeignWrite,
  isHttp2,
  writeThrough,
} from './raw-response.js';
import type { FailureListener, RawResponse, StartedResponse } from './raw-response.js';
import { isBestAsText, isFull, waitingBytes, whenTaken, writeChunk } from './raw-write.js';
import { MAX_GATHERED_BYTES, MAX_TURN_BYTES, MAX_WAITING_BYTES, QUIET_MS, SLICE_BYTES } from './write-bounds.js';

/** Whose response it is. */
export interface WriterOwner {
  /** More can be taken. */
  drained(): void;
  /** A method of the response, a middleware's own, has failed, and the response is destroyed. */
  writeFailed(error: unknown): void;
}

/**
 * Writes to one response whose head has been sent, and tells when it can take more.
 *
 * All bytes of a stream take one way, since only then their order is nobody else's affair: to the socket, framed as chunks, or
 * through the response where they must. Node 24 keeps back what is written to a response, and frames that go to its socket
 * meanwhile would overtake it.
 */
export class ResponseWriter implements FailureListener {
  readonly raw: RawResponse;
  readonly #owner: WriterOwner;
  /** Where bytes with chunk framing go, once the head is sent; `undefined` where they have to go through the response. */
  #socket: Socket | undefined;
  /** In whole ms: a number with a fraction is an object, of 16 bytes for each stream. */
  #lastWriteAtMs = Math.floor(performance.now());
  #blockedSinceMs: number | undefined;
  /** What has been accepted of something large, but not been handed over yet. */
  #rest: Buffer | undefined;
  /** The last piece, while something waits before it. */
  #last: string | Buffer | undefined;
  /** Whether nothing more is to be written. */
  #isOver = false;
  #hasEnded = false;
  #hasFailed = false;
  /** Whether the socket keeps what it is given until all that this turn brings is there. */
  #isGathering = false;
  /** What was handed over since others had a turn. */
  #turnBytes = 0;
  /** What was handed over so far, in bytes, with the framing of chunks. */
  bytes = 0;
  /** In how many pieces, of which each stands for itself. */
  frames = 0;
  #hearsDrain = false;
  #waiting: (() => void) | undefined;
  readonly #gzip: GzipBody | undefined;

  constructor({ raw, isGzip }: StartedResponse, owner: WriterOwner) {
    this.raw = raw;
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

  /**
   * Since when the client has taken nothing of what waits for it, on the clock of `performance.now()`. A client of HTTP/2 without a
   * window takes not even what is too little to wait for.
   */
  get blockedSinceMs(): number | undefined {
    const isQuiet = performance.now() - this.#lastWriteAtMs >= QUIET_MS;
    if (this.#blockedSinceMs === undefined && isQuiet && this.pendingBytes > 0) this.#block();
    return this.#blockedSinceMs;
  }

  /** Bytes that were written and have not left the process. */
  get pendingBytes(): number {
    return waitingBytes(this.raw) + (this.#rest?.byteLength ?? 0);
  }

  get hasEnded(): boolean {
    return this.#hasEnded || this.raw.writableEnded;
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
    const socket = isHttp2(this.raw) ? undefined : (this.raw.socket as Partial<Socket> | null);
    socket?.cork?.();
    this.#try(() => {
      // With the first text, Node would keep the head in the thirty pieces that it was joined from: 1.2 KB.
      if (socket) (this.raw as Partial<ServerResponse>).flushHeaders?.();
      this.#socket = frameableSocket(this.raw);
      // When somebody else ends the response, it is heard of before its last bytes are written. To ask at each write costs more: Express
      // gives each response a prototype, and with it a form of its own, which V8 knows nothing of.
      if (this.raw.writableEnded) this.#ended();
      else if (this.#socket !== undefined) this.raw.on('prefinish', this.#ended.bind(this));
      if (this.#gzip !== undefined) this.#hand(this.#gzip.header);
      writeFirst();
    });
    socket?.uncork?.();
  }

  /**
   * Writes text of which more may follow in this turn, and goes out with it: a source that never waits would otherwise make a
   * write of each.
   */
  write(text: string): void {
    if (this.#isEnded) return;
    this.#gather();
    if (this.#socket === undefined || this.#gzip !== undefined || !isBestAsText(text))
      return this.writeFrame(frame([text]));
    this.frames++;
    this.#handOverRest();
    this.#handOverSlice(text);
  }

  /** Writes text that stands for itself. */
  writeNow(text: string): void {
    this.writeFrame(frame([text]));
  }

  /** Writes bytes that other connections write too, without copying or framing them again. */
  writeFrame(shared: Frame): void {
    if (this.#isEnded) return;
    this.frames++;
    this.#handOverRest();
    this.#hand(this.#gzip?.pack(shared) ?? shared);
  }

  /** Whether a chunk may be written as text: by {@link writeChunk}, and nothing else is to be made of it. */
  get takesChunks(): boolean {
    return this.#socket !== undefined && this.#gzip === undefined && this.#rest === undefined;
  }

  /** Writes ASCII that is framed as a chunk, of what stands for itself. To be asked only of who takes it. */
  writeChunk(chunk: string): void {
    if (this.#isEnded) return;
    this.frames++;
    this.#handedOver(chunk.length, (this.#socket as Socket).write(chunk, 'latin1'));
  }

  /** Ends the response with a last piece of text; what was written before still goes out. */
  end(text: string): void {
    if (this.#isEnded) return;
    this.#isOver = true;
    const last = this.#gzip?.end(frame([text])) ?? text;
    if (this.#rest === undefined) this.#endResponse(last);
    else this.#last = last;
  }

  /** A method of the response has thrown, or rejected: its owner hears of it when what this turn does to the stream is done. */
  failed(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#ended();
    queueMicrotask(() => {
      destroyResponse(this.raw);
      this.#owner.writeFailed(error);
    });
  }

  get #isEnded(): boolean {
    return this.#isOver || (this.#socket === undefined && (this.#isOver = this.raw.writableEnded));
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
    if (writer.#blockedSinceMs === undefined && writer.#isFull(true)) writer.#block();
  }

  /** It takes with it what was gathered. */
  #endResponse(last: string | Buffer): void {
    this.#ended();
    this.#hasEnded = true;
    this.bytes += last.length;
    this.#try(() => endResponse(this.raw, last, this));
  }

  #try(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.failed(error);
    }
  }

  #hand(sent: Frame): void {
    if (sent.chunked.byteLength <= SLICE_BYTES)
      return this.#handOver(this.#socket === undefined ? sent.plain : sent.chunked);
    this.#rest = sent.plain;
    this.#handOverSlices();
  }

  #handOverSlices(): void {
    while (this.#rest !== undefined && this.#blockedSinceMs === undefined) {
      const bytes = this.#rest;
      this.#rest = bytes.byteLength > SLICE_BYTES ? bytes.subarray(SLICE_BYTES) : undefined;
      this.#handOverSlice(bytes.subarray(0, SLICE_BYTES));
    }
    if (this.#rest === undefined && this.#last !== undefined) this.#endResponse(this.#last);
  }

  /** Something else follows, and must not get in between. */
  #handOverRest(): void {
    const bytes = this.#rest;
    this.#rest = undefined;
    for (let at = 0; bytes !== undefined && at < bytes.byteLength; at += SLICE_BYTES)
      this.#handOverSlice(bytes.subarray(at, at + SLICE_BYTES));
  }

  /** Each slice is a chunk: whoever else writes to the response, or ends it, comes between two of them and not into one. */
  #handOverSlice(slice: Buffer | string): void {
    if (this.#socket === undefined) this.#handOver(slice as Buffer);
    else this.#handedOver(slice.length, writeChunk(this.#socket, slice));
  }

  #handOver(bytes: Buffer): void {
    if (this.#socket !== undefined) return this.#handedOver(bytes.byteLength, this.#socket.write(bytes));
    if (!this.#hasFailed) this.#try(() => this.#handedOver(bytes.byteLength, writeThrough(this.raw, bytes, this)));
  }

  #handedOver(length: number, hasRoom: boolean): void {
    this.#lastWriteAtMs = Math.floor(performance.now());
    this.#turnBytes += length;
    this.bytes += length;
    if (this.#blockedSinceMs === undefined && this.#isFull(hasRoom)) this.#block();
  }

  #isFull(hasRoom: boolean): boolean {
    return isFull(this.raw, this.#socket, hasRoom, this.#isGathering ? MAX_GATHERED_BYTES : MAX_WAITING_BYTES);
  }

  /** After a disconnect neither comes; the owner hears of that by `close`. */
  #block(): void {
    this.#blockedSinceMs = this.#lastWriteAtMs;
    if (this.#socket !== undefined || !hasForeignWrite(this.raw)) {
      whenTaken(this.#socket ?? this.raw, () => this.#left());
    } else if (!this.#hearsDrain) {
      // For good: what has been given to the `on` of a middleware, `once` does not take away again.
      this.#hearsDrain = true;
      this.#try(() => this.raw.on('drain', () => this.#blockedSinceMs === undefined || this.#left()));
    }
  }

  /** What waited has left. The kernel may take all that a source gives without waiting: after so much, others have a turn. */
  #left(): void {
    if (this.#turnBytes < MAX_TURN_BYTES) return this.#goOn();
    this.#turnBytes = 0;
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    this.#blockedSinceMs = undefined;
    if (this.raw.destroyed) return;
    this.#handOverSlices();
    if (this.#blockedSinceMs !== undefined) return;
    this.release();
    this.#owner.drained();
  }
}
