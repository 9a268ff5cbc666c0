import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HeadCache } from './head-cache.js';
import { acceptsGzip, varying } from './headers.js';
import type { StreamHeaders } from './headers.js';
import { destroyResponse, endResponse, isHttp2, isPromise, rawOf } from './raw-response.js';
import type { FailureListener, RawResponse, StartedResponse } from './raw-response.js';
import type { StreamRequest } from './stream-request.js';

/**
 * After so long without a byte in either direction the kernel asks whether the client is still there. Where heartbeats come
 * sooner it never would: that is not worth four system calls for each client that connects.
 */
const KEEP_ALIVE_MS = 30_000;

/** Who streams into a response. */
export interface ResponseOwner {
  /** It is over, whoever ended it. May be said twice. */
  disconnected(): void;
  /** It cannot be written to. */
  writeFailed(error: unknown): void;
}

/** What the head of a stream depends on. */
export interface HeadSettings {
  readonly compression: boolean;
  readonly heartbeatMs: number | false;
}

/**
 * One request and its response, the same on every adapter. What an adapter does in its own way is in a class of its own: how the head goes
 * out, and how an answer without a body does.
 */
export abstract class Exchange implements StartedResponse, FailureListener {
  readonly request: StreamRequest;
  readonly response: object;
  readonly raw: RawResponse;
  isGzip = false;
  readonly #rawRequest: IncomingMessage;
  #owner: ResponseOwner | undefined;
  #hasStarted = false;

  constructor(request: object, response: object) {
    this.request = request as StreamRequest;
    this.response = response;
    this.raw = rawOf(response);
    this.#rawRequest = ((request as { raw?: unknown }).raw ?? request) as IncomingMessage;
  }

  /** Answers `204`: the client has all there is, and must not come back (WHATWG HTML 9.2.3). */
  abstract sendNoContent(): void;

  /** Sets a header of whatever the answer will be. */
  abstract setHeader(name: string, value: string | string[]): void;

  /** The headers that the framework and its middleware have set so far. */
  protected abstract inherited(): Readonly<OutgoingHttpHeaders>;

  /** Sends the head. Resolves to `false` when the client left meanwhile. */
  protected abstract sendHead(
    headers: Readonly<StreamHeaders>,
    inherited: Readonly<OutgoingHttpHeaders>,
  ): Promise<boolean>;

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

  /** Says that the answer, whatever it will be, depends on a header of the request. */
  varyBy(name: string): void {
    this.setHeader('Vary', varying(this.inherited()['vary'], name));
  }

  /** Tells an owner when the response is over, whoever ended it; perhaps twice. */
  onOver(owner: ResponseOwner): void {
    const { raw } = this;
    this.#owner = owner;
    // Bound, and not a closure: what a closure is made in lives as long as it does, and here that is all of the request.
    const onClose = owner.disconnected.bind(owner);
    // The response's `close`, not the request's: a parsed body closes the request early.
    raw.on('close', onClose);
    // A `close` always follows; without a listener the error would end the process.
    raw.on('error', ignore);
    // The response to a pipelined request has no socket until those before it are done, and hears nothing of its end.
    const socket = this.#socket;
    if (!isHttp2(raw) && raw.socket === null && socket !== undefined) onSocketClosed(socket, raw, onClose);
    // Without a connection nothing may ever close.
    if (socket?.setTimeout === undefined) raw.on('finish', onClose);
  }

  /**
   * Sends the head of an event stream, with what the framework has set so far. Resolves to `false` when the client left
   * meanwhile. Rejects while nothing has been sent, so that an exception filter can still answer.
   *
   * @param heads those of the route
   * @param settings those of the stream; `undefined` when it ends at once
   */
  async start(
    heads: HeadCache,
    own: Readonly<Record<string, string | string[]>> | undefined,
    settings?: HeadSettings,
  ): Promise<boolean> {
    const inherited = this.inherited();
    const isCompressible = settings?.compression === true;
    this.isGzip = isCompressible && acceptsGzip(this.#rawRequest.headers['accept-encoding']);
    const encoding = isCompressible ? (this.isGzip ? 'gzip' : 'identity') : undefined;
    const headers = heads.headersOf({ http2: isHttp2(this.raw), inherited, own, encoding });
    this.#hasStarted = true;
    const isOpen = await this.sendHead(headers, inherited);
    // On HTTP/2 it would be the settings of the whole session.
    if (isOpen && !isHttp2(this.raw)) {
      this.#socket?.setTimeout?.(0);
      if (settings !== undefined && (settings.heartbeatMs || Infinity) > KEEP_ALIVE_MS)
        this.#socket?.setKeepAlive?.(true, KEEP_ALIVE_MS);
    }
    if (isOpen && this.isHead) endResponse(this.raw, undefined, this);
    return isOpen;
  }

  /** The response cannot be written to: its owner is told, and nobody else. */
  failed(error: unknown): void {
    destroyResponse(this.raw);
    this.#owner?.writeFailed(error);
  }

  /** Drops the request without an answer. */
  destroy(): void {
    this.#socket?.destroy?.();
  }

  /** Ends the response though its client has left: a session is stored then, and a log line written. */
  abandon(listener: FailureListener = this): void {
    if (this.raw.writableEnded) return;
    try {
      endResponse(this.raw, undefined, listener);
      this.abandoned();
    } catch (error) {
      listener.failed(error);
    }
  }

  /** What the framework does not hear of by itself when a response has ended whose client has left. */
  protected abandoned(): void {
    // Express hears of it.
  }

  protected async writeHead(headers: OutgoingHttpHeaders): Promise<void> {
    const written: unknown = (this.raw as ServerResponse).writeHead(200, headers);
    // A middleware's own may be asynchronous.
    if (isPromise(written)) await written;
  }

  /** Express's way to a further handler, of which there is none any more: 0.8 KB of its router's closures go with it. */
  protected forgetNext(): void {
    const request: { next?: unknown } = this.#rawRequest as object;
    if (request.next !== undefined) request.next = undefined;
  }

  /** Not always one of Node's: without a connection, as in Fastify's `inject()` or behind a serverless wrapper, it has what its maker gave it. */
  get #socket(): Partial<Socket> | undefined {
    return this.#rawRequest.socket;
  }
}

function ignore(): void {
  // See `onOver`.
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
