import { SseError } from '../errors.js';
import type { Heads, Hole, Listing, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import { contradiction, isTrimmed } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import type { Database } from './database.js';
import type { Failure } from './failure.js';
import type { Statements } from './statements.js';

/** Larger pages would only take longer: the caller goes on from the end of one. */
const MAX_PAGE = 10_000;

interface PageRow {
  readonly kind: 't' | 'l' | 'e';
  readonly name: string;
  readonly a: string;
  readonly b: string;
  readonly c: string | null;
  readonly d: string | null;
  readonly id: string | null;
  readonly data: Buffer;
}

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

interface LaneRow {
  readonly epoch: string;
  readonly seq: string;
  readonly at: string;
}

/** Everything that is asked of the log, each in one statement and therefore of one moment. */
export class LogReader {
  readonly #database: Database;
  readonly #sql: Statements;
  readonly #deadlineMs: number;
  readonly #now: () => number | null;

  constructor(database: Database, sql: Statements, deadlineMs: number, now: (() => number) | undefined) {
    this.#database = database;
    this.#sql = sql;
    this.#deadlineMs = deadlineMs;
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

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    const found = await this.#rows<LaneRow>(this.#sql.locate, [[...new Set(topics)], id, this.#now()]);
    if (found.length > 1) return 'ambiguous';
    return found[0] && toPosition(found[0]);
  }

  async list(prefix: string): Promise<Listing> {
    const rows = await this.#laneRows<LaneRow & { forgotten: string; name: string | null }>(this.#sql.list, [
      prefix.replace(/[\\%_]/g, '\\$&') + '%',
    ]);
    const names = rows.flatMap(({ name }) => name ?? []);
    return { names, upTo: toPosition(rows[0]), forgottenUpTo: Number(rows[0].forgotten) };
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    const rows = await this.#laneRows<LaneRow & { name: string | null; head: string; head_at: string }>(
      this.#sql.heads,
      [topics],
    );
    const known = new Map(rows.map(({ name, head, head_at: at }) => [name, { seq: Number(head), at: Number(at) }]));
    return { upTo: toPosition(rows[0]), topics: topics.map((topic) => known.get(topic)) };
  }

  async head(): Promise<Position> {
    const { upTo } = await this.heads([]);
    return upTo;
  }

  /** Asks once: whoever wants to know wants to know now. */
  async check(): Promise<void> {
    await this.#laneRows(this.#sql.heads, [[]], false);
  }

  async #page(topics: readonly string[], after: number | undefined, request: ReadRequest): Promise<Page> {
    const entries = Math.min(Math.max(request.maxEntries, 1), MAX_PAGE);
    const claimed = after === undefined ? undefined : request.verify?.seq;
    const values = [topics, entries, Math.max(request.maxBytes, 0), after ?? null, claimed ?? null, this.#now()];
    return toPage(await this.#rows<PageRow>(this.#sql.read, values));
  }

  /** Of a statement that gives at least the row of the lane. */
  async #laneRows<Row>(text: string, values: unknown[], isRetried = true): Promise<[Row, ...Row[]]> {
    const rows = await this.#rows<Row>(text, values, isRetried);
    return rows as [Row, ...Row[]];
  }

  async #rows<Row>(text: string, values: unknown[], isRetried = true): Promise<Row[]> {
    const deadline = performance.now() + this.#deadlineMs;
    try {
      return await this.#database.run<Row>(text, () => values, { deadline, isAbandoned: true, isRetried });
    } catch (error) {
      if (SseError.is(error)) throw error;
      const { message, cause } = error as Failure;
      throw new SseError('engine-failed', `The postgres engine could not read: ${message}`, { cause });
    }
  }
}

function toPage(rows: readonly PageRow[]): Page {
  const topics = new Map<string, TopicState>();
  const entries: LogEntry[] = [];
  let newestAt: number | undefined;
  let lane: PageRow | undefined;
  for (const row of rows) {
    if (row.kind === 'l') lane = row;
    if (row.kind === 'e') entries.push(toEntry(row));
    if (row.kind !== 't') continue;
    const first = row.c === null ? undefined : { prev: Number(row.c) };
    topics.set(row.name, { head: Number(row.a), unknownBefore: Number(row.b), first });
    if (row.d !== null) newestAt = Math.max(newestAt ?? 0, Number(row.d));
  }
  const { name: epoch, a: seq, b: at, c: forgotten, d: isCut } = lane!;
  const head = toPosition({ epoch, seq, at });
  return { head, forgotten: Number(forgotten), isCut: isCut === '1', topics, newestAt, entries };
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

function toEntry({ name, a, b, c, id, data }: PageRow): LogEntry {
  const entry = { topic: name, seq: Number(a), prev: Number(b), at: Number(c), data: new Uint8Array(data) };
  return { ...entry, id: id ?? undefined };
}

/** Numbers of 64 bits come as text. */
function toPosition({ epoch, seq, at }: LaneRow): Position {
  return { epoch, seq: Number(seq), at: Number(at) };
}
