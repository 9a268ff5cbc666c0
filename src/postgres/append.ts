import { randomUUID } from 'node:crypto';
import type { AppendRequest, Retention } from '../engine/engine.js';
import { DeadlineTimer } from '../engine/kit/deadline.js';
import { MAX_WAITING_BYTES } from '../engine/kit/failure.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import { encodeBatch, encodeOne, toNumber, toText } from './codec.js';
import type { PostgresLink, Trace } from './link.js';
import type { Statements } from './statements.js';

const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 1_048_576;
const LOCK_SHARE = 0.8;

interface Waiting {
  readonly request: AppendRequest;
  readonly deadline: number;
  resolve(position: Position): void;
  reject(error: SseError): void;
}

/** A batch that is on its way: those of it that still wait, and what is known of it. */
interface Sent {
  readonly waiting: Waiting[];
  readonly trace: Trace;
}

export interface AppendOptions {
  readonly failures: EngineFailures;
  readonly link: PostgresLink;
  readonly statements: Pick<Statements, 'append' | 'appendOne'>;
  readonly isNotified: boolean;
  readonly timeoutMs: number;
  readonly now: (() => number) | undefined;
}

/**
 * Appends in batches, one at a time: what comes while one is on its way goes with the next. So the order of calls is kept, and a
 * commit is shared by all that wait for it. Each batch has a number, by which the server knows one that is sent again.
 */
export class PostgresAppender {
  readonly #options: AppendOptions;
  readonly #writer = randomUUID();
  readonly #queue: Waiting[] = [];
  #batchNumber = 0;
  #sent: Sent | undefined;
  #waitingBytes = 0;
  #working: Promise<void> | undefined;
  readonly #timer = new DeadlineTimer(
    () => (this.#sent?.waiting[0] ?? this.#queue[0])?.deadline,
    (now) => this.#expire(now),
  );

  constructor(options: AppendOptions) {
    this.#options = options;
  }

  append(request: AppendRequest): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#waitingBytes > MAX_WAITING_BYTES) {
        reject(this.#options.failures.tooMuchWaits());
        return;
      }
      const deadline = performance.now() + this.#options.timeoutMs;
      this.#waitingBytes += request.data.byteLength;
      this.#queue.push({ request, deadline, resolve, reject });
      this.#timer.arm();
      // In a turn of its own: what is appended at once goes in one batch.
      this.#working ??= Promise.resolve().then(() => this.#work());
    });
  }

  /** What is on its way is waited for; what is not, is refused. */
  async close(): Promise<void> {
    for (const waiting of this.#queue.splice(0)) waiting.reject(this.#options.failures.closed());
    await this.#working;
    this.#timer.stop();
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#send(this.#take());
      this.#sent = undefined;
    }
    this.#working = undefined;
  }

  /** The next batch. Within one, a topic has one retention: the last would otherwise decide on what came before. */
  #take(): Waiting[] {
    const retentions = new Map<string, Retention>();
    let bytes = 0;
    let count = 0;
    for (const { request } of this.#queue) {
      const { topic, data, retention } = request;
      bytes += data.byteLength;
      const isOther = !isSame(retentions.get(topic) ?? retention, retention);
      if (count > 0 && (count >= MAX_BATCH || bytes > MAX_BATCH_BYTES || isOther)) break;
      retentions.set(topic, retention);
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const { link, statements, isNotified, now } = this.#options;
    const sent: Sent = { waiting: [...batch], trace: { isUncertain: false, isGivenUp: false } };
    this.#sent = sent;
    const requests = batch.map(({ request }) => request);
    const [first] = requests as [AppendRequest];
    const [statement, events] =
      requests.length === 1 ? [statements.appendOne, encodeOne(first)] : [statements.append, encodeBatch(requests)];
    const encoded = [this.#writer, ++this.#batchNumber, ...events, isNotified];
    // The lock is given up before the answer would come too late: then it is certain that nothing was stored.
    const values = (ms: number): unknown[] => [...encoded, Math.max(1, Math.floor(ms * LOCK_SHARE)), now?.() ?? null];
    try {
      const deadline = batch.at(-1)!.deadline;
      const rows = await link.run<StoredRow>(statement, values, { deadline, trace: sent.trace });
      const [stored] = rows as [StoredRow];
      if (stored.epoch === null) throw new Error('a later one had been stored before it came');
      resolveAll(sent, stored);
    } catch (error) {
      const { isUncertain } = sent.trace;
      const failed = this.#failure(isUncertain, error);
      for (const waiting of sent.waiting) waiting.reject(failed);
    }
    for (const { request } of batch) this.#waitingBytes -= request.data.byteLength;
  }

  #expire(now: number): void {
    const late = new Error(`no answer within ${this.#options.timeoutMs} ms`);
    if (this.#sent !== undefined) {
      const { waiting, trace } = this.#sent;
      const given = takeLate(waiting, now);
      // Once nobody waits for it, a batch that has not been sent never is. Of any other, each event may still be stored.
      trace.isGivenUp = waiting.length === 0;
      const isUncertain = trace.isUncertain || !trace.isGivenUp;
      for (const each of given) each.reject(this.#failure(isUncertain, late));
    }
    for (const each of takeLate(this.#queue, now)) {
      each.reject(this.#failure(false, late));
      this.#waitingBytes -= each.request.data.byteLength;
    }
  }

  #failure(isUncertain: boolean, error: unknown): SseError {
    const { failures } = this.#options;
    return isUncertain ? failures.uncertain(error) : failures.failed('store the event', error);
  }
}

/** Takes those from the front whose deadline has passed. */
function takeLate(waiting: Waiting[], now: number): Waiting[] {
  const first = waiting.findIndex(({ deadline }) => deadline > now);
  return waiting.splice(0, first === -1 ? waiting.length : first);
}

interface StoredRow {
  /** `null`: nothing was stored, as the next batch had been stored before. */
  readonly epoch: unknown;
  readonly seq: unknown;
  readonly at: unknown;
}

/** Those of a batch that still wait are the last of it. */
function resolveAll({ waiting }: Sent, stored: StoredRow): void {
  const [epoch, last, at] = [toText(stored.epoch), toNumber(stored.seq), toNumber(stored.at)];
  let seq = last - waiting.length;
  for (const each of waiting) each.resolve({ epoch, seq: ++seq, at });
}

function isSame(one: Retention, other: Retention): boolean {
  if (one === other) return true;
  return one.maxEvents === other.maxEvents && one.maxBytes === other.maxBytes && one.maxAgeMs === other.maxAgeMs;
}
