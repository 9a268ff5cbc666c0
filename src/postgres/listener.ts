import type { ListenClient } from './driver.js';
import { destroy, endClient } from './driver.js';
import { Gate } from './live-source.js';
import type { LiveEvents, LiveSource } from './live-source.js';
import { backOff, pause, within } from './timing.js';

const MAX_RETRY_MS = 5_000;

export interface ListenerOptions {
  /** A connection that has not been opened. */
  readonly create: () => Promise<ListenClient>;
  /** The statement that makes it listen. */
  readonly statement: string;
  readonly onNotification: (channel: string, payload: string) => void;
  readonly events: LiveEvents;
  readonly deadlineMs: number;
  readonly probeMs: number;
}

/** Keeps one connection that listens, and opens another whenever it is lost. */
export class Listener implements LiveSource {
  readonly #options: ListenerOptions;
  readonly #closing = new AbortController();
  readonly #gate = new Gate();
  readonly #running: Promise<void>;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  ready(): Promise<void> {
    return this.#gate.opened;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const error = await this.#session();
      if (signal.aborted) return;
      if (this.#gate.isOpen) {
        attempt = 0;
        this.#gate.close();
        this.#options.events.down(error);
      }
      await backOff(attempt, MAX_RETRY_MS, signal);
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
    const { statement, onNotification, events, deadlineMs } = this.#options;
    const lost = new Promise<never>((_, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection that listens has ended')));
      this.#closing.signal.addEventListener('abort', reject, { once: true, signal: ending });
    });
    lost.catch(() => undefined);
    client.on('notification', ({ channel, payload = '' }) => {
      // Before "up" nothing may come; after it, what came before is read.
      if (this.#gate.isOpen && !ending.aborted) onNotification(channel, payload);
    });
    const late = (): Error => new Error(`no answer within ${deadlineMs} ms`);
    const begin = async (): Promise<void> => {
      await client.connect();
      await client.query(statement);
    };
    await within(Promise.race([begin(), lost]), deadlineMs, late);
    this.#gate.open();
    events.up();
    return await Promise.race([lost, this.#probe(client, ending)]);
  }

  /** Nothing else tells that the network swallows everything. */
  async #probe(client: ListenClient, ending: AbortSignal): Promise<never> {
    const { probeMs } = this.#options;
    const late = (): Error => new Error(`the connection that listens has not answered within ${probeMs / 2} ms`);
    for (;;) {
      await pause(probeMs, ending);
      ending.throwIfAborted();
      await within(client.query('SELECT 1'), probeMs / 2, late);
    }
  }

  async #leave(client: ListenClient): Promise<void> {
    if (this.#closing.signal.aborted) await endClient(client);
    else destroy(client);
  }
}
