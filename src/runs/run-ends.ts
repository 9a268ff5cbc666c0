import { createHash } from 'node:crypto';
import type { LogEntry, Retention } from '../engine/engine.js';
import { payloadOf } from '../engine/text-entry.js';
import type { OwnLog } from '../node/own-log.js';
import { runTopic } from '../topic/own-name.js';
import type { OwnTopicName } from '../topic/own-name.js';
import { parsePosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { failureOf, formatRunEnd, parseRunEnd } from '../topic/run-end.js';
import type { RunEnd } from '../topic/run-end.js';
import { controlOf, packEnd, packEvent, saidAtEnd, unpackEvent } from '../wire/payload.js';
import type { RecordedEnd, RunRecord } from './run-record.js';
import type { RunMessage } from './run-table.js';

const PAGE = { maxEntries: 1_000, maxBytes: 1_048_576 };
/** The clocks of this process and of the engine may differ by so much. */
const CLOCKS_MS = 60_000;
const MARK_BYTES = 8_192;

/**
 * The ends of runs. A run's own topic has it behind its last event, and the first one there is the one that counts, whoever has written it:
 * everybody who reads ends at it. The nodes are told of it, and a mark that stands for its key tells who comes late.
 */
export class RunEnds {
  readonly #log: OwnLog;
  readonly #send: (message: RunMessage) => Promise<unknown>;

  constructor(log: OwnLog, send: (message: RunMessage) => Promise<unknown>) {
    this.#log = log;
    this.#send = send;
  }

  /**
   * Writes the end of a run, unless it has one. Resolves when all nodes can know of it, or this one is closed.
   *
   * @param isFirst asked once it is written: whether nobody else can have written one before
   */
  async write(run: RunRecord, end: RunEnd, isFirst: () => boolean): Promise<void> {
    const data = packEnd(failureOf(end) === undefined ? 'complete' : 'failed', formatRunEnd(end));
    const request = {
      topic: runTopic(run.key, run.id),
      data,
      retention: retentionOf(run, elapsedMs(run) + run.retainMs),
    };
    const stored = await this.#log.persist(() => this.#log.append(request));
    if (stored === undefined) return;
    const first = isFirst()
      ? { ...end, seq: stored.seq, atMs: stored.at }
      : await this.#log.persist(() => this.#find(run));
    // The log may have become another one meanwhile.
    const counted = first ?? { ...end, seq: stored.seq, atMs: stored.at };
    const { seq, atMs, ...told } = counted;
    const sent = await this.#log.persist(() => this.#send({ op: 'end', run: run.id, end: told, seq }));
    if (sent !== undefined) await this.#log.persist(() => this.#mark({ ...run, end: { ...told, seq, atMs } }));
  }

  /** Tells the nodes of an end that a run has, if they do not know of it yet: whoever watched it may. Resolves to whether it has one. */
  async tell(run: RunRecord): Promise<boolean> {
    const newest = await this.#log.newest(runTopic(run.key, run.id));
    const end = newest && endOf(newest);
    if (end !== undefined) await this.#send({ op: 'end', run: run.id, end, seq: newest!.seq });
    return end !== undefined;
  }

  /** The last run under a key that has ended, if the log still has it. Rejects with the engine's error. */
  async last(key: string): Promise<RunRecord | undefined> {
    const page = await this.#log.read({ topics: [markOf(key)], after: undefined, ...PAGE });
    const entry = page.entries.at(-1);
    const event = entry && unpackEvent(payloadOf(entry));
    if (event === undefined || !('data' in event)) return undefined;
    const run = event.data as RunRecord;
    // Two keys have the same mark only if somebody makes it so; and a place of another log is none in this one.
    const isOf = run.key === key && parsePosition(run.place)?.epoch === page.upTo.epoch;
    return isOf && run.end !== undefined && run.end.atMs + run.retainMs > Date.now() ? run : undefined;
  }

  /** The first end that the topic of a run has. */
  async #find({ id, key, place }: RunRecord): Promise<RecordedEnd | undefined> {
    const topics = [runTopic(key, id)];
    let after: Position | undefined = parsePosition(place);
    for (;;) {
      const page = await this.#log.read({ topics, after: after?.seq, ...PAGE });
      if (after !== undefined && after.epoch !== page.upTo.epoch) {
        after = undefined;
        continue;
      }
      for (const entry of page.entries) {
        const end = endOf(entry);
        if (end !== undefined) return { ...end, seq: entry.seq, atMs: entry.at };
      }
      if (page.entries.length === 0) return undefined;
      after = page.upTo;
    }
  }

  async #mark(run: RunRecord): Promise<void> {
    const retention = { maxEvents: 1, maxBytes: MARK_BYTES, maxAgeMs: run.retainMs + CLOCKS_MS };
    await this.#log.append({ topic: markOf(run.key), data: packEvent({ data: run }), retention });
  }
}

/** How much of a run's topic is kept. It is the whole of a run: how old its first event may get is for how long it takes. */
export function retentionOf({ maxBytes }: Pick<RunRecord, 'maxBytes'>, ms: number): Retention {
  return { maxEvents: Infinity, maxBytes, maxAgeMs: ms + CLOCKS_MS };
}

/** What an entry of a run's topic says of its end; `undefined` for an event. */
export function endOf(entry: LogEntry): RunEnd | undefined {
  const payload = payloadOf(entry);
  if (controlOf(payload) === undefined) return undefined;
  return parseRunEnd(saidAtEnd(payload)) ?? { state: 'failed' };
}

function elapsedMs({ startedAtMs }: RunRecord): number {
  return Math.max(0, Date.now() - startedAtMs);
}

/** Of one length, however long the key is. */
function markOf(key: string): OwnTopicName {
  return `/runs/${createHash('sha256').update(key).digest('base64url')}`;
}
