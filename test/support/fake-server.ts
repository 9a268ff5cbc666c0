import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { until } from './until.js';

/** A request as it has come, with its body. */
export interface FakeRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** By `performance.now()`. */
  readonly at: number;
}

/** What a server does with a request; `n` counts them from 0. */
export type FakeAnswer = (response: ServerResponse, request: FakeRequest, n: number) => unknown;

/** A server that answers as a test says, counts what it is asked, and knows what is open; to be held with `await using`. */
export class FakeServer {
  readonly requests: FakeRequest[] = [];
  /** Answers, begun or not, whose connection is open still. */
  readonly open = new Set<ServerResponse>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(public answer: FakeAnswer) {
    this.#server = createServer((request, response) => {
      // A connection that is kept would look like one that was left open.
      response.shouldKeepAlive = false;
      this.open.add(response);
      response.on('close', () => this.open.delete(response));
      void this.#serve(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(answer: FakeAnswer): Promise<FakeServer> {
    const server = new FakeServer(answer);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/stream`;
  }

  /** What each request has asked to go on from. */
  get places(): readonly (string | undefined)[] {
    return this.requests.map(({ headers }) => headers['last-event-id'] as string | undefined);
  }

  /** Between the requests, in ms. */
  get gaps(): readonly number[] {
    return this.requests.slice(1).map(({ at }, n) => at - this.requests[n]!.at);
  }

  async asked(count: number, deadlineMs?: number): Promise<void> {
    await until(() => this.requests.length >= count, `${count} requests`, deadlineMs);
  }

  /** Waits until nobody is connected for an answer. (Node 20 to 24 connect anew behind one that is cancelled, and ask nothing.) */
  async left(deadlineMs?: number): Promise<void> {
    await until(() => this.open.size === 0, 'the connections to be closed', deadlineMs);
  }

  /** Writes to every open stream. */
  say(text: string): void {
    for (const response of this.open) response.write(text);
  }

  /** Ends every connection with a reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Accepts no connection any more, until `listen()`. */
  async stop(): Promise<number> {
    const { port } = this;
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
    return port;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    // A client that leaves while it asks has asked nothing.
    const isWhole = await once(request, 'end').then(
      () => true,
      () => false,
    );
    if (!isWhole) return;
    const { method = '', url = '', headers } = request;
    const asked: FakeRequest = { method, url, headers, body, at };
    await this.answer(response, asked, this.requests.push(asked) - 1);
  }
}

/** Begins a stream. */
export function begin(response: ServerResponse, text = '', headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
  response.flushHeaders();
  if (text) response.write(text);
}

/** Answers with a status and no more. */
export function answer(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end();
}
