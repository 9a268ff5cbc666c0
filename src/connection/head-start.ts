import { SseError } from '../errors.js';
import { SourcePump } from './source-pump.js';
import type { SourceTarget } from './source-pump.js';
import type { BegunSource, ProducerSource } from './source.js';

/** The stream that a source begins before. */
export interface AwaitedStream extends Omit<SourceTarget, 'send'> {
  readonly settings: { readonly maxPendingBytes: number };
  /** Keeps what is sent before the head. Gives what goes out of it. */
  send(value: unknown): string;
}

/**
 * Lets a source begin before the head of its stream, so that a failure before its first value can still be answered with a status. It keeps
 * what comes until the stream is open: of a source that can be asked to wait that is one value.
 */
export class HeadStart implements BegunSource, SourceTarget {
  /** Resolves when there is something to open the stream for: a value, or the end. Rejects with a failure before that. */
  readonly first: Promise<void>;
  readonly output: SourceTarget['output'];
  readonly #stream: AwaitedStream;
  readonly #pump = new SourcePump(this);
  readonly #opened: Promise<void>;
  #open!: () => void;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #isOpen = false;
  #keptBytes = 0;
  /** How it has ended before the stream was open. */
  #ending: (() => void) | undefined;

  constructor(stream: AwaitedStream) {
    this.#stream = stream;
    this.first = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Nobody waits for it any more once the wait is over.
    this.first.catch(() => undefined);
    this.#opened = new Promise((resolve) => (this.#open = resolve));
    const hasRoom = (): boolean => (this.#isOpen ? stream.output.isWritable : this.#keptBytes === 0);
    this.output = {
      get isWritable() {
        return hasRoom();
      },
      whenWritable: () => this.#whenWritable(),
    };
  }

  start(source: ProducerSource): void {
    this.#pump.start(source);
  }

  open(): void {
    this.#isOpen = true;
    this.#ending?.();
    this.#open();
  }

  stop(): void {
    this.#pump.stop();
    this.#open();
  }

  send(value: unknown): void {
    if (this.#isOpen) return void this.#stream.send(value);
    if (this.#ending !== undefined) return;
    // What a wire leaves out is a value all the same: a source is not read ahead for another one.
    const bytes = Math.max(1, Buffer.byteLength(this.#stream.send(value)));
    const { maxPendingBytes } = this.#stream.settings;
    const isOver = this.#keptBytes > 0 && this.#keptBytes + bytes > maxPendingBytes;
    this.#keptBytes += bytes;
    this.#resolve();
    if (isOver)
      throw new SseError('too-large', `More than ${maxPendingBytes} bytes (maxPendingBytes) came before the head`);
  }

  end(reason: 'complete'): void {
    if (this.#isOpen) return this.#stream.end(reason);
    this.#ending ??= () => this.#stream.end(reason);
    this.#resolve();
  }

  fail(error: unknown): void {
    if (this.#isOpen) return this.#stream.fail(error);
    this.#ending ??= () => this.#stream.fail(error);
    this.#reject(error);
    this.stop();
  }

  async #whenWritable(): Promise<void> {
    await this.#opened;
    if (!this.#stream.output.isWritable) await this.#stream.output.whenWritable();
  }
}
