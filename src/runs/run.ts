import { readHistory } from '../connection/read-history.js';
import { Selection } from '../connection/selection.js';
import { NO_STEPS } from '../connection/transform.js';
import { runTopic } from '../topic/own-name.js';
import { parsePosition } from '../topic/position.js';
import type { ReadEvent, SseEvent } from '../wire/event.js';
import { checkReason } from './options.js';
import { nodeOf, stateOf } from './run-record.js';
import type { RunRecord, RunState } from './run-record.js';
import type { Runs } from './runs.js';

export interface ResultOptions {
  /**
   * Whether the events are wanted, too: all that are still kept.
   *
   * @default false
   */
  readonly events?: boolean | undefined;
  /** Ends the waiting: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How a run has ended. */
export interface RunResult<E extends SseEvent = SseEvent> {
  readonly state: Exclude<RunState, 'running'>;
  /** Why it was stopped or interrupted. */
  readonly reason: string | undefined;
  /** In their order, if they were asked for. */
  readonly events: readonly ReadEvent<E>[] | undefined;
  /** Whether these are all that the run had: the oldest of one with more than `maxBytes` are gone. `undefined`: they were not asked for. */
  readonly isWhole: boolean | undefined;
}

export interface StopOptions {
  /** Only if it is this run: one that has taken its place meanwhile goes on. */
  readonly ifRunId?: string | undefined;
  /**
   * Told to the producer, and to whoever asks for the result; up to 1,000 characters.
   *
   * @default 'stopped'
   */
  readonly reason?: string | undefined;
}

const HEADER = 'X-Run-Id';
const PAGE = 10_000;

/**
 * Work whose output outlives the request that has asked for it. Returned from a route, it streams the run from its first event, or from
 * where the client was; a client that leaves does not stop it.
 */
export class Run<T = unknown, E extends SseEvent = SseEvent<T>> extends Selection<T, E> {
  readonly key: string;
  /** Of all runs under all keys, this one. */
  readonly id: string;
  readonly #runs: Runs;
  readonly #record: RunRecord;

  /** @internal */
  constructor(runs: Runs, record: RunRecord) {
    const { id, key, place } = record;
    super(runs.node.hub, [key], NO_STEPS, place, {
      topic: runTopic(key, id),
      place,
      headers: { [HEADER]: id },
      isOver: (lastEventId) => isBehind(lastEventId, record),
      isAfter: (lastEventId) => isBefore(lastEventId, record),
      watched: (until) => runs.watchers.add(record, until),
    });
    this.key = key;
    this.id = id;
    this.#runs = runs;
    this.#record = record;
  }

  /** As this node knows it at this moment. */
  get state(): RunState {
    return stateOf(this.#record);
  }

  get startedAt(): Date {
    return new Date(this.#record.startedAtMs);
  }

  /** The node that produces it, or did. */
  get owner(): string {
    return nodeOf(this.#record.session);
  }

  /**
   * Waits for the end, on whichever node that comes.
   *
   * @throws SseError `engine-failed` or `closed`, as a rejection, and the reason of the signal
   */
  async result({ events = false, signal }: ResultOptions = {}): Promise<RunResult<E>> {
    await this.#runs.awaited.of(this.#record, signal);
    signal?.throwIfAborted();
    const { state, reason } = this.#record.end as NonNullable<RunRecord['end']>;
    return { state, reason, ...(events ? await this.#read() : { events: undefined, isWhole: undefined }) };
  }

  /**
   * Stops it, wherever it is produced: its producer's signal is aborted. Resolves to whether it was running.
   *
   * @throws SseError `engine-failed`, `engine-uncertain` or `closed`, as a rejection
   */
  async stop({ reason }: Pick<StopOptions, 'reason'> = {}): Promise<boolean> {
    if (this.state !== 'running') return false;
    await this.#runs.stop(this.#record, checkReason(reason));
    return true;
  }

  async #read(): Promise<{ events: ReadEvent<E>[]; isWhole: boolean }> {
    const all: ReadEvent<E>[] = [];
    let isWhole = true;
    for (let after = this.#record.place; ;) {
      const page = await readHistory<E>(this.hub, this, { after, limit: PAGE });
      all.push(...page.events);
      isWhole &&= page.holes.length === 0;
      if (!page.hasMore) return { events: all, isWhole };
      after = page.lastEventId;
    }
  }
}

/** Whether a place is behind the end of a run. */
function isBehind(lastEventId: string | undefined, { end, place }: RunRecord): boolean {
  const at = parsePosition(lastEventId);
  return end !== undefined && at !== undefined && at.seq >= end.seq && at.epoch === parsePosition(place)?.epoch;
}

/** Whether a place is one before a run: of another one under its key. */
function isBefore(lastEventId: string | undefined, { place }: RunRecord): boolean {
  const [at, start] = [parsePosition(lastEventId), parsePosition(place)];
  return at !== undefined && start !== undefined && at.epoch === start.epoch && at.seq < start.seq;
}
