import { SseError } from '../errors.js';

/** An event as the client's listeners get it. */
export interface ParsedEvent {
  /** What to dispatch: `message` when the stream names no type. */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream gave, with this event or before; empty when there was none. */
  readonly lastEventId: string;
}

/** What a parser tells, in the stream's order and within `push`. A handler must not call the parser. */
export interface ParserHandlers {
  onEvent(event: ParsedEvent): void;
  /** The reconnection time, in milliseconds; at most `Number.MAX_SAFE_INTEGER`. */
  onRetry?(retryMs: number): void;
  /** A comment line, without its colon and one space after it. */
  onComment?(text: string): void;
  /** A blank line after an id but no data: the cursor moved without an event. */
  onCursor?(id: string): void;
}

export interface ParserOptions {
  /**
   * How many characters (UTF-16 code units) one event may have before its blank line: its data so far and the current
   * line. Guards against a server that never ends a line or an event.
   *
   * @default 16_777_216
   */
  readonly maxEventChars?: number | undefined;
  /**
   * The id to resume from, which events without an id keep.
   *
   * @default ''
   */
  readonly lastEventId?: string | undefined;
}

/**
 * Reads an event stream, to the letter of WHATWG HTML 9.2.5 and 9.2.6, in chunks cut anywhere, in
 * linear time. Two things that the standard leaves open: an id survives a `reset`, as it does in browsers, and `retry:`
 * without a digit is ignored.
 */
export class EventStreamParser {
  readonly #handlers: ParserHandlers;
  readonly #maxEventChars: number;

  #decoder = newDecoder();
  #atStart = true;
  #afterCr = false;
  #tooLarge: SseError | undefined;
  /** The start of a line whose end has not come. Grows by `+=`, which engines keep as a rope, and is never searched. */
  #line = '';

  #data: string | undefined;
  #type = '';
  #id: string | undefined;
  #lastEventId: string;

  constructor(handlers: ParserHandlers, options: ParserOptions = {}) {
    const { maxEventChars = 16 * 1024 * 1024, lastEventId = '' } = options;
    this.#handlers = handlers;
    this.#maxEventChars = maxEventChars;
    this.#lastEventId = lastEventId;
  }

  /** The id of the last finished block of lines that had one: what to send as `Last-Event-ID`. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /**
   * Reads the next chunk and tells the handlers of all that it completes.
   *
   * @throws SseError `too-large` when an event exceeds `maxEventChars`, then for every chunk until `reset`.
   */
  push(chunk: string | Uint8Array): void {
    if (this.#tooLarge) throw this.#tooLarge;
    const text = this.#decode(chunk);
    if (text === '') return;

    let from = this.#afterCr && text.startsWith('\n') ? 1 : 0;
    this.#afterCr = false;
    let cr = text.indexOf('\r', from);
    let lf = text.indexOf('\n', from);
    while (cr !== -1 || lf !== -1) {
      const endsInCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = endsInCr ? cr : lf;
      const line = this.#hold(text.slice(from, end));
      from = end + 1;
      if (endsInCr) {
        this.#afterCr = from === text.length;
        if (lf === from) from++;
        cr = text.indexOf('\r', from);
      }
      if (lf !== -1 && lf < from) lf = text.indexOf('\n', from);
      this.#line = '';
      this.#readLine(line);
    }
    this.#hold(text.slice(from));
  }

  /** The stream has ended: what it did not finish with a blank line is dropped, as the standard has it. */
  end(): void {
    this.reset();
  }

  /** Starts anew with another connection's stream. The last event id stays. */
  reset(): void {
    this.#decoder = newDecoder();
    this.#atStart = true;
    this.#afterCr = false;
    this.#tooLarge = undefined;
    this.#line = '';
    this.#clearEvent();
  }

  #decode(chunk: string | Uint8Array): string {
    const text =
      typeof chunk === 'string' ? this.#decoder.decode() + chunk : this.#decoder.decode(chunk, { stream: true });
    if (!this.#atStart || text === '') return text;
    this.#atStart = false;
    return text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  /** Adds to the current line, and restores the bound on what is held for one event. */
  #hold(part: string): string {
    this.#line += part;
    if (this.#line.length + (this.#data?.length ?? 0) > this.#maxEventChars) {
      this.reset();
      this.#tooLarge = new SseError('too-large', `An event has more than ${this.#maxEventChars} characters.`);
      throw this.#tooLarge;
    }
    return this.#line;
  }

  #readLine(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === -1) return this.#readField(line, '');
    const value = line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1);
    if (colon === 0) return this.#handlers.onComment?.(value);
    this.#readField(line.slice(0, colon), value);
  }

  #readField(name: string, value: string): void {
    if (name === 'data') this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) {
      this.#handlers.onRetry?.(Math.min(Number(value), Number.MAX_SAFE_INTEGER));
    }
  }

  #dispatch(): void {
    const [type, data, id] = [this.#type, this.#data, this.#id];
    this.#clearEvent();
    if (id !== undefined) this.#lastEventId = id;
    if (data !== undefined) this.#handlers.onEvent({ type: type || 'message', data, lastEventId: this.#lastEventId });
    else if (id !== undefined) this.#handlers.onCursor?.(id);
  }

  #clearEvent(): void {
    this.#data = undefined;
    this.#type = '';
    this.#id = undefined;
  }
}

/** A BOM is kept, because only one at the very start of the stream goes, also when the stream comes as strings. */
function newDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
