import type { Excerpt, Retention } from '../engine/engine.js';
import { decodeMeta } from './codec.js';
import { each } from './each.js';
import { COST, HEAVY, MAX, ONE_BY_ONE, costOf } from './effort.js';
import type { JetStream, StreamState, TopicCounts } from './jetstream.js';
import type { KnownData } from './known-data.js';
import type { Question } from './question.js';
import type { StoredMessage } from './stored-message.js';
import { RowCache, TopicRows } from './topic-rows.js';
import type { Place } from './topic-rows.js';

/** About 100 bytes each. */
const MAX_ROWS = 200_000;
/** What so few topics have is counted for each, and for more with all others: 0.1 s for 10,000 topics, which is good for a while. */
const FEW_TOPICS = 16;
const COUNTS_MS = 1_000;
/** What is certainly evicted is passed over when it is more than this. */
const PASSED_OVER = 2_000;
/** So far back, for each topic. */
const LOOK_BACK = 4;
/** So many more messages in the lane are little, and so is what costs no more than that: 50 ms. */
const LITTLE = 1_000;
const CHEAP = 5_000;
/** What is only estimated is refused when it is so many times too much. */
const DOUBT = 2;

/** One topic that has events beyond the place that is read from. */
export interface Behind {
  readonly topic: string;
  readonly newest: StoredMessage;
  /** From where on its rows are wanted. */
  readonly from: number;
  /** The message that is there, where it is one of the topic. */
  readonly before?: Place;
}

interface Loading {
  readonly topic: string;
  readonly subject: string;
  readonly newest: StoredMessage;
  readonly from: number;
  rows: TopicRows;
  /** Without anything that was known before. */
  readonly isNew: boolean;
  /** They begin later than was asked for at first. */
  readonly isLate: boolean;
  before?: Place;
  isWhole: boolean;
}

/** Loads what is known of the events of topics without their data, and keeps it. */
export class RowLoader {
  readonly #stream: JetStream;
  readonly #cache = new RowCache(MAX_ROWS);
  #counts: { readonly askedAt: number; readonly answer: Promise<TopicCounts> } | undefined;

  constructor(stream: JetStream) {
    this.#stream = stream;
  }

  /** To be called when the log may have lost its end: its numbers may mean other events then. */
  forget(): void {
    this.#cache.clear();
    this.#counts = undefined;
  }

  /** To be called when the log has lost something of a topic. */
  delete(topic: string): void {
    this.#cache.delete(topic);
  }

  /** The rows of a topic beyond a sequence, or all that an excerpt has, when all up to the head of the lane are known. */
  known({ subjects, head }: StreamState, topic: string, from: number, excerpt?: Excerpt): TopicRows | undefined {
    const cached = this.#cache.get(subjects.epoch, topic);
    if (cached === undefined || cached.upTo < head.seq) return undefined;
    return cached.from <= from || (excerpt !== undefined && cached.has(excerpt)) ? cached : undefined;
  }

  /** From where on all that an excerpt has of a topic is known, but for what was stored since, which is little. */
  nearlyKnown({ subjects }: StreamState, { topic, newest }: Behind, excerpt: Excerpt): number | undefined {
    const cached = this.#cache.get(subjects.epoch, topic);
    return cached?.has(excerpt) === true && newest.seq - cached.upTo <= LITTLE ? cached.from : undefined;
  }

  /** Whether all that topics have beyond a sequence costs little to know. */
  async isCheap(question: Question, state: StreamState, topics: readonly string[], from: number): Promise<boolean> {
    const { head, messages } = state;
    if (COST.consumer + COST.laneRow * Math.min(head.seq - from, messages) <= CHEAP) return true;
    return (await this.#estimate(question, state, topics, from)) <= CHEAP;
  }

  /**
   * Refuses what is far too much before anything is asked of single topics.
   *
   * @throws TooMuchError
   */
  async foresee(question: Question, state: StreamState, topics: readonly string[], from: number): Promise<void> {
    const { head, goneUpTo, messages } = state;
    if (topics.length <= FEW_TOPICS || COST.laneRow * Math.min(head.seq - from, messages) <= MAX) return;
    const cost = await this.#estimate(question, state, topics, from);
    question.effort.check(from > goneUpTo ? cost / DOUBT : cost);
  }

  /**
   * The rows of topics beyond a sequence, up to their newest: those that are known, and those stored since.
   *
   * @throws TooMuchError
   */
  async load(question: Question, state: StreamState, behind: readonly Behind[], data: KnownData): Promise<TopicRows[]> {
    const isLane = await this.#plan(question, state, this.#begin(state, behind).filter(isMissing));
    // Whoever had the turn before may have loaded the same.
    const topics = this.#begin(state, behind);
    const missing = topics.filter(isMissing);
    // Others may be reading what is known.
    for (const loading of missing) loading.rows = loading.rows.copy();
    try {
      if (isLane) await lookBack(question, state, missing);
      await each(missing, (loading) => findFirst(question, state, loading, isLane));
      if (isLane) await loadLane(question, state, missing, data);
      // What the lane has given is known by now: nothing is left, or what it has not given.
      await each(missing, (loading) => loadTopic(question, state, loading, data));
    } finally {
      // Of one topic also what was too much: the next question goes on from there. Of many it would push out what others need.
      const kept = topics.length === 1 ? missing : missing.filter(({ isWhole }) => isWhole);
      for (const loading of kept) this.#keep(state, loading);
    }
    return topics.map(({ rows }) => rows);
  }

  /** What it costs to load what is not known of topics beyond a sequence, as if each came at a steady pace. */
  async #estimate(question: Question, state: StreamState, topics: readonly string[], from: number): Promise<number> {
    const { subjects, head, goneUpTo } = state;
    const { counts } = await this.#countAll(question.deadline);
    const part = (head.seq - Math.max(from, goneUpTo)) / (head.seq - goneUpTo);
    const missing = topics.filter((topic) => (this.#cache.get(subjects.epoch, topic)?.from ?? Infinity) > from);
    return costOf(missing.map((topic) => Math.ceil((counts.get(subjects.topic(topic)) ?? 0) * part)));
  }

  /** What is known from further back has more of what others may ask for. */
  #keep({ subjects: { epoch } }: StreamState, { topic, rows, isLate }: Loading): void {
    const cached = isLate ? this.#cache.get(epoch, topic) : undefined;
    if (cached === undefined || cached.from >= rows.from) this.#cache.set(epoch, topic, rows);
  }

  #begin({ subjects }: StreamState, behind: readonly Behind[]): Loading[] {
    return behind.map(({ topic, newest, from, before }) => {
      const cached = this.#cache.get(subjects.epoch, topic);
      const isBefore = cached !== undefined && cached.from <= from && (cached.last?.seq ?? 0) <= newest.seq;
      // Where the rows may begin later than what is known ends, nobody wants what is between.
      const isUseful = isBefore && (before === undefined || cached.upTo >= from);
      const rows = isUseful ? cached : new TopicRows(from, from, before);
      const isWhole = rows.upTo >= newest.seq;
      const isLate = !isUseful && before !== undefined;
      const isNew = !isUseful && !isLate;
      return { topic, subject: subjects.topic(topic), newest, from, rows, isNew, isLate, isWhole };
    });
  }

  /** Tells whether to read the lane, with the events of all topics, and not each topic. */
  async #plan(question: Question, state: StreamState, missing: readonly Loading[]): Promise<boolean> {
    if (missing.length === 0) return false;
    const begin = missing.reduce((least, { rows }) => Math.min(least, rows.upTo), Infinity);
    const lookBack = begin > state.goneUpTo ? LOOK_BACK * missing.length : 0;
    const lane = COST.consumer + COST.laneRow * (Math.min(state.head.seq - begin, state.messages) + lookBack);
    let isLane = missing.length > 1 && lane <= 2 * COST.get * missing.length;
    const atMost = missing.map((loading) => mostOf(state, loading));
    let cost = isLane ? lane : costOf(atMost);
    if (!isLane && cost > HEAVY) {
      const counts = await this.#count(question, state, missing);
      cost = costOf(atMost.map((count, n) => Math.min(count, counts[n] as number)));
      isLane = missing.length > 1 && lane < cost;
      const isEstimate = missing.length > FEW_TOPICS && begin > state.goneUpTo;
      if (isLane) cost = lane;
      else if (isEstimate) cost /= DOUBT;
    }
    await question.effort.allow(cost);
    return isLane;
  }

  /** How many events of each topic there are to load, about. */
  async #count(question: Question, { goneUpTo }: StreamState, topics: readonly Loading[]): Promise<number[]> {
    if (topics.length <= FEW_TOPICS) {
      return each(topics, ({ subject, rows }) => question.countBeyond(subject, rows.upTo));
    }
    const { counts } = await this.#countAll(question.deadline);
    // As if each came at a steady pace.
    return topics.map(({ subject, rows, newest }) => {
      const part = (newest.seq - Math.max(rows.upTo, goneUpTo)) / (newest.seq - goneUpTo);
      return Math.ceil((counts.get(subject) ?? 0) * part);
    });
  }

  #countAll(deadline: number): Promise<TopicCounts> {
    const now = performance.now();
    if (this.#counts === undefined || now - this.#counts.askedAt > COUNTS_MS) {
      const counts = { askedAt: now, answer: this.#stream.topics(deadline) };
      this.#counts = counts;
      counts.answer.catch(() => (this.#counts = undefined));
    }
    return this.#counts.answer.catch(() => this.#stream.topics(deadline));
  }
}

function isMissing({ isWhole }: Loading): boolean {
  return !isWhole;
}

/** Finds what the first rows of busy topics come after: together, where a search takes some 16 questions for each. */
async function lookBack(question: Question, { goneUpTo }: StreamState, missing: readonly Loading[]): Promise<void> {
  const bySubject = new Map(missing.filter(({ isNew }) => isNew).map((loading) => [loading.subject, loading]));
  const from = missing.reduce((most, loading) => (loading.isNew ? Math.max(most, loading.from) : most), 0);
  const begin = Math.max(goneUpTo, from - LOOK_BACK * bySubject.size);
  if (begin >= from) return;
  for await (const { subject, seq, at } of question.messages(undefined, begin)) {
    if (seq > from) return;
    const loading = bySubject.get(subject);
    if (loading !== undefined) loading.before = { seq, at };
  }
  // It has not come to the end: what was found may not be the newest.
  for (const loading of missing) delete loading.before;
}

/** Finds what the first row comes after, so that it knows its predecessor. */
async function findFirst(question: Question, state: StreamState, loading: Loading, isLane: boolean): Promise<void> {
  const { subject, newest, from, isNew } = loading;
  if (!isNew) return;
  const needed = neededOf(newest);
  let wholeFrom = from;
  if (!isLane && Math.min(newest.seq - from, state.keptPerTopic) > needed + PASSED_OVER) {
    const beyond = await question.countBeyond(subject, from);
    if (beyond > needed + PASSED_OVER) wholeFrom = await question.placeBefore(subject, needed, from, newest.seq);
  }
  const before = loading.before ?? (await question.newestUpTo(subject, wholeFrom, state.goneUpTo));
  loading.rows = new TopicRows(from, wholeFrom, before && { seq: before.seq, at: before.at });
}

async function loadLane(
  question: Question,
  state: StreamState,
  topics: readonly Loading[],
  data: KnownData,
): Promise<void> {
  const bySubject = new Map(topics.map((loading) => [loading.subject, loading]));
  const begin = topics.reduce((least, { rows }) => Math.min(least, rows.upTo), Infinity);
  const end = topics.reduce((last, { newest }) => Math.max(last, newest.seq), 0);
  for await (const message of question.messages(undefined, begin)) {
    const loading = bySubject.get(message.subject);
    if (loading !== undefined && message.seq > loading.rows.upTo) {
      if (addRow(state, loading, message)) data.add(message);
    }
    if (message.seq >= end) return;
  }
}

/** Loads what is missing: first one by one, and when it is much, in batches. */
async function loadTopic(question: Question, state: StreamState, loading: Loading, data: KnownData): Promise<void> {
  const { subject, newest, rows } = loading;
  for (let upTo = rows.upTo, count = 1; upTo < newest.seq; count++) {
    const found =
      count % ONE_BY_ONE === 0
        ? question.messages(subject, upTo)
        : [await question.mustGet({ seq: upTo + 1, next_by_subj: subject })];
    for await (const message of found) {
      upTo = message.seq;
      if (addRow(state, loading, message)) data.add(message);
      if (upTo >= newest.seq) break;
    }
  }
  rows.complete(Math.max(newest.seq, state.head.seq));
  loading.isWhole = true;
}

function addRow(state: StreamState, { rows }: Loading, message: StoredMessage): boolean {
  const { seq, at, header } = message;
  const meta = decodeMeta(header);
  if (meta === undefined) return false;
  rows.add(
    { seq, prev: rows.last?.seq ?? 0, at, bytes: message.data.byteLength, id: meta.id },
    boundedBy(meta.retention, state.keptPerTopic),
  );
  return true;
}

/** The oldest that the server keeps of a topic only marks where the retained ones begin. */
function boundedBy(retention: Retention, keptPerTopic: number): Retention {
  return { ...retention, maxEvents: Math.min(retention.maxEvents, keptPerTopic - 1) };
}

/** The newest events that may be retained, and one more. */
function neededOf({ header }: StoredMessage): number {
  return (decodeMeta(header)?.retention.maxEvents ?? Infinity) + 1;
}

function mostOf({ keptPerTopic }: StreamState, { rows, newest }: Loading): number {
  const most = Math.min(newest.seq - rows.upTo, keptPerTopic);
  const needed = neededOf(newest);
  return most > needed + PASSED_OVER ? 2 * needed + PASSED_OVER : most;
}
