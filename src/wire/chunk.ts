/** The same bytes for both kinds of transport; `plain` is a view into `chunked`. Neither may be written to. */
export interface Frame {
  /** The bytes as they are, for HTTP/2 and for HTTP/1.0. */
  readonly plain: Buffer;
  /** The bytes as one chunk of HTTP/1.1's chunked coding (RFC 9112, section 7.1). */
  readonly chunked: Buffer;
}

const CRLF = '\r\n';

/**
 * Joins parts into one chunk, in one allocation. Strings are written as UTF-8.
 *
 * Of nothing it makes nothing: a chunk of length zero would end the body.
 */
export function frame(parts: readonly (string | Uint8Array)[]): Frame {
  const length = parts.reduce((sum, part) => sum + byteLength(part), 0);
  if (length === 0) return { plain: Buffer.alloc(0), chunked: Buffer.alloc(0) };

  const head = length.toString(16) + CRLF;
  const chunked = Buffer.allocUnsafe(head.length + length + CRLF.length);
  let end = write(chunked, head, 0);
  for (const part of parts) end += write(chunked, part, end);
  write(chunked, CRLF, end);
  return { plain: chunked.subarray(head.length, end), chunked };
}

/** The same for a text that only one connection writes. Must not be empty. */
export function chunkOf(text: string): string {
  return Buffer.byteLength(text, 'utf8').toString(16) + CRLF + text + CRLF;
}

function byteLength(part: string | Uint8Array): number {
  return typeof part === 'string' ? Buffer.byteLength(part, 'utf8') : part.length;
}

function write(target: Buffer, part: string | Uint8Array, at: number): number {
  if (typeof part === 'string') return target.write(part, at, 'utf8');
  target.set(part, at);
  return part.length;
}
