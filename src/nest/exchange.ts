import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection } from '../connection/connection.js';
import { destroyResponse, endResponse, isPromise } from '../connection/raw-response.js';
import type { FailureListener, RawResponse, StartedResponse } from '../connection/raw-response.js';
import type { StreamRequest } from '../connection/sse-connection.js';
import { acceptsGzip, streamHeaders } from '../wire/headers.js';
import type { StreamHeaders } from '../wire/headers.js';
import { Handover } from './handover.js';
import { rawOf } from './pending-streams.js';
import type { ResolvedSettings } from './resolve-options.js';
import type { SseStreamOptions } from './sse-options.js';

/**
 * After so long without a byte in either direction the kernel asks whether the client is still there. Where heartbeats come
 * sooner it never would: that is not worth four system calls for each client that connects.
 */
const KEEP_ALIVE_MS = 30_000;

/** What is used of a Fastify reply. */
interface FastifyReply {
  readonly raw: RawResponse;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  header(name: string, value: unknown): unknown;
  removeHeader(name: string): unknown;
  code(status: number): unknown;
  send(payload?: unknown): unknown;
  hijack(): unknown;
}

/** One request and its response, the same on every adapter. */
export class Exchange implements StartedResponse, FailureListener {
  readonly request: StreamRequest;
  readonly response: object;
  readonly raw: RawResponse;
  isGzip = false;
  readonly #rawRequest: IncomingMessage;
  readonly #reply: FastifyReply | undefined;
  #connection: Connection | undefined;
  #hasStarted = false;

  constructor(request: object, response: object) {
    this.request = request as StreamRequest;
    this.response = response;
    this.raw = rawOf(response);
    this.#rawRequest = ((request as { raw?: unknown }).raw ?? request) as IncomingMessage;
    this.#reply = 'hijack' in response ? (response as FastifyReply) : undefined;
  }

  get isHead(): boolean {
    return this.#rawRequest.method === 'HEAD';
  }

  /** Where the client is, as the adapter makes it out behind its trusted proxies. */
  get address(): string | undefined {
    const { ip } = this.request;
    return typeof ip === 'string' ? ip : this.#socket?.remoteAddress;
  }

  /** Whether the client has left. A `close` that was fired before anyone listened is not fired again. */
  get isGone(): boolean {
    const { raw } = this;
    return raw.destroyed === true || raw.closed === true || raw.writableEnded || this.#socket?.destroyed === true;
  }

  /** Whether the head of the stream has been sent. */
  get hasHead(): boolean {
    return this.#hasStarted && this.raw.headersSent;
  }

  /** Tells a connection when the response is over, whoever ended it; perhaps twice. */
  onOver(connection: Connection): void {
    const { raw } = this;
    this.#connection = connection;
    // Bound, and not a closure: what a closure is made in lives as long as it does, and here that is all of the request.
    const onClose = connection.disconnected.bind(connection);
    // The response's `close`, not the request's: a parsed body closes the request early.
    raw.on('close', onClose);
    // A `close` always follows; without a listener the error would end the process.
    raw.on('error', ignore);
    // The response to a pipelined request has no socket until those before it are done, and hears nothing of its end.
    const socket = this.#socket;
    if (!this.#isHttp2 && raw.socket === null && socket !== undefined) onSocketClosed(socket, raw, onClose);
    // Without a connection nothing may ever close.
    if (socket?.setTimeout === undefined) raw.on('finish', onClose);
  }

  /**
   * Sends the head of an event stream, with what the framework has set so far. Resolves to `false` when the client left
   * meanwhile. Rejects while nothing has been sent, so that an exception filter can still answer.
   *
   * @param settings those of the stream; `undefined` when it ends at once
   */
  async start(own: SseStreamOptions['headers'], settings?: ResolvedSettings): Promise<boolean> {
    const inherited = this.#reply?.getHeaders() ?? this.raw.getHeaders();
    const isCompressible = settings?.compression === true;
    this.isGzip = isCompressible && acceptsGzip(this.#rawRequest.headers['accept-encoding']);
    const encoding = isCompressible ? (this.isGzip ? 'gzip' : 'identity') : undefined;
    const headers = streamHeaders({ http2: this.#isHttp2, inherited, own, encoding });
    for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
    this.#hasStarted = true;
    const isOpen = await (this.#reply === undefined
      ? this.#startPlain(headers)
      : this.#startFastify(this.#reply, inherited, headers));
    // On HTTP/2 it would be the settings of the whole session.
    if (isOpen && !this.#isHttp2) {
      this.#socket?.setTimeout?.(0);
      if (settings !== undefined && (settings.heartbeatMs || Infinity) > KEEP_ALIVE_MS)
        this.#socket?.setKeepAlive?.(true, KEEP_ALIVE_MS);
    }
    if (isOpen && this.isHead) endResponse(this.raw, undefined, this);
    return isOpen;
  }

  /** The response cannot be written to: its connection is told, and nobody else. */
  failed(error: unknown): void {
    destroyResponse(this.raw);
    this.#connection?.writeFailed(error);
  }

  /** Drops the request without an answer. */
  destroy(): void {
    this.#socket?.destroy?.();
  }

  /** Answers `204`: the client has all there is, and must not come back (WHATWG HTML 9.2.3). */
  sendNoContent(): void {
    if (this.#reply !== undefined) {
      this.#reply.code(204);
      this.#reply.send();
      return;
    }
    this.raw.statusCode = 204;
    endResponse(this.raw, undefined, this);
  }

  /** Ends the response though its client has left: a session is stored then, and a log line written. */
  abandon(listener: FailureListener = this): void {
    const { raw } = this;
    if (raw.writableEnded) return;
    try {
      endResponse(raw, undefined, listener);
      if (this.#reply !== undefined) runOnResponse(raw);
    } catch (error) {
      listener.failed(error);
    }
  }

  get #isHttp2(): boolean {
    return 'stream' in this.raw;
  }

  /** Not always one of Node's: without a connection, as in Fastify's `inject()` or behind a serverless wrapper, it has what its maker gave it. */
  get #socket(): Partial<Socket> | undefined {
    return this.#rawRequest.socket;
  }

  async #startPlain(headers: StreamHeaders): Promise<boolean> {
    // Only what is not to be sent: once a header has been removed, Node keeps all of them in a larger form.
    for (const name of this.raw.getHeaderNames()) if (!(name in headers)) this.raw.removeHeader(name);
    await this.#writeHead(headers);
    // Express's way to a further handler, of which there is none any more: 0.8 KB of its router's closures go with it.
    const request: { next?: unknown } = this.#rawRequest as object;
    if (request.next !== undefined) request.next = undefined;
    return true;
  }

  /**
   * Sends the head through Fastify, so that its `onSend` hooks run: a plugin such as `@fastify/cookie` adds its headers
   * there. Fastify then pipes what was sent into the response, and that call is where this module takes over.
   */
  async #startFastify(
    reply: FastifyReply,
    inherited: Readonly<Record<string, unknown>>,
    headers: StreamHeaders,
  ): Promise<boolean> {
    for (const name of Object.keys(inherited)) {
      if (headers[name] !== inherited[name]) reply.removeHeader(name);
      if (headers[name] === undefined) this.raw.removeHeader(name);
    }
    for (const [name, value] of Object.entries(headers)) {
      if (inherited[name] !== value) reply.header(name, value);
    }
    reply.code(200);
    const head = await new Promise<OutgoingHttpHeaders | undefined>((resolve) => {
      const onOver = (): void => resolve(undefined);
      this.raw.once('close', onOver);
      const takeOver = (head: OutgoingHttpHeaders): void => {
        this.raw.removeListener('close', onOver);
        resolve(head);
      };
      const handover = new Handover(this.raw, takeOver);
      try {
        reply.send(handover);
      } catch (error) {
        handover.resume();
        throw error;
      }
    });
    if (head === undefined) return false;
    await this.#writeHead(head);
    reply.hijack();
    return true;
  }

  async #writeHead(headers: OutgoingHttpHeaders): Promise<void> {
    const written: unknown = (this.raw as ServerResponse).writeHead(200, headers);
    // A middleware's own may be asynchronous.
    if (isPromise(written)) await written;
  }
}

/**
 * Fastify runs its `onResponse` hooks at `finish`, which never comes over HTTP/1 when the client has left. (Over HTTP/2 Node emits it
 * all the same.) It cannot be emitted for it: Node would let go of the socket twice.
 */
function runOnResponse(raw: RawResponse): void {
  for (const listener of raw.listeners('finish')) if (listener.name === 'onResFinished') listener.call(raw);
}

function ignore(): void {
  // See `onOver`.
}

function checkHeader(name: string, value: number | string | string[]): void {
  validateHeaderName(name);
  if (Array.isArray(value)) for (const one of value) validateHeaderValue(name, one);
  else validateHeaderValue(name, String(value));
}

// Keyed by the socket: one listener for all that are pipelined on it, because Node warns of more than ten.
const pipelined = new WeakMap<object, Set<() => void>>();

/** Calls back when the socket closes before the response does. */
function onSocketClosed(socket: Partial<Socket>, raw: RawResponse, callback: () => void): void {
  let waiting = pipelined.get(socket);
  if (waiting === undefined) {
    const all = (waiting = new Set<() => void>());
    pipelined.set(socket, all);
    socket.once?.('close', () => all.forEach((call) => call()));
  }
  const own = waiting;
  own.add(callback);
  raw.once('close', () => own.delete(callback));
}
