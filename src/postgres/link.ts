import { backOffMs, idle, within } from '../engine/kit/deadline.js';
import { SseError } from '../errors.js';
import { TEXT } from './codec.js';
import { ignore } from './driver.js';
import type { OpenPool, PostgresPool, PostgresPoolClient } from './driver.js';
import { Failure, connectFailure, statementFailure } from './failure.js';

const FIRST_RETRY_MS = 25;
const MAX_RETRY_MS = 400;
/** Less than this is no time for another try: it would only make a certain failure uncertain. */
const MIN_TRY_MS = 200;

/** When a call must have settled, on the clock of `performance.now()`. */
export type Deadline = number;

export interface CallOptions {
  readonly deadline: Deadline;
  /** Ends the call at once when the engine closes; without it, a statement that was sent is waited for. */
  readonly isAbandoned?: boolean | undefined;
  /** Whether what may go better on another try is tried again. */
  readonly isRetried?: boolean | undefined;
  readonly trace?: Trace | undefined;
}

/** What a call and who waits for it know of each other. */
export interface Trace {
  /** Kept up to date by the call: whether the statement may have been executed, for all that is known at the moment. */
  isUncertain: boolean;
  /** Set by who waits: nobody does any more, and what has not been sent must not be. */
  isGivenUp: boolean;
}

/** What statements work on. */
export interface Ground {
  /** Sees to it that it is there. Called before each statement, so it must be quick when it is. */
  ensure(link: PostgresLink, deadline: Deadline): Promise<void>;
  /** It turned out not to be there. */
  forget(): void;
}

/** Runs statements on clients of a pool, each within its deadline. */
export class PostgresLink {
  readonly #open: () => Promise<OpenPool>;
  readonly #clean: (error: unknown) => Error;
  readonly #closing: AbortSignal;
  readonly #ground: Ground;
  #opened: Promise<OpenPool> | undefined;

  /** @param clean takes out of a driver's error what must not be told */
  constructor(open: () => Promise<OpenPool>, clean: (error: unknown) => Error, ground: Ground, closing: AbortSignal) {
    this.#open = open;
    this.#clean = clean;
    this.#ground = ground;
    this.#closing = closing;
  }

  /**
   * Runs a statement, and again when that may help, until the deadline. Rejects with a {@link Failure}.
   *
   * @param values for a try that has so many ms
   */
  async run<Row>(text: string, values: (ms: number) => unknown[], options: CallOptions): Promise<Row[]> {
    const { deadline, isRetried = true, trace = { isUncertain: false, isGivenUp: false } } = options;
    for (let attempt = 0; ; attempt++) {
      const before = trace.isUncertain;
      try {
        await this.#ground.ensure(this, deadline);
        return await this.#try<Row>(text, values, options, trace);
      } catch (error) {
        if (SseError.is(error)) throw error;
        const failure = error as Failure;
        trace.isUncertain = before || failure.isUncertain;
        if (failure.isGone) this.#ground.forget();
        const isWorthIt = failure.isTransient || (failure.isGone && attempt < 3);
        const left = deadline - performance.now() - MIN_TRY_MS;
        if (left <= 0 || this.#closing.aborted || !isWorthIt || !isRetried) throw new Failure(failure.cause, trace);
        await idle(backOffMs(attempt, FIRST_RETRY_MS, Math.min(MAX_RETRY_MS, left)), this.#closing);
      }
    }
  }

  /** Lends a client of the pool. It goes back, or is closed when it has failed or has not answered in time. */
  async use<T>(
    { deadline, isAbandoned }: CallOptions,
    work: (client: PostgresPoolClient) => Promise<T>,
    ms = deadline - performance.now(),
  ): Promise<T> {
    const client = await this.#acquire(deadline);
    client.on('error', ignore);
    let failure: Failure | undefined;
    try {
      const late = (): Failure =>
        new Failure(new Error(`no answer within ${Math.round(ms)} ms`), {
          isUncertain: true,
          isTransient: true,
          isCut: true,
        });
      return await within(work(client), ms, late, isAbandoned === true ? this.#closing : undefined);
    } catch (error) {
      failure = error instanceof Failure ? error : statementFailure(this.#clean(error));
      throw SseError.is(error) ? error : failure;
    } finally {
      client.off('error', ignore);
      // One that is in the middle of something would give its answer to the next who uses it.
      client.release(failure?.isCut);
    }
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    opened?.pool.off?.('error', ignore);
    opened?.pool.off?.('connect', listen);
    await opened?.close();
  }

  async #acquire(deadline: Deadline): Promise<PostgresPoolClient> {
    const ms = deadline - performance.now();
    const late = (): Failure =>
      new Failure(new Error(`no connection within ${Math.round(ms)} ms, of the pool or of the server`), {
        isTransient: true,
      });
    let connecting: Promise<PostgresPoolClient> | undefined;
    try {
      const pool = await this.#pool();
      connecting = pool.connect();
      return await within(connecting, ms, late, this.#closing);
    } catch (error) {
      // It may still come, and has to go back then.
      connecting?.then((client) => client.release(), ignore);
      if (SseError.is(error) || error instanceof Failure) throw error;
      throw connectFailure(this.#clean(error));
    }
  }

  async #pool(): Promise<PostgresPool> {
    this.#opened ??= this.#open().then((opened) => {
      // Without a listener, a client that loses its connection while it is idle, or while it is being handed over, would end
      // the process.
      opened.pool.on?.('error', ignore);
      opened.pool.on?.('connect', listen);
      return opened;
    });
    return (await this.#opened).pool;
  }

  /** It gets half of the time that is left, so that a connection that leads nowhere does not use up all of it. */
  #try<Row>(text: string, values: (ms: number) => unknown[], options: CallOptions, trace: Trace): Promise<Row[]> {
    const left = options.deadline - performance.now();
    const ms = options.isRetried === false ? left : Math.max(left / 2, Math.min(left, MIN_TRY_MS));
    const query = async (client: PostgresPoolClient): Promise<Row[]> => {
      if (trace.isGivenUp) throw new Failure(new Error('given up before it was sent'));
      trace.isUncertain = true;
      const { rows } = await client.query({ text, values: values(ms), types: TEXT });
      return rows as Row[];
    };
    return this.use(options, query, ms);
  }
}

function listen(client: PostgresPoolClient): void {
  client.on('error', ignore);
}
