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
  readonly onEvent: (event: ParsedEvent) => void;
  /** The reconnection time, in milliseconds; at most `Number.MAX_SAFE_INTEGER`. */
  readonly onRetry?: (retryMs: number) => void;
  /** A comment line, without its colon and one space after it. */
  readonly onComment?: (text: string) => void;
  /** A blank line after an id but no data: the cursor moved without an event. */
  readonly onCursor?: (id: string) => void;
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

/** What {@link createStreamParser} makes. */
export interface EventStreamParser {
  /**
   * Reads the next chunk and tells the handlers of all that it completes.
   *
   * @throws RangeError when an event exceeds `maxEventChars`; there is no way on from there
   */
  push(chunk: Uint8Array): void;
}

/**
 * Reads an event stream, to the letter of WHATWG HTML 9.2.5 and 9.2.6, in chunks cut anywhere, in linear time; one parser for each
 * connection. Two things that the standard leaves open: an id outlives its connection, as it does in browsers, and `retry:` without a digit
 * is ignored. It is a closure, because that is what gets smallest.
 */
export function createStreamParser(
  { onEvent, onRetry, onComment, onCursor }: ParserHandlers,
  { maxEventChars = 2 ** 24, lastEventId = '' }: ParserOptions = {},
): EventStreamParser {
  // Keeps a BOM, because Node 24 takes two away when they are cut within the first.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let isStart = true;
  let endedInCr = false;
  // The start of a line whose end has not come. Grows by `+=`, which engines keep as a rope, and is never searched.
  let line = '';
  let data: string | undefined;
  let type = '';
  let id: string | undefined;

  const read = (): void => {
    const [, field, value] = /^([^:]*):? ?(.*)/s.exec(line) as unknown as [string, string, string];
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') type = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) onRetry?.(Math.min(+value, 2 ** 53 - 1));
    else if (field === '') onComment?.(value);
  };

  const dispatch = (): void => {
    const event = { type: type || 'message', data: data as string, lastEventId: (lastEventId = id ?? lastEventId) };
    const moved = id;
    const isEvent = data !== undefined;
    type = '';
    data = id = undefined;
    if (isEvent) onEvent(event);
    else if (moved !== undefined) onCursor?.(moved);
  };

  return {
    push(chunk) {
      let text = decoder.decode(chunk, { stream: true });
      if (text === '') return;
      if (isStart) text = text.replace(/^\uFEFF/, '');
      isStart = false;
      if (endedInCr && text[0] === '\n') text = text.slice(1);
      endedInCr = text.endsWith('\r');
      text.split(/\r\n?|\n/).forEach((part, at) => {
        if (at > 0) {
          if (line === '') dispatch();
          else read();
          line = '';
        }
        line += part;
        if (line.length + (data ?? '').length > maxEventChars)
          throw new RangeError(`An event has more than ${maxEventChars} characters`);
      });
    },
  };
}
