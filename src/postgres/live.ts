import type { EngineSink } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import type { Connections } from './connections.js';
import type { ListedInterest } from './interest.js';
import type { PostgresLink } from './link.js';
import { Listener } from './listener.js';
import type { PostgresSettings } from './options.js';
import type { Outbox } from './outbox.js';
import { Deaf } from './probe.js';
import { logChannel } from './schema.js';
import type { Statements } from './statements.js';
import { Tail } from './tail.js';
import type { Line } from './tail.js';

export interface LiveOptions {
  readonly settings: PostgresSettings;
  readonly connections: Connections;
  readonly link: PostgresLink;
  readonly sql: Statements;
  readonly interest: ListedInterest;
  readonly outbox: Outbox;
  readonly sink: Pick<EngineSink, 'entry' | 'interrupted' | 'resumed'>;
}

/**
 * Live delivery: a reader of the tables that notifications wake, and that goes on without them, later, for as long as they do not
 * arrive. So a connection that listens in vain, or is lost, costs time and no event.
 */
export class PostgresLive {
  readonly #options: LiveOptions;
  readonly #tail: Tail;
  readonly #listener: Listener | undefined;
  #hasBeenUp = false;
  #isWarned = false;

  constructor(options: LiveOptions) {
    const { settings, link, sql, interest, sink } = options;
    this.#options = options;
    this.#tail = new Tail({
      ...settings,
      link,
      statement: sql.tail,
      interest,
      sink,
      onUp: () => this.#up(),
      onDown: (error) => sink.interrupted(error),
    });
    if (settings.isListening) this.#listener = this.#listen();
  }

  /** Why it does not work, if it does not. */
  get failure(): unknown {
    return this.#tail.failure;
  }

  /** Resolves to a position beyond which every entry is delivered of the topics that are wanted now. */
  ready(): Promise<Position> {
    return this.#tail.ready();
  }

  async close(): Promise<void> {
    await Promise.all([this.#tail.close(), this.#listener?.close()]);
  }

  #listen(): Listener {
    const { settings, connections, link, sql, outbox } = this.#options;
    const { schema, timeoutMs, probeMs } = settings;
    return new Listener({
      create: connections.createListenClient,
      statement: sql.listen,
      notify: (payload) => {
        const deadline = performance.now() + timeoutMs;
        return link.run(sql.probe, () => [payload], { deadline, isAbandoned: true });
      },
      onNotification: (channel, payload, sender) => {
        if (channel === logChannel(schema)) this.#tail.ring(sender, payload);
        else outbox.ring();
      },
      onLine: (line) => this.#use(line),
      onSilence: (error, since) => this.#tellOf(error, since),
      timeoutMs,
      probeMs,
    });
  }

  #use(line: Line | undefined): void {
    if (line !== undefined) this.#isWarned = false;
    this.#tail.use(line);
  }

  /** While the pool is of no use either, that is what there is to tell. After an interruption both may need their time. */
  #tellOf(error: unknown, since: number): void {
    const { settings, connections } = this.#options;
    const patienceMs = error instanceof Deaf ? 0 : 2 * settings.probeMs;
    if (this.#isWarned || this.#tail.readAt < since + patienceMs) return;
    this.#isWarned = true;
    const cause = connections.failures.clean(error);
    const effect = `until then new events are looked for every ${settings.pollMs} ms`;
    const problem = `postgresEngine: no notifications arrive, and ${effect}: ${cause.message}`;
    try {
      settings.onWarning(new Error(problem, { cause }));
    } catch (thrown) {
      process.emitWarning(connections.failures.clean(thrown).message);
    }
  }

  #up(): void {
    if (this.#hasBeenUp) this.#options.sink.resumed();
    this.#hasBeenUp = true;
  }
}
