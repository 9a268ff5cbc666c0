import type { Heads, Listing, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import { holesOf, readPage } from '../engine/kit/page.js';
import type { Found } from '../engine/kit/page.js';
import type { Position } from '../topic/position.js';
import type { Call } from './calls.js';
import { decodeEntry, decodeHead, decodeLane, toArguments } from './codec.js';
import type { RedisLink } from './link.js';
import { READ } from './read-script.js';
import type { Script } from './script.js';
import { LIST, LOCATE, OPEN } from './scripts.js';

type PageReply = [
  lane: Buffer,
  newest: Buffer,
  unknown: number[],
  trimmed: number[],
  more: number,
  found: (number | Buffer)[],
];

/** Answers questions about the log, each with one script and therefore of one moment. */
export class RedisReader {
  readonly #link: RedisLink;
  readonly #nextEpoch: () => string;

  constructor(link: RedisLink, nextEpoch: () => string) {
    this.#link = link;
    this.#nextEpoch = nextEpoch;
  }

  read(call: Call, request: ReadRequest): Promise<ReadPage> {
    return readPage(request, (topics, after) => this.#find(call, topics, after, request));
  }

  async locate(call: Call, topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    const asked = [...new Set(topics)];
    const keys = asked.flatMap((topic) => [this.#link.key(`log:${topic}`), this.#link.key(`ids:${topic}`)]);
    const reply = await this.#evaluate(call, LOCATE, keys, [id, ...asked]);
    const [epoch, ...numbers] = reply as [Buffer, ...unknown[]];
    const [count = 0, seq = 0, at = 0] = numbers.map(Number);
    if (count > 1) return 'ambiguous';
    return count === 0 ? undefined : { epoch: epoch.toString(), seq, at };
  }

  async list(call: Call, prefix: string): Promise<Listing> {
    const reply = await this.#evaluate(call, LIST, [this.#link.key('names')], [prefix]);
    const [lane, names] = reply as [Buffer, Buffer[]];
    const { head, forgotten } = decodeLane(lane);
    return { names: names.map((name) => name.toString()), upTo: head, forgottenUpTo: forgotten };
  }

  async heads(call: Call, topics: readonly string[]): Promise<Heads> {
    const fields = topics.map((topic) => `t${topic}`);
    for (;;) {
      const reply = await this.#link.send(call, ['HMGET', this.#link.key('lane'), 'l', ...fields]);
      const [lane, ...heads] = reply as (Buffer | null)[];
      if (lane) {
        return { upTo: decodeLane(lane).head, topics: heads.map((head) => (head ? decodeHead(head) : undefined)) };
      }
      await this.head(call);
    }
  }

  /** The head of the lane, which is opened if there is none. */
  async head(call: Call): Promise<Position> {
    return decodeLane((await this.#evaluate(call, OPEN, [], [])) as Buffer).head;
  }

  async #find(
    call: Call,
    topics: string[],
    after: number | undefined,
    { excerpt, maxEntries, maxBytes }: ReadRequest,
  ): Promise<Found> {
    const logs = topics.map((topic) => this.#link.key(`log:${topic}`));
    const bounds = toArguments(after ?? 0, maxEntries, maxBytes);
    const leftOut = excerpt === undefined ? [] : toArguments(excerpt.upTo, excerpt.last, excerpt.since);
    const reply = await this.#evaluate(call, READ, logs, [...bounds, ...topics, ...leftOut]);
    const [lane, newest, unknown, trimmed, more, found] = reply as PageReply;
    const named = (numbers: number[]): string[] => numbers.map((number) => topics[number - 1] as string);
    const entries: LogEntry[] = [];
    for (let n = 0; n < found.length; n += 2) {
      entries.push(decodeEntry(topics[Number(found[n]) - 1] as string, found[n + 1] as Buffer));
    }
    return {
      head: decodeLane(lane).head,
      entries,
      isCut: Number(more) === 1,
      holes: holesOf(named(trimmed), named(unknown)),
      newestAt: newest.length > 0 ? Number(newest) : undefined,
    };
  }

  /** Runs a script that may have to open the lane. */
  #evaluate(call: Call, script: Script, keys: string[], args: string[]): Promise<unknown> {
    return this.#link.run(call, script, [this.#link.key('lane'), ...keys], [this.#nextEpoch(), ...args]);
  }
}
