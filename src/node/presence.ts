import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { apart } from '../engine/apart.js';
import type { OwnTopic } from '../hub/own-topic.js';

/** A principal that reads a topic. */
export interface Member {
  readonly id: string;
  /** How many streams it reads the topic with. */
  readonly connections: number;
}

/** Who reads a topic. */
export interface Presence {
  /** How many streams read it, on the nodes that have answered. */
  readonly count: number;
  /** How many nodes have answered. */
  readonly answered: number;
  /** How many nodes there are. A node that has died without a word is counted for up to 15 s. */
  readonly expected: number;
  /** The principals among them, when they were asked for; who was not authenticated is in `count` only. */
  readonly members?: readonly Member[] | undefined;
}

/** Whose streams are meant: all that fit what is given. */
export interface ConnectionSelector {
  readonly id?: string | undefined;
  readonly principalId?: string | undefined;
  /** A name or pattern that the stream reads. */
  readonly topic?: string | undefined;
}

export interface CloseOptions {
  /**
   * Whether the clients shall come back.
   *
   * @default false
   */
  readonly reconnect?: boolean | undefined;
}

/** What one process does for the others. */
export interface LocalNode {
  readonly id: string;
  count(topic: string): number;
  members(topic: string): readonly Member[];
  close(selector: ConnectionSelector, options: CloseOptions): void;
}

export type NodeMessage = { readonly node: string } & (
  | { readonly op: 'hello' | 'here' | 'gone' }
  | { readonly op: 'count'; readonly request: string; readonly topic: string; readonly members: boolean }
  | { readonly op: 'members'; readonly request: string; readonly members: readonly Member[] }
  | { readonly op: 'counted'; readonly request: string; readonly count: number }
  | { readonly op: 'close'; readonly selector: ConnectionSelector; readonly options: CloseOptions }
);

type Message<Op extends NodeMessage['op']> = Extract<NodeMessage, { readonly op: Op }>;
type Untold<T> = T extends unknown ? Omit<T, 'node'> : never;

interface Question {
  readonly answers: Map<string, number>;
  readonly members: Map<string, number>;
  look(): void;
}

const HEARTBEAT_MS = 5_000;
const LOST_AFTER_MS = 15_000;
/** Members that go into one message: engines have limits. */
const MEMBERS_AT_ONCE = 1_000;

/** The processes that share a log: who they are, and what they ask of each other. Times are of this process's own clock. */
export class Nodes {
  readonly #local: LocalNode;
  readonly #topic: OwnTopic<NodeMessage>;
  readonly #report: (error: unknown) => void;
  /** When each other node was heard of last. */
  readonly #heardAt = new Map<string, number>();
  readonly #questions = new Map<string, Question>();
  readonly #closing = new AbortController();
  #started: Promise<void> | undefined;

  /** @param report hears of messages that could not be sent */
  constructor(local: LocalNode, topic: OwnTopic<NodeMessage>, report: (error: unknown) => void) {
    this.#local = local;
    this.#topic = topic;
    this.#report = report;
  }

  /** Begins to answer. Resolves when the other nodes have been heard. */
  start(): Promise<void> {
    if (this.#started === undefined) {
      this.#started = apart(() => this.#start());
      this.#started.catch(this.#report);
    }
    return this.#started;
  }

  /** Asks every node, and waits until all have answered or the time is over. */
  async presence(topic: string, wantsMembers: boolean, timeoutMs: number): Promise<Presence> {
    await this.start();
    const request = randomUUID();
    const answers = new Map([[this.#local.id, this.#local.count(topic)]]);
    const members = new Map<string, number>();
    if (wantsMembers) addMembers(members, this.#local.members(topic));
    const done = new AbortController();
    const look = (): void => {
      if (this.#live().every((node) => answers.has(node))) done.abort();
    };
    this.#questions.set(request, { answers, members, look });
    try {
      await this.#send({ op: 'count', request, topic, members: wantsMembers });
      look();
      const signal = AbortSignal.any([done.signal, this.#closing.signal]);
      await delay(timeoutMs, undefined, { signal }).catch(ignore);
    } finally {
      this.#questions.delete(request);
    }
    return {
      count: [...answers.values()].reduce((sum, count) => sum + count, 0),
      answered: answers.size,
      expected: new Set([...answers.keys(), ...this.#live()]).size,
      ...(wantsMembers && { members: [...members].map(([id, connections]) => ({ id, connections })) }),
    };
  }

  /** Has the other nodes end streams. */
  async close(selector: ConnectionSelector, options: CloseOptions): Promise<void> {
    await this.#send({ op: 'close', selector, options });
  }

  /** Says good-bye, so that nobody waits for this node. */
  async stop(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    if (this.#started !== undefined) await this.#send({ op: 'gone' }).catch(ignore);
    this.#topic.close();
  }

  /**
   * @param atMs when it was said
   * @param isRetained whether that was before this node had come
   */
  take(message: NodeMessage, atMs: number, isRetained: boolean): void {
    const { node } = message;
    if (typeof node !== 'string' || node === this.#local.id) return;
    if (message.op === 'gone') return this.#forget(node);
    const isRecent = Date.now() - atMs < LOST_AFTER_MS;
    if (isRecent || !isRetained) this.#heardAt.set(node, performance.now());
    // What was asked just now waits for the answer of whoever says hello meanwhile.
    if (isRetained) return void (isRecent && message.op === 'count' && this.#answer(message));
    if (message.op === 'hello') this.#tell({ op: 'here' });
    else if (message.op === 'count') this.#answer(message);
    else if (message.op === 'close') this.#local.close(message.selector, message.options);
    else if (message.op === 'members' || message.op === 'counted') this.#note(message);
  }

  async #start(): Promise<void> {
    await this.#topic.load();
    await this.#send({ op: 'hello' });
    void this.#beat();
  }

  async #beat(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await delay(HEARTBEAT_MS * (0.8 + Math.random() / 5), undefined, { ref: false, signal }).catch(ignore);
      if (signal.aborted) return;
      // The next one tells the same: a missed heartbeat is nothing to report.
      await this.#send({ op: 'here' }).catch(ignore);
    }
  }

  /** The other nodes that are alive, as far as is known. */
  #live(): string[] {
    const before = performance.now() - LOST_AFTER_MS;
    for (const [node, heardAt] of this.#heardAt) if (heardAt < before) this.#heardAt.delete(node);
    return [...this.#heardAt.keys()];
  }

  #forget(node: string): void {
    this.#heardAt.delete(node);
    for (const question of this.#questions.values()) question.look();
  }

  #answer({ request, topic, members }: Message<'count'>): void {
    const all = members ? this.#local.members(topic) : [];
    for (let from = 0; from < all.length; from += MEMBERS_AT_ONCE) {
      this.#tell({ op: 'members', request, members: all.slice(from, from + MEMBERS_AT_ONCE) });
    }
    this.#tell({ op: 'counted', request, count: this.#local.count(topic) });
  }

  #note(message: Message<'members'> | Message<'counted'>): void {
    const question = this.#questions.get(message.request);
    if (question === undefined) return;
    if (message.op === 'members') return addMembers(question.members, message.members);
    question.answers.set(message.node, message.count);
    question.look();
  }

  #tell(message: Untold<NodeMessage>): void {
    this.#send(message).catch(this.#report);
  }

  async #send(message: Untold<NodeMessage>): Promise<void> {
    await this.#topic.send({ ...message, node: this.#local.id });
  }
}

function addMembers(counts: Map<string, number>, members: readonly Member[]): void {
  for (const { id, connections } of members) counts.set(id, (counts.get(id) ?? 0) + connections);
}

function ignore(): void {
  // All have answered, the process is closing, or the engine is away: that is told elsewhere.
}
