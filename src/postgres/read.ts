import { SseError } from '../errors.js';
import type { Heads, Hole, Listing, LogEntry, ReadPage, ReadRequest, TopicHead } from '../engine/engine.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { contradiction, isTrimmed } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import type { PostgresLink } from './link.js';
import type { Failure } from './failure.js';
import { toEntry, toNumber, toText } from './codec.js';
import type { Row } from './codec.js';
import type { Statements } from './statements.js';

/** Larger pages would only take longer: the caller goes on from the end of one. */
const MAX_PAGE = 10_000;

interface TopicState {
  readonly head: number;
  readonly unknownBefore: number;
  readonly first: { readonly prev: number } | undefined;
}

interface Page {
  readonly head: Position;
  readonly forgotten: number;
  readonly isCut: boolean;
  readonly topics: ReadonlyMap<string, TopicState>;
  /** Of the newest retained entry at or before the claimed place. */
  readonly newestAt: number | undefined;
  readonly entries: readonly LogEntry[];
}

export interface ReadOptions {
  readonly link: PostgresLink;
  readonly sql: Statements;
  readonly failures: EngineFailures;
  readonly timeoutMs: number;
  readonly now: (() => number) | undefined;
}

/** Everything that is asked of the log, each in one statement and therefore of one moment. */
export class PostgresReader {
  readonly #link: PostgresLink;
  readonly #sql: Statements;
  readonly #failures: EngineFailures;
  readonly #timeoutMs: number;
  readonly #now: () => number | null;

  constructor({ link, sql, failures, timeoutMs, now }: ReadOptions) {
    this.#link = link;
    this.#sql = sql;
    this.#failures = failures;
    this.#timeoutMs = timeoutMs;
    this.#now = () => now?.() ?? null;
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    const topics = [...new Set(request.topics)];
    const page = await this.#page(topics, request.after, request);
    const lost = request.verify && contradiction(request.verify, page.head, page.newestAt);
    if (lost === undefined) return toReadPage(page, holesOf(page, topics, request.after));
    const whole = await this.#page(topics, undefined, request);
    return toReadPage(whole, [{ reason: lost, topics }]);
  }

  locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    const values = [[...new Set(topics)], id, this.#now()];
    return this.#ask(this.#sql.locate, values, ([found, second]) => {
      return second === undefined ? found && toPosition(found) : 'ambiguous';
    });
  }

  list(prefix: string): Promise<Listing> {
    const values = [prefix.replace(/[\\%_]/g, '\\$&') + '%'];
    return this.#ask(this.#sql.list, values, (rows) => {
      const names = rows.flatMap(({ name }) => (name === null ? [] : toText(name)));
      return { names, upTo: toPosition(rows[0]), forgottenUpTo: toNumber(rows[0]?.['forgotten']) };
    });
  }

  heads(topics: readonly string[]): Promise<Heads> {
    return this.#ask(this.#sql.heads, [topics], (rows) => {
      const known = new Map(rows.filter(({ name }) => name !== null).map((row) => [row['name'], toHead(row)]));
      return { upTo: toPosition(rows[0]), topics: topics.map((topic) => known.get(topic)) };
    });
  }

  /** Asks once: whoever wants to know wants to know now. */
  check(): Promise<Position> {
    return this.#ask(this.#sql.heads, [[]], ([lane]) => toPosition(lane), false);
  }

  #page(topics: readonly string[], after: number | undefined, request: ReadRequest): Promise<Page> {
    const entries = Math.min(Math.max(request.maxEntries, 1), MAX_PAGE);
    const claimed = after === undefined ? undefined : request.verify?.seq;
    const values = [topics, entries, Math.max(request.maxBytes, 0), after ?? null, claimed ?? null, this.#now()];
    if (request.excerpt === undefined) return this.#ask(this.#sql.read, values, toPage);
    const { upTo, last, since } = request.excerpt;
    const excerpt = [Math.min(upTo, Number.MAX_SAFE_INTEGER), Math.min(last, Number.MAX_SAFE_INTEGER), since];
    return this.#ask(this.#sql.readExcerpt, [...values, ...excerpt], toPage);
  }

  async #ask<T>(text: string, values: unknown[], toAnswer: (rows: Row[]) => T, isRetried = true): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs;
    try {
      return toAnswer(await this.#link.run<Row>(text, () => values, { deadline, isAbandoned: true, isRetried }));
    } catch (error) {
      const { message, cause = error } = error as Failure;
      throw SseError.is(error) ? error : this.#failures.failed('read', cause, message);
    }
  }
}

function toPage(rows: readonly Row[]): Page {
  const topics = new Map<string, TopicState>();
  const entries: LogEntry[] = [];
  let newestAt: number | undefined;
  let lane: Row | undefined;
  for (const row of rows) {
    if (row['kind'] === 'l') lane = row;
    else if (row['kind'] === 'e') entries.push(toEntry(row));
    else topics.set(toText(row['name']), toState(row));
    if (row['kind'] === 't' && row['d'] !== null) newestAt = Math.max(newestAt ?? 0, toNumber(row['d']));
  }
  const head = toPosition({ epoch: lane?.['name'], seq: lane?.['a'], at: lane?.['b'] });
  return { head, forgotten: toNumber(lane?.['c']), isCut: lane?.['d'] === '1', topics, newestAt, entries };
}

function toState({ a: head, b: unknownBefore, c: firstPrev }: Row): TopicState {
  const first = firstPrev === null ? undefined : { prev: toNumber(firstPrev) };
  return { head: toNumber(head), unknownBefore: toNumber(unknownBefore), first };
}

function toReadPage({ head, isCut, entries }: Page, holes: readonly Hole[]): ReadPage {
  const last = entries.at(-1);
  const upTo = isCut && last !== undefined ? { epoch: head.epoch, seq: last.seq, at: last.at } : head;
  return { entries, upTo, holes };
}

function holesOf(page: Page, topics: readonly string[], after: number | undefined): Hole[] {
  if (after === undefined) return [];
  const trimmed: string[] = [];
  const unknown: string[] = [];
  for (const topic of topics) {
    const state = page.topics.get(topic);
    if (after < (state?.unknownBefore ?? page.forgotten)) unknown.push(topic);
    else if (state !== undefined && isTrimmed(after, state.head, state.first)) trimmed.push(topic);
  }
  const holes: Hole[] = [];
  if (trimmed.length > 0) holes.push({ reason: 'trimmed', topics: trimmed });
  if (unknown.length > 0) holes.push({ reason: 'unknown', topics: unknown });
  return holes;
}

function toHead({ head, head_at: at }: Row): TopicHead {
  return { seq: toNumber(head), at: toNumber(at) };
}

function toPosition(row: Row | undefined): Position {
  return { epoch: toText(row?.['epoch']), seq: toNumber(row?.['seq']), at: toNumber(row?.['at']) };
}
