import type { OutgoingHttpHeaders } from 'node:http';
import { Exchange } from './exchange.js';
import { Handover } from './handover.js';
import type { StreamHeaders } from './headers.js';
import type { RawResponse } from './raw-response.js';

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

/** On Fastify. */
export class FastifyExchange extends Exchange {
  /** Whether a framework's response is a reply of Fastify. */
  static isReply(response: object): boolean {
    return 'hijack' in response;
  }

  sendNoContent(): void {
    this.#reply.code(204);
    this.#reply.send();
  }

  protected inherited(): Readonly<OutgoingHttpHeaders> {
    return this.#reply.getHeaders();
  }

  setHeader(name: string, value: string | string[]): void {
    this.#reply.header(name, value);
  }

  /**
   * Sends the head through Fastify, so that its `onSend` hooks run: a plugin such as `@fastify/cookie` adds its headers
   * there. Fastify then pipes what was sent into the response, and that call is where this module takes over.
   */
  protected async sendHead(
    headers: Readonly<StreamHeaders>,
    inherited: Readonly<OutgoingHttpHeaders>,
  ): Promise<boolean> {
    const reply = this.#reply;
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
    await this.writeHead(head);
    reply.hijack();
    return true;
  }

  /**
   * Fastify runs its `onResponse` hooks at `finish`, which never comes over HTTP/1 when the client has left. (Over HTTP/2 Node emits it
   * all the same.) It cannot be emitted for it: Node would let go of the socket twice.
   */
  protected override abandoned(): void {
    for (const listener of this.raw.listeners('finish')) if (listener.name === 'onResFinished') listener.call(this.raw);
  }

  get #reply(): FastifyReply {
    return this.response as FastifyReply;
  }
}
