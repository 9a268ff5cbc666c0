import { AsyncResource } from 'node:async_hooks';
import { createAbort } from '../connection/abort.js';
import { SourcePump } from '../connection/source-pump.js';
import type { SourceTarget } from '../connection/source-pump.js';
import { discard, toSource } from '../connection/source.js';
import type { StreamSource } from '../connection/source.js';
import { SseError } from '../errors.js';
import { retryAfterOf } from '../nest/upstream-exception.js';
import type { OwnTopicName } from '../topic/own-name.js';
import type { RunEnd } from '../topic/run-end.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { packEvent } from '../wire/payload.js';
import { statusOf } from './status-of.js';

/** What a producer is given. */
export interface RunContext {
  /** Aborted when the run is to end before its producer is done; its `reason` is an error named `AbortError` that says why. */
  readonly signal: AbortSignal;
  readonly key: string;
  readonly runId: string;
}

/** Makes the events of a run: gives, or promises, what a route may return. Called once, on the node that has started the run. */
export type RunProducer = (context: RunContext) => StreamSource | Promise<StreamSource>;

/** Why a run ends that its producer does not end. */
export type Abort = RunEnd & { readonly state: 'stopped' | 'interrupted' | 'expired' };

/** Where the events of a run go, one after the other. */
export interface RunStore {
  readonly topic: OwnTopicName;
  /** Resolves when it is stored; rejects when it cannot be, and with `closed` when somebody else has ended the run. */
  store(data: Uint8Array): Promise<void>;
}

/** Who hears of what becomes of a run. */
export interface ProductionOwner {
  /** Its producer has failed. */
  failed(error: unknown): void;
  /** Nothing more will be stored. */
  ended(end: RunEnd): void;
}

/** So many bytes of a source that cannot be asked to wait may wait to be stored. */
const MAX_WAITING_BYTES = 16_777_216;

/** What a producer sees as the reason of its signal. */
class RunAborted extends Error {
  override readonly name = 'AbortError';
}

/** A run that is being produced in this process: takes the values of its source, and stores one after the other. */
export class Production implements SourceTarget {
  readonly #store: RunStore;
  readonly #owner: ProductionOwner;
  readonly #pump = new SourcePump(this);
  readonly #abort: AbortController;
  /** That of whoever has started it. */
  readonly #context = new AsyncResource('SseRun');
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isStoring = false;
  #writable: (() => void)[] = [];
  /** How it ends, once that is known. */
  #end: RunEnd | undefined;
  /** Why its producer was told to come to an end, and may still do so in its own way. */
  #farewell: Abort | undefined;
  #isSignalTaken = false;
  #isOver = false;

  constructor(store: RunStore, owner: ProductionOwner) {
    this.#store = store;
    this.#owner = owner;
    this.#abort = createAbort(false, (error) => owner.failed(error));
  }

  /** Calls the producer. */
  async start(producer: RunProducer, of: Omit<RunContext, 'signal'>): Promise<void> {
    if (this.#end !== undefined) return;
    try {
      const source = toSource(await producer(this.#contextOf(of)));
      if (source.kind === 'topics')
        throw new SseError(
          'not-a-source',
          'A run is not made of topics: give a source of its own, such as asObservable()',
        );
      if (this.#end !== undefined) discard(source);
      else this.#pump.start(source);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends it now: its producer is told, and nothing more of it is taken. */
  abort(why: Abort): void {
    if (this.#end !== undefined) return;
    this.#waiting.length = this.#waitingBytes = 0;
    this.#finish(why);
    this.#tell(why);
    this.#stopPump();
  }

  /** Tells the producer to come to an end, and lets it do so in its own way. */
  tellToEnd(why: Abort): void {
    if (this.#end !== undefined || this.#farewell !== undefined) return;
    this.#farewell = why;
    this.#tell(why);
  }

  get output(): SourceTarget['output'] {
    return this;
  }

  get isWritable(): boolean {
    return this.#waiting.length === 0;
  }

  whenWritable(): Promise<void> {
    return this.isWritable ? Promise.resolve() : new Promise((resolve) => this.#writable.push(resolve));
  }

  send(value: unknown): void {
    if (this.#end !== undefined) return;
    const data = packEvent(eventOf(value));
    this.#waitingBytes += data.byteLength;
    if (this.#waiting.length > 0 && this.#waitingBytes > MAX_WAITING_BYTES)
      throw new SseError('too-large', `More than ${MAX_WAITING_BYTES} bytes of a run wait to be stored`);
    this.#waiting.push(data);
    if (!this.#isStoring) void this.#storeAll();
  }

  /**
   * Behind a farewell its end proves nothing, if it knows of that: the clients of some models come to an end without a word when their signal
   * is aborted (openai 7, @anthropic-ai/sdk 1), and a part would be taken for the whole.
   */
  end(): void {
    this.#finish((this.#isSignalTaken && this.#farewell) || { state: 'completed' });
  }

  fail(error: unknown): void {
    if (this.#end !== undefined) return;
    if (this.#farewell !== undefined) return this.abort(this.#farewell);
    this.#context.runInAsyncScope(() => this.#owner.failed(error));
    this.#finish({ state: 'failed', status: statusOf(error), retryAfter: retryAfterOf(error) });
    this.#stopPump();
  }

  #contextOf(of: Omit<RunContext, 'signal'>): RunContext {
    const take = (): AbortSignal => {
      this.#isSignalTaken = true;
      return this.#abort.signal;
    };
    return {
      ...of,
      get signal() {
        return take();
      },
    };
  }

  /** Does nothing when its source has come to its end by itself. */
  #stopPump(): void {
    this.#context.runInAsyncScope(() => this.#pump.stop());
  }

  #tell({ reason, state }: Abort): void {
    const why = reason === undefined || reason === state ? state : `${state}: ${reason}`;
    this.#context.runInAsyncScope(() => this.#abort.abort(new RunAborted(`The run is ${why}`)));
  }

  async #storeAll(): Promise<void> {
    this.#isStoring = true;
    try {
      for (let data = this.#waiting[0]; data !== undefined; data = this.#waiting[0]) {
        await this.#store.store(data);
        // It may have been aborted meanwhile, and have nothing that waits any more.
        if (this.#waiting[0] === data) this.#waitingBytes -= (this.#waiting.shift() as Uint8Array).byteLength;
        this.#release();
      }
    } catch (error) {
      this.#waiting.length = this.#waitingBytes = 0;
      // Who has lost a run has not failed.
      if (SseError.is(error) && error.code === 'closed') this.abort({ state: 'interrupted', reason: 'lease' });
      else this.fail(error);
    }
    this.#isStoring = false;
    this.#release();
    this.#settle();
  }

  #release(): void {
    if (!this.isWritable) return;
    for (const resolve of this.#writable.splice(0)) resolve();
  }

  #finish(end: RunEnd): void {
    this.#end ??= end;
    this.#settle();
  }

  /** Once it has its end, and all before it is stored. */
  #settle(): void {
    if (this.#isOver || this.#end === undefined || this.#isStoring || this.#waiting.length > 0) return;
    this.#isOver = true;
    this.#owner.ended(this.#end);
  }
}

/** An event of a run has no id of its own: its place in the log is its id. */
function eventOf(value: unknown): SseEvent | SseNotice {
  const given = toEvent(value);
  const event = isDataPart(given) ? { data: value } : given;
  checkSourceEvent(event);
  return event;
}

/** `{ type: 'data-…', id, data }` is a part of the AI SDK, and has the shape of an event. */
function isDataPart(event: SseEvent | SseNotice): boolean {
  return 'id' in event && event.id !== undefined && event.type?.startsWith('data-') === true;
}
