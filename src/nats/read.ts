import type { Heads, Hole, Listing, ReadPage, ReadRequest, TopicHead } from '../engine/engine.js';
import { LaneMerge } from '../engine/kit/merge.js';
import type { OrderedEntries } from '../engine/kit/merge.js';
import { endOf, holesOf, takePage } from '../engine/kit/page.js';
import { contradiction, isTrimmed } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import { each } from './each.js';
import { Effort, TooMuchError, Turns, UNBOUNDED } from './effort.js';
import { Gate } from './gate.js';
import type { JetStream, StreamState } from './jetstream.js';
import { KnownData } from './known-data.js';
import { loadData } from './page-data.js';
import type { Wanted } from './page-data.js';
import { Question } from './question.js';
import { RowLoader } from './row-loader.js';
import { UnavailableError } from './stored-message.js';
import { isToken, nameOf } from './subjects.js';
import type { Row } from './topic-rows.js';
import { TopicViews } from './topic-views.js';
import type { TopicView } from './topic-views.js';

/** Answers questions about the log. One call sees the log as it was when the call began, or later. */
export class NatsReader {
  readonly #stream: JetStream;
  readonly #timeoutMs: number;
  readonly #loader: RowLoader;
  readonly #views: TopicViews;
  readonly #gate: Gate;
  readonly #turns = new Turns();
  /** When the connection was lost last. */
  #lostAt = -Infinity;

  constructor(stream: JetStream, timeoutMs: number) {
    this.#stream = stream;
    this.#timeoutMs = timeoutMs;
    this.#loader = new RowLoader(stream);
    this.#views = new TopicViews(stream, this.#loader);
    this.#gate = new Gate(() => stream.maxPayload);
  }

  /** To be called when the log may have lost its end: its numbers may mean other events then. */
  forget(): void {
    this.#lostAt = performance.now();
    this.#loader.forget();
    this.#gate.forget();
  }

  async read(request: ReadRequest, deadline: number): Promise<ReadPage> {
    const topics = [...new Set(request.topics)];
    const state = await this.#stream.state(deadline);
    let lost: Hole['reason'] | undefined = request.verify && contradiction(request.verify, state.head, undefined);
    const wanted = request.excerpt?.last ?? 0;
    const page = await this.#within(topics, Number.isFinite(wanted) ? wanted : 0, deadline, async (question) => {
      const data = new KnownData(request.maxBytes);
      // A page has one entry at least, and one more says that it is not the last.
      const most = Math.max(1, request.maxEntries) + 1;
      const { after, verify, excerpt } = request;
      const start = { from: 0, most, excerpt };
      const place = { ...start, from: after ?? 0, claimed: verify, hasHoles: after !== undefined };
      let views = await this.#views.of(question, state, topics, lost === undefined ? place : start, data);
      if (lost === undefined && isContradicted(verify, state, views)) {
        lost = 'diverged';
        views = await this.#views.of(question, state, topics, start, data);
      }
      return this.#page(question, state, views, request, lost, data);
    });
    return page ?? this.#refused(topics, state, request, lost, deadline);
  }

  async locate(topics: readonly string[], id: string, deadline: number): Promise<Position | 'ambiguous' | undefined> {
    const state = await this.#stream.state(deadline);
    const asked = [...new Set(topics)];
    const views = await this.#within(asked, 0, deadline, (question) =>
      this.#views.of(question, state, asked, { from: 0, most: Infinity }, new KnownData(0)),
    );
    // Of too much nothing is known: as if the id was not retained.
    const found = (views ?? []).flatMap(({ wanted }) => wanted.filter((row) => row.id === id));
    if (found.length > 1) return 'ambiguous';
    return found[0] && { epoch: state.head.epoch, seq: found[0].seq, at: found[0].at };
  }

  async list(prefix: string, deadline: number): Promise<Listing> {
    const { state, counts } = await this.#stream.topics(deadline);
    const names = [...counts.keys()].filter(isToken).map(nameOf);
    const wanted = names.filter((name) => name.startsWith(prefix));
    return { names: wanted, upTo: state.head, forgottenUpTo: state.goneUpTo };
  }

  async heads(topics: readonly string[], deadline: number): Promise<Heads> {
    const { subjects, head } = await this.#stream.state(deadline);
    // The hub asks for those that it needs, however many.
    const question = new Question(this.#stream, this.#gate, UNBOUNDED, deadline);
    const heads = await each(topics, async (topic): Promise<TopicHead | undefined> => {
      const newest = await question.get({ last_by_subj: subjects.topic(topic) });
      return newest && { seq: newest.seq, at: newest.at };
    });
    return { upTo: head, topics: heads };
  }

  async #page(
    question: Question,
    state: StreamState,
    views: readonly TopicView[],
    request: ReadRequest,
    lost: Hole['reason'] | undefined,
    data: KnownData,
  ): Promise<ReadPage> {
    const merge = new LaneMerge(views.map(({ topic, wanted }) => [wantedOf(topic, wanted), 0] as const));
    const { taken, isCut } = takePage(merge, ({ row }) => row.bytes, request);
    const entries = await loadData(question, state, taken, data, (topic) => this.#loader.delete(topic));
    return {
      entries,
      upTo: endOf(state.head, isCut ? entries.at(-1) : undefined),
      holes:
        lost === undefined
          ? holesIn(views, request.after, state)
          : [{ reason: lost, topics: views.map(({ topic }) => topic) }],
    };
  }

  /** Too much was asked: whoever asked goes on at the head, and is told of each topic that has something before it. */
  async #refused(
    topics: readonly string[],
    state: StreamState,
    { after = 0 }: ReadRequest,
    lost: Hole['reason'] | undefined,
    deadline: number,
  ): Promise<ReadPage> {
    const from = lost === undefined ? after : 0;
    const heads = await this.heads(topics, deadline);
    const unknown = topics.filter((_, n) => (heads.topics[n]?.seq ?? 0) > from || from < state.goneUpTo);
    const holes = holesOf([], unknown);
    if (lost !== undefined) holes.unshift({ reason: lost, topics });
    return { entries: [], upTo: state.head, holes };
  }

  /** Answers a question, or `undefined` when it is too much. */
  async #within<T>(
    topics: readonly string[],
    wanted: number,
    deadline: number,
    task: (question: Question) => Promise<T>,
  ): Promise<T | undefined> {
    const effort = new Effort(this.#turns, topics.length, wanted, deadline, this.#timeoutMs);
    try {
      return await task(new Question(this.#stream, this.#gate, effort, deadline));
    } catch (error) {
      if (!(error instanceof TooMuchError)) throw error;
      // It took so long because the server was away.
      if (this.#lostAt > deadline - this.#timeoutMs)
        throw new UnavailableError('The connection was lost while the log was read');
      return undefined;
    } finally {
      effort.end();
    }
  }
}

/** Whether the log has something of these topics that is newer than the claimed place, though it stands before it. */
function isContradicted(verify: Position | undefined, { head }: StreamState, views: readonly TopicView[]): boolean {
  return verify !== undefined && views.some(({ at }) => contradiction(verify, head, at) === 'diverged');
}

function wantedOf(topic: string, rows: readonly Row[]): OrderedEntries<Wanted> {
  return {
    at: (index) => {
      const row = rows[index];
      return row && { topic, seq: row.seq, row };
    },
  };
}

function holesIn(views: readonly TopicView[], after: number | undefined, { goneUpTo }: StreamState): Hole[] {
  if (after === undefined) return [];
  const trimmed: string[] = [];
  const unknown: string[] = [];
  for (const { topic, head, first, isUncertain } of views) {
    if (!isUncertain && isTrimmed(after, head, first)) trimmed.push(topic);
    else if (isUncertain || after < goneUpTo) unknown.push(topic);
  }
  return holesOf(trimmed, unknown);
}
