import type { Heads, Hole, Listing, LogEntry, ReadPage, ReadRequest, Retention, TopicHead } from '../engine/engine.js';
import { contradiction, isTrimmed } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import { decodeEnvelope } from './envelope.js';
import type { Envelope, StoredMessage } from './envelope.js';
import { UnavailableError } from './stream.js';
import type { MessageQuery, Stream, StreamState } from './stream.js';
import { nameOf } from './subjects.js';
import type { Subjects } from './subjects.js';
import { RowCache, TopicRows } from './topic-rows.js';
import type { Row } from './topic-rows.js';

/** How many questions are under way at once for one call. */
const CONCURRENCY = 256;
/** About 100 bytes each. */
const MAX_ROWS = 200_000;
/** So many single questions take as long as making a consumer and removing it: 3 ms, measured on loopback. */
const ONE_BY_ONE = 32;

/** One topic as a page needs it. */
interface TopicView {
  readonly topic: string;
  /** Beyond the place that is read from, up to the head of the lane, whether retained or not. */
  readonly rows: readonly Row[];
  readonly retained: readonly Row[];
}

interface Wanted {
  readonly topic: string;
  readonly row: Row;
}

/** Answers questions about the log. One call sees the log as it was when the call began, or later. */
export class Reader {
  readonly #stream: Stream;
  readonly #cache = new RowCache(MAX_ROWS);

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** To be called when the log may have lost its end: its numbers may mean other events then. */
  forget(): void {
    this.#cache.clear();
  }

  async read(request: ReadRequest, deadline: number): Promise<ReadPage> {
    const topics = [...new Set(request.topics)];
    const state = await this.#stream.state(deadline);
    const lost = await this.#contradiction(request.verify, state, deadline);
    const from = lost ? 0 : (request.after ?? 0);
    const loaded = new Loaded(request.maxBytes);
    const views = await each(topics, (topic) => this.#view(state, topic, from, loaded, deadline));
    const wanted = views.flatMap(({ topic, retained }) => retained.map((row) => ({ topic, row })));
    if (topics.length > 1) wanted.sort((a, b) => a.row.seq - b.row.seq);
    const fitting = wanted.slice(0, countFitting(wanted, request));
    const entries = await each(fitting, (each) => this.#entry(state, each, loaded, deadline));
    const last = fitting.length < wanted.length ? entries.at(-1) : undefined;
    return {
      entries,
      upTo: last === undefined ? state.head : { epoch: state.head.epoch, seq: last.seq, at: last.at },
      holes: lost ? [{ reason: lost, topics }] : holesOf(views, request.after, state),
    };
  }

  async locate(topics: readonly string[], id: string, deadline: number): Promise<Position | 'ambiguous' | undefined> {
    const state = await this.#stream.state(deadline);
    const nothing = new Loaded(0);
    const views = await each([...new Set(topics)], (topic) => this.#view(state, topic, 0, nothing, deadline));
    const found = views.flatMap(({ retained }) => retained.filter((row) => row.id === id));
    if (found.length > 1) return 'ambiguous';
    return found[0] && { epoch: state.head.epoch, seq: found[0].seq, at: found[0].at };
  }

  async list(prefix: string, deadline: number): Promise<Listing> {
    const { state, subjects } = await this.#stream.topics(deadline);
    const names = [...subjects].map(nameOf).filter((name) => name.startsWith(prefix));
    return { names, upTo: state.head, forgottenUpTo: state.goneUpTo };
  }

  async heads(topics: readonly string[], deadline: number): Promise<Heads> {
    const state = await this.#stream.state(deadline);
    const heads = await each(topics, async (topic): Promise<TopicHead | undefined> => {
      const newest = await this.#stream.get({ last_by_subj: state.subjects.topic(topic) }, deadline);
      return newest && { seq: newest.seq, at: newest.at };
    });
    return { upTo: state.head, topics: heads };
  }

  async #contradiction(
    verify: Position | undefined,
    { subjects, head, goneUpTo }: StreamState,
    deadline: number,
  ): Promise<'epoch' | 'ahead' | 'diverged' | undefined> {
    if (verify === undefined) return undefined;
    const atOnce = contradiction(verify, head, undefined);
    if (atOnce !== undefined) return atOnce;
    // The time never falls along the lane, so its message at that place speaks for all topics.
    const newest = await this.#newestUpTo(subjects.stored, verify.seq, goneUpTo, deadline);
    return contradiction(verify, head, newest?.at);
  }

  async #view(state: StreamState, topic: string, from: number, loaded: Loaded, deadline: number): Promise<TopicView> {
    const newest = await this.#stream.get({ last_by_subj: state.subjects.topic(topic) }, deadline);
    if (newest === undefined || newest.seq <= from) return { topic, rows: [], retained: [] };
    const all = await this.#rows(state, topic, newest, from, loaded, deadline);
    all.trim(await this.#stream.now(deadline));
    // What was stored since the head was read is left to the next page: it would be read again from there.
    return { topic, ...all.between(from, state.head.seq) };
  }

  /** The rows from `from` up to the newest: those that are known, and those stored since. */
  async #rows(
    state: StreamState,
    topic: string,
    newest: StoredMessage,
    from: number,
    loaded: Loaded,
    deadline: number,
  ): Promise<TopicRows> {
    const { subjects, goneUpTo } = state;
    const subject = subjects.topic(topic);
    const cached = this.#cache.get(subjects.epoch, topic);
    const isUseful = cached !== undefined && cached.from <= from && (cached.last?.seq ?? 0) <= newest.seq;
    const found = isUseful ? cached.copy() : new TopicRows(from);
    let prev = found.last?.seq ?? (await this.#newestUpTo(subject, from, goneUpTo, deadline))?.seq ?? 0;
    const begin = found.last?.seq ?? from;
    for await (const { seq, at, data } of this.#messages(subject, begin, newest.seq, deadline)) {
      const envelope = decodeEnvelope(data);
      if (envelope === undefined) continue;
      loaded.add(seq, envelope);
      const row = { seq, prev, at, bytes: envelope.data.byteLength, id: envelope.id };
      found.add(row, boundedBy(envelope.retention, state.keptPerTopic));
      prev = seq;
    }
    this.#cache.set(subjects.epoch, topic, found);
    return found;
  }

  /** The messages of a topic beyond a sequence, up to the newest: first one by one, and when they are many, in batches. */
  async *#messages(subject: string, after: number, newest: number, deadline: number): AsyncGenerator<StoredMessage> {
    for (let upTo = after, count = 1; upTo < newest; count++) {
      const next = { seq: upTo + 1, next_by_subj: subject };
      const found =
        count === ONE_BY_ONE ? this.#stream.scan(subject, upTo + 1, deadline) : [await this.#mustGet(next, deadline)];
      for await (const message of found) {
        yield message;
        upTo = message.seq;
        if (upTo >= newest) return;
      }
    }
  }

  async #entry({ subjects }: StreamState, { topic, row }: Wanted, loaded: Loaded, deadline: number): Promise<LogEntry> {
    const envelope = loaded.get(row.seq) ?? (await this.#load(subjects, topic, row, deadline));
    const { seq, prev, at } = row;
    return { topic, seq, prev, at, data: envelope.data, id: envelope.id };
  }

  async #load(subjects: Subjects, topic: string, row: Row, deadline: number): Promise<Envelope> {
    const message = await this.#stream.get({ seq: row.seq }, deadline);
    const isSame = message?.subject === subjects.topic(topic) && message.at === row.at;
    const envelope = isSame ? decodeEnvelope(message.data) : undefined;
    if (envelope !== undefined) return envelope;
    this.#cache.delete(topic);
    throw new UnavailableError('The log has changed while it was read');
  }

  /** The newest message at or before a sequence. JetStream looks forward only, so the place is searched for. */
  async #newestUpTo(
    subject: string,
    seq: number,
    goneUpTo: number,
    deadline: number,
  ): Promise<StoredMessage | undefined> {
    const look = async (from: number): Promise<StoredMessage | undefined> => {
      const message = await this.#stream.get({ seq: from, next_by_subj: subject }, deadline);
      return message !== undefined && message.seq <= seq ? message : undefined;
    };
    let found: StoredMessage | undefined;
    let below = seq + 1;
    for (let step = 1; found === undefined && below > goneUpTo + 1; step *= 2) {
      const from = Math.max(below - step, goneUpTo + 1);
      found = await look(from);
      if (found === undefined) below = from;
    }
    while (found !== undefined && below - found.seq > 1) {
      const middle = Math.ceil((found.seq + below) / 2);
      const later = await look(middle);
      if (later === undefined) below = middle;
      else found = later;
    }
    return found;
  }

  async #mustGet(query: MessageQuery, deadline: number): Promise<StoredMessage> {
    const message = await this.#stream.get(query, deadline);
    if (message === undefined) throw new UnavailableError('The log has changed while it was read');
    return message;
  }
}

/** What was loaded to learn its size, for the page that may want it; only as much as a page holds. */
class Loaded {
  readonly #envelopes = new Map<number, Envelope>();
  #room: number;

  constructor(maxBytes: number) {
    this.#room = maxBytes;
  }

  add(seq: number, envelope: Envelope): void {
    if (this.#room <= 0) return;
    this.#room -= envelope.data.byteLength;
    this.#envelopes.set(seq, envelope);
  }

  get(seq: number): Envelope | undefined {
    return this.#envelopes.get(seq);
  }
}

function countFitting(wanted: readonly Wanted[], { maxEntries, maxBytes }: ReadRequest): number {
  let bytes = 0;
  for (const [count, { row }] of wanted.entries()) {
    bytes += row.bytes;
    if (count > 0 && (count >= maxEntries || bytes > maxBytes)) return count;
  }
  return wanted.length;
}

function holesOf(views: readonly TopicView[], after: number | undefined, { goneUpTo }: StreamState): Hole[] {
  if (after === undefined) return [];
  const trimmed: string[] = [];
  const unknown: string[] = [];
  for (const { topic, rows, retained } of views) {
    if (isTrimmed(after, rows.at(-1)?.seq ?? 0, retained[0])) trimmed.push(topic);
    else if (after < goneUpTo) unknown.push(topic);
  }
  const holes: Hole[] = [];
  if (trimmed.length > 0) holes.push({ reason: 'trimmed', topics: trimmed });
  if (unknown.length > 0) holes.push({ reason: 'unknown', topics: unknown });
  return holes;
}

/** The oldest that the server keeps of a topic only marks where the retained ones begin. */
function boundedBy(retention: Retention, keptPerTopic: number): Retention {
  return { ...retention, maxEvents: Math.min(retention.maxEvents, keptPerTopic - 1) };
}

async function each<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  const work = async (): Promise<void> => {
    for (const [n, item] of rest) results[n] = await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, work));
  return results;
}
