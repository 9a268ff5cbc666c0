import type { Access } from '../access/access.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { Stream } from '../connection/stream.js';
import { concerns } from '../topic/pattern.js';
import type { CloseOptions, ConnectionSelector, LocalNode, Member } from './presence.js';

/** The streams of this process that are open: who reads what, and how they are ended from outside. */
export class OpenStreams implements LocalNode, Iterable<Stream> {
  readonly id: string;
  readonly #access: Access;
  readonly #streams = new Set<Stream>();

  /** @param id names this process among those that share its log */
  constructor(id: string, access: Access) {
    this.id = id;
    this.#access = access;
  }

  get size(): number {
    return this.#streams.size;
  }

  [Symbol.iterator](): Iterator<Stream> {
    return this.#streams.values();
  }

  add(stream: Stream): void {
    this.#streams.add(stream);
  }

  delete(stream: Stream): void {
    this.#streams.delete(stream);
  }

  /** As users see them. */
  list(): SseConnection[] {
    return [...this].map(({ connection }) => connection);
  }

  /** How many read a topic here. */
  count(topic: string): number {
    let count = 0;
    for (const { topics } of this) if (concerns(topic, topics.names)) count++;
    return count;
  }

  /** Who reads a topic here. */
  members(topic: string): Member[] {
    const counts = new Map<string, number>();
    for (const { principal, topics } of this) {
      if (principal === null || !concerns(topic, topics.names)) continue;
      counts.set(principal.id, (counts.get(principal.id) ?? 0) + 1);
    }
    return [...counts].map(([id, connections]) => ({ id, connections }));
  }

  /** Ends those here that are meant. */
  close({ id, principalId, topic }: ConnectionSelector, { reconnect = false }: CloseOptions): void {
    for (const stream of [...this]) {
      const isMeant =
        (id === undefined || stream.id === id) &&
        (principalId === undefined || stream.principal?.id === principalId) &&
        concerns(topic, stream.topics.names);
      if (isMeant) stream.end('closed', { reconnect });
    }
  }

  /** Ends those of a principal that it may not read any more. */
  endRevoked(principalId: string): void {
    for (const stream of [...this]) {
      if (stream.principal?.id === principalId && this.#access.isRevoked(stream, stream.topics.names))
        stream.end('revoked');
    }
  }
}
