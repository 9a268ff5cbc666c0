import { Injectable } from '@nestjs/common';
import { EventStreamService, InjectTopic, type SseConnection, type TopicFamily } from 'nestjs-event-stream';
import type { Socket } from 'node:net';
import { benchTopic } from './bench.topic.js';

/** Guards the memory: the counts of pages that nobody has used for long are forgotten first. */
const MAX_PAGES = 1_000;

@Injectable()
export class BenchService {
  readonly #published = new Map<string, number>();

  constructor(
    @InjectTopic(benchTopic) private readonly bench: TopicFamily<typeof benchTopic>,
    private readonly streams: EventStreamService,
  ) {}

  async publish(page: string, count: number): Promise<{ published: number }> {
    const topic = this.bench({ page });
    const first = this.#take(page, count);
    const numbers = Array.from({ length: count }, (_, i) => first + i);
    await Promise.all(numbers.map((n) => topic.publish({ type: 'number', data: { n } })));
    return { published: first + count - 1 };
  }

  /** Says goodbye: the streams end in good order, and their clients come back by themselves. */
  end(page: string): void {
    for (const connection of this.#connectionsOf(page)) connection.close({ reconnect: true });
  }

  /** Pulls the plug, as a crashed proxy or a lost network would. */
  destroy(page: string): void {
    for (const connection of this.#connectionsOf(page)) (connection.request.socket as Socket).destroy();
  }

  #connectionsOf(page: string): SseConnection[] {
    const { name } = this.bench({ page });
    return this.streams.connections.list().filter((connection) => connection.topics.includes(name));
  }

  /** Takes the page's next numbers, and returns the first of them. */
  #take(page: string, count: number): number {
    const before = this.#published.get(page) ?? 0;
    this.#published.delete(page);
    this.#published.set(page, before + count);
    const [oldest] = this.#published.keys();
    if (this.#published.size > MAX_PAGES && oldest !== undefined) this.#published.delete(oldest);
    return before + 1;
  }
}
