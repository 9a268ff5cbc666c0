import { randomBytes } from 'node:crypto';
import type { AppendRequest } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import { APPEND_MANY } from './append-many-script.js';
import { APPEND } from './append-script.js';
import { decodePlaces, toArguments } from './codec.js';
import type { Argument } from './driver.js';
import type { RedisLink } from './link.js';

/** Appends that go to the server together. */
export interface AppendCall {
  readonly requests: readonly AppendRequest[];
  /** The number of the first; the others follow it. */
  readonly n: number;
  /** The lowest number that is still wanted. */
  readonly floor: number;
  /** Whether the text of the script goes along. */
  readonly isFull: boolean;
}

/**
 * The positions of those that were stored, now or before; `undefined` stands for one that is no longer wanted. Fewer than were sent: the next
 * one could not be stored with the others. Or it was too early: one before the first is not stored.
 */
export type AppendAnswer = readonly (Position | undefined)[] | 'early';

export interface AppendCallsOptions {
  readonly link: Pick<RedisLink, 'appendNames' | 'evaluate'>;
  readonly inlineBytes: number;
  readonly nextEpoch: () => string;
  /** Told each time what went wrong with publishing. */
  readonly onPublished: (problem: string | undefined) => void;
}

/** The appends of one process, as the server takes them: a lone one in the shortest way, and several in one step. */
export class AppendCalls {
  readonly #options: AppendCallsOptions;
  readonly #inlineBytes: string;
  readonly #node = randomBytes(9).toString('base64url');

  constructor(options: AppendCallsOptions) {
    this.#options = options;
    this.#inlineBytes = String(options.inlineBytes);
  }

  send(call: AppendCall): Promise<AppendAnswer> {
    const [first] = call.requests as [AppendRequest];
    return call.requests.length === 1 ? this.#sendOne(call, first) : this.#sendMany(call);
  }

  async #sendOne({ n, floor, isFull }: AppendCall, request: AppendRequest): Promise<AppendAnswer> {
    const { link, nextEpoch, onPublished } = this.#options;
    const { topic } = request;
    const { keys, channels } = link.appendNames([topic]);
    const event = [topic, bytesOf(request), idOf(request), ...boundsOf(request)];
    const numbers = [this.#node, String(n), String(floor), this.#inlineBytes];
    const reply = await link.evaluate(APPEND, keys, [nextEpoch(), ...event, ...numbers, ...channels], isFull);
    // Numbers are texts where the client has been told to give them so.
    const [status, epoch, seq, at, problem] = reply as [unknown, Buffer, unknown, unknown, Buffer | undefined];
    if (Number(status) === 0) return 'early';
    if (Number(status) !== 1) return [undefined];
    onPublished(problem?.toString());
    return [{ epoch: epoch.toString(), seq: Number(seq), at: Number(at) }];
  }

  async #sendMany({ requests, n, floor, isFull }: AppendCall): Promise<AppendAnswer> {
    const { link, nextEpoch, onPublished } = this.#options;
    const { topics, series, events } = gather(requests);
    const { keys, channels } = link.appendNames(topics);
    const counts = [String(topics.length), String(requests.length)];
    const numbers = [nextEpoch(), this.#node, String(n), String(floor), this.#inlineBytes, ...counts];
    const reply = await link.evaluate(APPEND_MANY, keys, [...numbers, ...series, ...events, ...channels], isFull);
    const [status, epoch, places, problem] = reply as [unknown, Buffer, Buffer, Buffer | undefined];
    if (Number(status) === 0) return 'early';
    onPublished(problem?.toString());
    return decodePlaces(epoch.toString(), places);
  }
}

/** Events of one topic and one retention are a series, so that what they have in common is sent once. */
function gather(requests: readonly AppendRequest[]): { topics: string[]; series: string[]; events: Argument[] } {
  const topics: string[] = [];
  const series: string[] = [];
  const events: Argument[] = [];
  const numbers = new Map<string, number>();
  const firsts: AppendRequest[] = [];
  for (const request of requests) {
    const { topic, retention } = request;
    let number = numbers.get(topic);
    if (number === undefined || firsts[number - 1]?.retention !== retention) {
      number = firsts.push(request);
      numbers.set(topic, number);
      topics.push(topic);
      series.push(topic, ...boundsOf(request));
    }
    events.push(String(number), bytesOf(request), idOf(request));
  }
  return { topics, series, events };
}

function bytesOf({ data }: AppendRequest): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** With a sign before it, so that there is one of no characters. */
function idOf({ id }: AppendRequest): string {
  return id === undefined ? '' : `=${id}`;
}

function boundsOf({ retention }: AppendRequest): string[] {
  const { maxEvents, maxBytes, maxAgeMs } = retention;
  return toArguments(maxEvents, maxBytes, maxAgeMs);
}
