import { backOffMs, idle, within } from '../engine/kit/deadline.js';
import { TEXT } from './codec.js';
import { destroy, endClient, ignore } from './driver.js';
import type { ListenClient } from './driver.js';
import { statementFailure } from './failure.js';
import { Deaf, PostgresProbe } from './probe.js';
import type { Line } from './tail.js';

const FIRST_RETRY_MS = 25;
const MAX_RETRY_MS = 5_000;
/** With a name, the statement is parsed once for the connection: 0.12 ms a read in place of 0.19, where a bare one takes 0.07. */
const READ = 'nestjs-event-stream read';

export interface ListenerOptions {
  /** A connection that has not been opened. */
  readonly create: () => Promise<ListenClient>;
  /** The statement that makes it listen. */
  readonly statement: string;
  /** Sends this to a channel that it listens to, over the pool. */
  readonly notify: (payload: string) => Promise<unknown>;
  readonly onNotification: (channel: string, payload: string, sender: number) => void;
  /** Notifications arrive, and it can be read over the same connection; or they do not, or not any more. */
  readonly onLine: (line: Line | undefined) => void;
  /** A further connection has not been told of anything, and none before it since then. */
  readonly onSilence: (error: unknown, since: number) => void;
  readonly timeoutMs: number;
  readonly probeMs: number;
}

/** Keeps one connection that listens, and opens another whenever it is lost or hears nothing. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #hasHeard = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { onLine, onSilence, probeMs } = this.#options;
    const { signal } = this.#closing;
    let silentSince = performance.now();
    for (let attempt = 0; !signal.aborted; attempt++) {
      this.#hasHeard = false;
      const error = await this.#session();
      if (signal.aborted) return;
      onLine(undefined);
      if (this.#hasHeard) [attempt, silentSince] = [0, performance.now()];
      else onSilence(error, silentSince);
      // Another connection to the same place would mostly hear no more.
      await idle(
        error instanceof Deaf && !this.#hasHeard ? probeMs : backOffMs(attempt, FIRST_RETRY_MS, MAX_RETRY_MS),
        signal,
      );
    }
  }

  /** The life of one connection. Resolves with what ended it, once it is closed. */
  async #session(): Promise<unknown> {
    const ending = new AbortController();
    let client: ListenClient | undefined;
    try {
      client = await this.#options.create();
      this.#closing.signal.throwIfAborted();
      return await this.#listen(client, ending.signal);
    } catch (error) {
      return error;
    } finally {
      ending.abort();
      if (client !== undefined) await this.#leave(client);
    }
  }

  async #listen(client: ListenClient, ending: AbortSignal): Promise<never> {
    const { statement, notify, onNotification, onLine, timeoutMs, probeMs } = this.#options;
    const probe = new PostgresProbe(notify, Math.min(probeMs, timeoutMs) / 2);
    let lose!: (error: unknown) => void;
    const lost = new Promise<never>((_, reject) => {
      lose = reject;
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection that listens has ended')));
      this.#closing.signal.addEventListener('abort', reject, { once: true, signal: ending });
    });
    lost.catch(ignore);
    client.on('notification', ({ channel, payload = '', processId = 0 }) => {
      if (!ending.aborted && !probe.take(payload)) onNotification(channel, payload, processId);
    });
    const late = (): Error => new Error(`no answer within ${timeoutMs} ms`);
    const begin = async (): Promise<void> => {
      await client.connect();
      await client.query(statement);
    };
    await within(Promise.race([begin(), lost]), timeoutMs, late);
    await Promise.race([probe.confirm(), lost]);
    this.#hasHeard = true;
    onLine((text, values) => this.#read(client, text, values, lose));
    return await Promise.race([lost, this.#repeat(probe, ending)]);
  }

  async #repeat(probe: PostgresProbe, ending: AbortSignal): Promise<never> {
    for (;;) {
      await idle(this.#options.probeMs, ending);
      ending.throwIfAborted();
      await probe.check();
    }
  }

  /** That an answer comes in time is the second thing that the connection is tried by. */
  async #read(
    client: ListenClient,
    text: string,
    values: (ms: number) => unknown[],
    lose: (error: unknown) => void,
  ): Promise<readonly unknown[]> {
    const ms = this.#options.probeMs / 2;
    const late = (): Error => new Error(`the connection that listens has not answered within ${ms} ms`);
    try {
      const query = { name: READ, text, values: values(ms), types: TEXT };
      const { rows } = await within(client.query(query), ms, late);
      return rows;
    } catch (error) {
      if (statementFailure(error).isCut) lose(error);
      throw error;
    }
  }

  async #leave(client: ListenClient): Promise<void> {
    if (this.#closing.signal.aborted) await endClient(client);
    else destroy(client);
  }
}
