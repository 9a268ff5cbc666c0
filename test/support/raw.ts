import { type Socket, connect } from 'node:net';
import { until } from './until.js';

/** A client that is nothing but a socket, for what no HTTP client does. To be held with `await using`. */
export class RawClient {
  readonly socket: Socket;
  /** Everything received so far, heads and chunk framing included. */
  text = '';

  constructor(socket: Socket) {
    this.socket = socket.setEncoding('latin1').on('data', (chunk: string) => (this.text += chunk));
    // A reset is one of the things it is there for.
    socket.on('error', () => undefined);
  }

  get isClosed(): boolean {
    return this.socket.closed;
  }

  async receive(wanted: string | RegExp, deadlineMs?: number): Promise<void> {
    const isThere = (): boolean => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    await until(isThere, `${String(wanted)} to be received`, deadlineMs);
  }

  /** From now on reads so many bytes at a time, with a pause of 100 ms after each, until what it gives is called. */
  readInParts(partBytes: number): () => void {
    let next = partBytes;
    const rest = (): void => {
      if (this.socket.bytesRead < next) return;
      next += partBytes;
      this.socket.pause();
      setTimeout(() => this.socket.resume(), 100);
    };
    this.socket.on('data', rest);
    return () => void this.socket.off('data', rest);
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the socket to be closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** Sends the lines of one or more requests as they are, joined by CRLF. */
export async function openRaw(port: number, ...lines: string[]): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1' });
  const client = new RawClient(socket);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  if (lines.length > 0) socket.write([...lines, '', ''].join('\r\n'));
  return client;
}
