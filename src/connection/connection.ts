import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import type { EndReason } from '../wire/words.js';
import type { Selection } from './selection.js';
import type { SseConnection } from './sse-connection.js';
import { selectorsOf } from './topic-set.js';

/** What of a stream users may reach. */
export interface ReachableStream extends Omit<SseConnection, 'topics' | 'subscribe' | 'unsubscribe' | 'close'> {
  readonly topics: {
    readonly names: readonly string[];
    admit(selectors: readonly string[]): Promise<void>;
    select(selectors: readonly string[]): Promise<void>;
    leave(selectors: readonly string[]): void;
  };
  end(reason: EndReason, how: { readonly reconnect?: boolean | undefined }): void;
}

/** A stream as users see it: nothing else of it can be reached from here. Made when somebody asks for it. */
export class Connection implements SseConnection {
  readonly #stream: ReachableStream;

  constructor(stream: ReachableStream) {
    this.#stream = stream;
  }

  get id(): string {
    return this.#stream.id;
  }

  get principal(): Principal | null {
    return this.#stream.principal;
  }

  get address(): string | undefined {
    return this.#stream.address;
  }

  get request(): StreamRequest {
    return this.#stream.request;
  }

  get lastEventId(): string | undefined {
    return this.#stream.lastEventId;
  }

  get signal(): AbortSignal {
    return this.#stream.signal;
  }

  get topics(): readonly string[] {
    return this.#stream.topics.names;
  }

  send(event: SseEvent | SseNotice): void {
    this.#stream.send(event);
  }

  async subscribe(topic: string | Selection): Promise<void> {
    const selectors = selectorsOf(topic);
    await this.#stream.topics.admit(selectors);
    await this.#stream.topics.select(selectors);
  }

  unsubscribe(topic: string | Selection): void {
    this.#stream.topics.leave(selectorsOf(topic));
  }

  close({ reason = 'closed', reconnect }: Parameters<SseConnection['close']>[0] = {}): void {
    this.#stream.end(reason, { reconnect });
  }
}
