import type { Heads, Listing, LogEntry, ReadPage, ReadRequest, TopicHead } from '../engine/engine.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { holesBeyond, readPage } from '../engine/kit/page.js';
import type { Found, KnownTopic } from '../engine/kit/page.js';
import { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import { toEntry, toNumber, toText } from './codec.js';
import type { Row } from './codec.js';
import type { Failure } from './failure.js';
import type { PostgresLink } from './link.js';
import type { Statements } from './statements.js';

/** Larger pages would only take longer: the caller goes on from the end of one. */
const MAX_PAGE = 10_000;

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

  read(request: ReadRequest): Promise<ReadPage> {
    return readPage(request, (topics, after) => this.#find(topics, after, request));
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

  #find(topics: readonly string[], after: number | undefined, request: ReadRequest): Promise<Found> {
    const entries = Math.min(Math.max(request.maxEntries, 1), MAX_PAGE);
    const claimed = after === undefined ? undefined : request.verify?.seq;
    const values = [topics, entries, Math.max(request.maxBytes, 0), after ?? null, claimed ?? null, this.#now()];
    const found = (rows: readonly Row[]): Found => toFound(rows, topics, after);
    if (request.excerpt === undefined) return this.#ask(this.#sql.read, values, found);
    const { upTo, last, since } = request.excerpt;
    const excerpt = [Math.min(upTo, Number.MAX_SAFE_INTEGER), Math.min(last, Number.MAX_SAFE_INTEGER), since];
    return this.#ask(this.#sql.readExcerpt, [...values, ...excerpt], found);
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

function toFound(rows: readonly Row[], topics: readonly string[], after: number | undefined): Found {
  const known = new Map<string, KnownTopic>();
  const entries: LogEntry[] = [];
  let newestAt: number | undefined;
  let lane: Row | undefined;
  for (const row of rows) {
    if (row['kind'] === 'l') lane = row;
    else if (row['kind'] === 'e') entries.push(toEntry(row));
    else known.set(toText(row['name']), toState(row));
    if (row['kind'] === 't' && row['d'] !== null) newestAt = Math.max(newestAt ?? 0, toNumber(row['d']));
  }
  const head = toPosition({ epoch: lane?.['name'], seq: lane?.['a'], at: lane?.['b'] });
  const holes = holesBeyond(after, topics, (topic) => known.get(topic), toNumber(lane?.['c']));
  return { head, entries, isCut: lane?.['d'] === '1', holes, newestAt };
}

function toState({ a: head, b: unknownBefore, c: firstPrev }: Row): KnownTopic {
  const first = firstPrev === null ? undefined : { prev: toNumber(firstPrev) };
  return { head: toNumber(head), unknownBefore: toNumber(unknownBefore), first };
}

function toHead({ head, head_at: at }: Row): TopicHead {
  return { seq: toNumber(head), at: toNumber(at) };
}

function toPosition(row: Row | undefined): Position {
  return { epoch: toText(row?.['epoch']), seq: toNumber(row?.['seq']), at: toNumber(row?.['at']) };
}
