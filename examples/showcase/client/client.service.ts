import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  EventStreamService,
  InjectTopic,
  type EndReason,
  type SseConnection,
  type TopicFamily,
} from 'nestjs-event-stream';
import type { Socket } from 'node:net';
import { clientTopic, KEPT } from './client.topic.js';

/** Longer than the heartbeat of the route, so that there are some. */
const NUMBER_EVERY_MS = 1_200;
/** Who comes back within it finds that its numbers have gone on. */
const AWAY_MS = 60_000;
/** How many numbers come while the page is away. */
const MISSED = 5;
/** Guards the memory: visitors who have not been here for long are forgotten first. */
const MAX_VISITORS = 1_000;

interface Visitor {
  published: number;
  /** The last number that is stored, and its place: the state of this example. */
  state: { n: number; lastEventId: string } | undefined;
  tokens: number;
  isTokenGood: boolean;
  /** What the next request is answered with. */
  answer: 403 | 503 | undefined;
  seenAt: number;
}

/** Numbers for each visitor, and the ways in which its stream can be disturbed. */
@Injectable()
export class ClientService implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #visitors = new Map<string, Visitor>();
  readonly #logger = new Logger('ClientService');
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectTopic(clientTopic) private readonly numbers: TopicFamily<typeof clientTopic>,
    private readonly streams: EventStreamService,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.#count(), NUMBER_EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /** A number and the place behind it. Whoever streams from there gets each number that follows. */
  async stateOf(name: string): Promise<{ n: number; lastEventId: string }> {
    const visitor = this.#visitor(name);
    if (!visitor.state) await this.#publish(name);
    return visitor.state!;
  }

  newToken(name: string): { token: string } {
    const visitor = this.#visitor(name);
    visitor.tokens += 1;
    visitor.isTokenGood = true;
    return { token: tokenOf(name, visitor) };
  }

  isToken(name: string, authorization: string | undefined): boolean {
    const visitor = this.#visitor(name);
    return visitor.isTokenGood && authorization === `Bearer ${tokenOf(name, visitor)}`;
  }

  takeAnswer(name: string): { answer: Visitor['answer'] } {
    const visitor = this.#visitor(name);
    const { answer } = visitor;
    visitor.answer = undefined;
    return { answer };
  }

  /** Pulls the plug, as a crashed proxy or a lost network would. */
  async cut(name: string, missed = MISSED): Promise<void> {
    for (const socket of this.#socketsOf(name)) socket.destroy();
    await this.#publish(name, missed);
  }

  /** The connections stay, and nothing is written to them any more: no heartbeat either. */
  async silence(name: string): Promise<void> {
    for (const socket of this.#socketsOf(name)) socket.cork();
    await this.#publish(name, MISSED);
  }

  /** What a server does to its streams when it is restarted. */
  shutdown(name: string): Promise<void> {
    return this.#end(name, 'shutdown');
  }

  lifetime(name: string): Promise<void> {
    return this.#end(name, 'lifetime');
  }

  complete(name: string): Promise<void> {
    return this.#end(name, 'complete');
  }

  /** The token is good no longer: the stream ends, and with the same one nobody gets in. */
  expire(name: string): Promise<void> {
    this.#visitor(name).isTokenGood = false;
    return this.#end(name, 'expired');
  }

  /** Tells whoever reads that the topic has failed. It goes on all the same. */
  async fail(name: string): Promise<void> {
    await this.numbers({ visitor: name }).error(new Error('The page has asked for a failure'));
    await this.#publish(name, MISSED);
  }

  /** More is published than is kept, while nobody listens. */
  trim(name: string): Promise<void> {
    return this.cut(name, KEPT + 1);
  }

  busy(name: string): Promise<void> {
    this.#visitor(name).answer = 503;
    return this.lifetime(name);
  }

  forbid(name: string): Promise<void> {
    this.#visitor(name).answer = 403;
    return this.lifetime(name);
  }

  async #end(name: string, reason: EndReason): Promise<void> {
    for (const connection of this.#connectionsOf(name)) connection.close({ reason });
    await this.#publish(name, MISSED);
  }

  /** The next number of everyone who is here, or was just now. */
  #count(): void {
    const now = Date.now();
    const read = new Set(this.streams.connections.list().flatMap(({ topics }) => topics));
    for (const [name, visitor] of this.#visitors) {
      if (read.has(this.numbers({ visitor: name }).name)) visitor.seenAt = now;
      if (now - visitor.seenAt > AWAY_MS) continue;
      this.#publish(name).catch((error: Error) => this.#logger.error(`Not published: ${error.message}`));
    }
  }

  async #publish(name: string, count = 1): Promise<void> {
    const visitor = this.#visitors.get(name) ?? this.#visitor(name);
    const topic = this.numbers({ visitor: name });
    const publishing = Array.from({ length: count }, async () => {
      const n = ++visitor.published;
      const { id } = await topic.publish({ type: 'number', data: { n, at: Date.now() } });
      if (n > (visitor.state?.n ?? 0)) visitor.state = { n, lastEventId: id };
    });
    await Promise.all(publishing);
  }

  #connectionsOf(name: string): SseConnection[] {
    const topic = this.numbers({ visitor: name }).name;
    return this.streams.connections.list().filter(({ topics }) => topics.includes(topic));
  }

  #socketsOf(name: string): Socket[] {
    return this.#connectionsOf(name).map(({ request }) => request.socket as Socket);
  }

  #visitor(name: string): Visitor {
    const visitor = this.#visitors.get(name) ?? newVisitor();
    visitor.seenAt = Date.now();
    this.#visitors.delete(name);
    this.#visitors.set(name, visitor);
    const [oldest] = this.#visitors.keys();
    if (this.#visitors.size > MAX_VISITORS && oldest !== undefined) this.#visitors.delete(oldest);
    return visitor;
  }
}

function newVisitor(): Visitor {
  return { published: 0, state: undefined, tokens: 0, isTokenGood: false, answer: undefined, seenAt: 0 };
}

function tokenOf(name: string, { tokens }: Visitor): string {
  return `${name}.${tokens}`;
}
