import { type ClientHttp2Session, type SecureClientSessionOptions, connect, constants } from 'node:http2';
import { Stream } from './stream.js';
import { until } from './until.js';

/** One HTTP/2 connection with any number of streams on it, to be held with `await using`. */
export class Session {
  readonly raw: ClientHttp2Session;
  /** The code with which the server has said that it takes no more streams here. */
  goaway: number | undefined;

  constructor(raw: ClientHttp2Session) {
    this.raw = raw;
    raw.on('goaway', (code) => (this.goaway = code));
    // It is seen by who reads a stream.
    raw.on('error', () => undefined);
  }

  get isClosed(): boolean {
    return this.raw.destroyed;
  }

  /** Sends a request. As long as nobody reads the answer, the client's window for this stream fills, and only this. */
  async open(path: string, headers: Record<string, string | string[]> = {}): Promise<Stream> {
    const request = this.raw.request({ ':path': path, ...headers });
    request.setEncoding('utf8');
    request.end();
    const received = await new Promise<Record<string, unknown>>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    request.on('error', () => undefined);
    const given = Object.entries(received).filter(([name]) => !name.startsWith(':'));
    const all = given.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)] as [string, string]));
    const chunks = request[Symbol.asyncIterator]() as AsyncIterator<string>;
    const leave = () => request.close(constants.NGHTTP2_CANCEL);
    return new Stream(Number(received[':status']), new Headers(all), chunks, leave);
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the session to be closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.raw.destroy();
  }
}

/** Connects to a server, with TLS when the origin says `https:`. */
export async function openSession(origin: string, options: SecureClientSessionOptions = {}): Promise<Session> {
  const raw = connect(origin, options);
  await new Promise<void>((resolve, reject) => {
    raw.once('connect', () => resolve());
    raw.once('error', reject);
  });
  return new Session(raw);
}
