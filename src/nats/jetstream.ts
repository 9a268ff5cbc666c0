import { before, pause } from '../engine/kit/deadline.js';
import { SseError } from '../errors.js';
import { createEpoch } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type { NatsMessage } from './driver.js';
import type { Call, NatsLink } from './link.js';
import type { NatsSettings } from './options.js';
import { countBeyond, scan } from './scan.js';
import type { ScanRequest } from './scan.js';
import { UnavailableError, directOf, isNobodyThere, millisecondsOf, parse, storedOf } from './stored-message.js';
import type { ApiError, StoredMessage } from './stored-message.js';
import { Subjects } from './subjects.js';
import { takeTurn } from './turn.js';

/** The log as its server described it at one moment. */
export interface StreamState {
  readonly subjects: Subjects;
  readonly head: Position;
  /** Every message beyond this sequence is still there, but for those that newer ones of their own topic have pushed out. */
  readonly goneUpTo: number;
  /** How many messages there are. */
  readonly messages: number;
  /** How many messages of each topic the server keeps. */
  readonly keptPerTopic: number;
}

/** Which message: a sequence, the newest of a subject, or the first of a subject at or beyond a sequence. */
export type MessageQuery =
  | { readonly seq: number }
  | { readonly last_by_subj: string }
  | { readonly seq: number; readonly next_by_subj: string };

interface StreamInfo {
  readonly error?: ApiError;
  readonly config: {
    readonly max_msgs_per_subject: number;
    readonly max_msg_size?: number;
    readonly num_replicas: number;
    readonly republish?: { readonly dest?: string };
    readonly subjects?: readonly string[];
  };
  readonly state: {
    readonly messages: number;
    readonly first_seq: number;
    readonly last_seq: number;
    readonly last_ts: string;
    readonly subjects?: Readonly<Record<string, number>> | null;
  };
  readonly total?: number;
}

/** How many messages there are of each subject of a topic, and the log as it was no later. */
export interface TopicCounts {
  readonly state: StreamState;
  readonly counts: ReadonlyMap<string, number>;
}

/** The server's clock, as a difference to `performance.now()`, and when it was asked. */
interface ServerClock {
  readonly offset: number;
  readonly askedAt: number;
}

const UNAVAILABLE: { readonly error: ApiError } = { error: { code: 503 } };
const NOT_FOUND = 10_059;
const NAME_IN_USE = 10_058;
const DUPLICATE_WINDOW_MS = 120_000;
const RETRY_MS = 50;
/** Longer than any clock drifts by what matters here. */
const CLOCK_MS = 60_000;
const NS_PER_MS = 1_000_000;
const NOTHING = new Uint8Array();

/** The JetStream API, as far as the log needs it. Every answer is that of the stream's leader. */
export class JetStream {
  readonly #link: NatsLink;
  readonly #settings: NatsSettings;
  readonly #signal: AbortSignal;
  #isReplicated = false;
  #maxMessageBytes = Infinity;
  #clock: Promise<ServerClock> | undefined;
  #creating: Promise<void> | undefined;

  constructor(link: NatsLink, settings: NatsSettings, signal: AbortSignal) {
    this.#link = link;
    this.#settings = settings;
    this.#signal = signal;
  }

  get isReplicated(): boolean {
    return this.#isReplicated;
  }

  /** How many bytes a message may have for the server, with its headers: its default until it has said so. */
  get maxPayload(): number {
    return this.#link.maxPayload;
  }

  /** And for the stream. */
  get maxMessageBytes(): number {
    return this.#maxMessageBytes;
  }

  /** Describes the log, and makes it when there is none. Waits until the server can tell. */
  async state(deadline: number): Promise<StreamState> {
    return this.#stateOf(await this.#info('', deadline));
  }

  /** All subjects of topics that have a message. */
  async topics(deadline: number): Promise<TopicCounts> {
    const { subjects: subjectsOf } = await this.state(deadline);
    const counts = new Map<string, number>();
    let state: StreamState | undefined;
    for (let offset = 0, total = 1; offset < total;) {
      const info = await this.#info(JSON.stringify({ subjects_filter: subjectsOf.topics, offset }), deadline);
      state ??= this.#stateOf(info);
      const found = Object.entries(info.state.subjects ?? {});
      for (const [subject, count] of found) counts.set(subject, count);
      offset += found.length;
      total = found.length === 0 ? 0 : (info.total ?? 0);
    }
    return { state: state as StreamState, counts };
  }

  /** `undefined` when there is no such message. */
  async get(query: MessageQuery, deadline: number): Promise<StoredMessage | undefined> {
    const { apiPrefix, stream } = this.#settings;
    // With replicas the direct way may be answered by one that does not have the newest messages yet.
    const reply = this.#isReplicated
      ? undefined
      : await this.#ask(`${apiPrefix}.DIRECT.GET.${stream}`, query, deadline);
    const direct = reply && directOf(reply);
    if (direct !== undefined) return direct === 'none' ? undefined : direct;
    return storedOf(await this.#ask(`${apiPrefix}.STREAM.MSG.GET.${stream}`, query, deadline));
  }

  /** The messages of a subject from a sequence on, as far as they are quick to have: to be gone on from with {@link get}. */
  scan(request: ScanRequest, deadline: number): AsyncGenerator<StoredMessage[]> {
    return scan(this.#link, this.#settings, request, deadline);
  }

  /** How many messages of a subject there are beyond a sequence. */
  async countBeyond(subject: string, seq: number, deadline: number): Promise<number> {
    const count = await countBeyond(this.#link, this.#settings, subject, seq, deadline);
    if (count === undefined) throw new UnavailableError('The server does not count');
    return count;
  }

  /** The server's clock in ms since 1970. */
  async now(deadline: number): Promise<number> {
    const known = await this.#clock?.catch(() => undefined);
    if (known !== undefined && performance.now() - known.askedAt < CLOCK_MS) return timeOf(known);
    this.#clock = this.#askClock(deadline);
    return timeOf(await this.#clock);
  }

  /** No API of the older servers tells the time, but what they create has one: here a consumer of nothing. */
  async #askClock(deadline: number): Promise<ServerClock> {
    const { apiPrefix, stream } = this.#settings;
    const config = { ack_policy: 'none', deliver_policy: 'new', mem_storage: true, num_replicas: 1 };
    const request = { stream_name: stream, config: { ...config, inactive_threshold: 1_000 * NS_PER_MS } };
    const sentAt = performance.now();
    const reply = await this.#ask(`${apiPrefix}.CONSUMER.CREATE.${stream}`, request, deadline);
    const askedAt = performance.now();
    const { name, created } = parse(reply) as { name?: string; created?: string };
    if (name === undefined || created === undefined) throw new UnavailableError('The server does not tell the time');
    const deletion = this.#ask(`${apiPrefix}.CONSUMER.DELETE.${stream}.${name}`, undefined, deadline);
    // It goes by itself when this fails.
    deletion.catch(() => undefined);
    return { offset: millisecondsOf(created) - (sentAt + askedAt) / 2, askedAt };
  }

  async #info(request: string, deadline: number): Promise<StreamInfo> {
    const { apiPrefix, stream } = this.#settings;
    for (;;) {
      const reply = await this.#link.request(call(`${apiPrefix}.STREAM.INFO.${stream}`, request, deadline));
      const info = isNobodyThere(reply) ? UNAVAILABLE : (parse(reply) as StreamInfo);
      if (info.error === undefined) return info as StreamInfo;
      if (info.error.err_code === NOT_FOUND) await this.#createInTurn(deadline);
      else if (info.error.code !== 503) throw this.#refusal(info.error);
      else await pause(RETRY_MS, this.#signal);
    }
  }

  /** Makes the stream, or leaves that to a node that is about to. */
  async #createInTurn(deadline: number): Promise<void> {
    const { prefix, apiPrefix, stream } = this.#settings;
    const create = async (): Promise<void> => {
      // Whoever had its turn before may have made it.
      const reply = await this.#link.request(call(`${apiPrefix}.STREAM.INFO.${stream}`, '', deadline));
      const { error } = isNobodyThere(reply) ? UNAVAILABLE : (parse(reply) as StreamInfo);
      if (error?.err_code === NOT_FOUND) await this.#create(deadline);
    };
    this.#creating ??= takeTurn(this.#link, `${prefix}.c`, deadline, this.#signal, create)
      .catch((error: unknown) => {
        // When the connection broke meanwhile, the caller asks again as soon as there is one.
        if (SseError.is(error)) throw error;
        return false;
      })
      .then((isDone) => (isDone ? undefined : pause(RETRY_MS, this.#signal)))
      .finally(() => (this.#creating = undefined));
    await before(deadline, this.#creating);
  }

  async #create(deadline: number): Promise<void> {
    const { apiPrefix, stream, prefix, storage, replicas, maxAgeMs, maxEventsPerTopic, maxTotalBytes } = this.#settings;
    const subjects = new Subjects(prefix, createEpoch());
    const config = {
      name: stream,
      subjects: [subjects.stored],
      republish: { src: subjects.stored, dest: subjects.republished },
      retention: 'limits',
      discard: 'old',
      storage,
      num_replicas: replicas,
      allow_direct: true,
      max_age: maxAgeMs === Infinity ? 0 : Math.ceil(4 * maxAgeMs) * NS_PER_MS,
      max_bytes: maxTotalBytes === Infinity ? -1 : Math.floor(maxTotalBytes),
      max_msgs_per_subject: maxEventsPerTopic + 1,
      duplicate_window: Math.floor(Math.min(DUPLICATE_WINDOW_MS, 4 * maxAgeMs)) * NS_PER_MS,
    };
    const reply = await this.#link.request(
      call(`${apiPrefix}.STREAM.CREATE.${stream}`, JSON.stringify(config), deadline),
    );
    if (isNobodyThere(reply)) return;
    const { error } = parse(reply) as StreamInfo;
    // Another node was faster: its epoch counts.
    if (error !== undefined && error.err_code !== NAME_IN_USE && error.code !== 503) throw this.#refusal(error);
  }

  #stateOf({ config, state }: StreamInfo): StreamState {
    const { prefix } = this.#settings;
    const epoch = config.republish?.dest?.slice(`${prefix}.l.`.length, -2) ?? '';
    const subjects = new Subjects(prefix, epoch);
    const isOurs = config.republish?.dest === subjects.republished && config.subjects?.[0] === subjects.stored;
    if (!isOurs || !/^[0-9a-z]{6}$/.test(epoch)) {
      throw this.#unusable(`it was not made by this engine with the prefix ${prefix}: give it another name`);
    }
    this.#isReplicated = config.num_replicas > 1;
    const { max_msg_size: size = -1 } = config;
    this.#maxMessageBytes = size < 0 ? Infinity : size;
    return {
      subjects,
      head: { epoch, seq: state.last_seq, at: state.last_seq === 0 ? 0 : millisecondsOf(state.last_ts) },
      goneUpTo: Math.max(0, state.first_seq - 1),
      messages: state.messages,
      keptPerTopic: config.max_msgs_per_subject > 0 ? config.max_msgs_per_subject : Infinity,
    };
  }

  #refusal({ code, description = 'no reason' }: ApiError): SseError {
    return this.#unusable(`the server refused: ${description} (${code})`);
  }

  #unusable(why: string): SseError {
    return this.#settings.failures.failed(`use the JetStream stream ${this.#settings.stream}`, undefined, why);
  }

  async #ask(subject: string, request: object | undefined, deadline: number): Promise<NatsMessage> {
    const reply = await this.#link.request(
      call(subject, request === undefined ? '' : JSON.stringify(request), deadline),
    );
    if (isNobodyThere(reply)) throw new UnavailableError('The JetStream stream does not answer');
    return reply;
  }
}

function timeOf({ offset }: ServerClock): number {
  return Math.floor(performance.now() + offset);
}

function call(subject: string, request: string, deadline: number): Call {
  return { subject, data: request === '' ? NOTHING : Buffer.from(request), deadline, sends: 0 };
}
