const CRLF = '\r\n';

/** What stands behind the bytes of a chunk. */
export const CHUNK_END = Buffer.from(CRLF);

/** What stands before them (RFC 9112, section 7.1). */
export function chunkHead(length: number): string {
  return length.toString(16) + CRLF;
}

/** The same bytes for both kinds of transport. They may not be written to. */
export class Frame {
  /** The bytes as one chunk of HTTP/1.1's chunked coding (RFC 9112, section 7.1). */
  readonly chunked: Buffer;
  readonly #start: number;

  constructor(chunked: Buffer, start: number) {
    this.chunked = chunked;
    this.#start = start;
  }

  /** The bytes as they are, for HTTP/2 and for HTTP/1.0: a view into `chunked`. */
  get plain(): Buffer {
    return this.chunked.subarray(this.#start, Math.max(0, this.chunked.length - CRLF.length));
  }
}

const NOTHING = new Frame(Buffer.alloc(0), 0);

/** One for each dialect's heartbeat. */
const ofWords = new Map<string, Frame>();

/** The one frame of something that all streams say alike. */
export function frameOfWord(word: string): Frame {
  let known = ofWords.get(word);
  if (known === undefined) ofWords.set(word, (known = frame([word])));
  return known;
}

/**
 * Joins parts into one chunk, in one allocation. Strings are written as UTF-8.
 *
 * Of nothing it makes nothing: a chunk of length zero would end the body.
 */
export function frame(parts: readonly (string | Uint8Array)[]): Frame {
  let length = 0;
  for (const part of parts) length += byteLength(part);
  if (length === 0) return NOTHING;

  const head = chunkHead(length);
  const chunked = Buffer.allocUnsafe(head.length + length + CRLF.length);
  let end = write(chunked, head, 0);
  for (const part of parts) end += write(chunked, part, end);
  write(chunked, CRLF, end);
  return new Frame(chunked, head.length);
}

/** The same chunk as text, for a single reader; `undefined` when not all of it is ASCII. */
export function chunkOf(parts: readonly (string | Uint8Array)[]): string | undefined {
  let text = '';
  for (const part of parts) {
    if (typeof part !== 'string') return undefined;
    text += part;
  }
  const isAscii = text.length > 0 && Buffer.byteLength(text) === text.length;
  return isAscii ? chunkHead(text.length) + text + CRLF : undefined;
}

function byteLength(part: string | Uint8Array): number {
  return typeof part === 'string' ? Buffer.byteLength(part, 'utf8') : part.length;
}

function write(target: Buffer, part: string | Uint8Array, at: number): number {
  if (typeof part === 'string') return target.write(part, at, 'utf8');
  target.set(part, at);
  return part.length;
}
