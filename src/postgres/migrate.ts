import { within } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import { refuse } from '../rules.js';
import { createEpoch } from '../topic/position.js';
import { TEXT, toNumber, toText } from './codec.js';
import type { Row } from './codec.js';
import type { PostgresPoolClient } from './driver.js';
import { Failure } from './failure.js';
import type { PostgresLink, Deadline, Ground } from './link.js';
import { quoteIdentifier } from './quote.js';
import { SCHEMA_VERSION, schemaObjectsSql } from './schema.js';

/** The first of the two numbers of our advisory locks; the second is made of the schema's name. */
const LOCK_SPACE = 'nestjs-event-stream';

/** Sees to it that the schema is there, of the version that this code works with, and that the lane has begun. */
export class Migration implements Ground {
  readonly #schema: string;
  readonly #isAllowed: boolean;
  readonly #timeoutMs: number;
  readonly #failures: EngineFailures;
  #isDone = false;
  #running: Promise<void> | undefined;

  constructor(schema: string, isAllowed: boolean, timeoutMs: number, failures: EngineFailures) {
    this.#schema = schema;
    this.#isAllowed = isAllowed;
    this.#timeoutMs = timeoutMs;
    this.#failures = failures;
  }

  /** Resolves at once when that was seen to before. */
  async ensure(link: PostgresLink, deadline: Deadline): Promise<void> {
    if (this.#isDone) return;
    this.#running ??= this.#run(link)
      .then(() => void (this.#isDone = true))
      .finally(() => (this.#running = undefined));
    const late = (): Failure => new Failure(new Error('the schema was not ready in time'), { isTransient: true });
    await within(this.#running, deadline - performance.now(), late);
  }

  /** It is not there any more. */
  forget(): void {
    this.#isDone = false;
  }

  async #run(link: PostgresLink): Promise<void> {
    const deadline = performance.now() + this.#timeoutMs;
    await link.use({ deadline, isAbandoned: true }, async (client) => {
      const version = await this.#version(client);
      if (version === SCHEMA_VERSION && (await this.#hasBegun(client))) return;
      if (version !== SCHEMA_VERSION && (version !== undefined || !this.#isAllowed)) throw this.#mismatch(version);
      await this.#begin(client);
    });
  }

  /** What is not there yet, in one transaction, which nodes that start at once do one after the other. */
  async #begin(client: PostgresPoolClient): Promise<void> {
    // Who has waited for the lock has to see what the other has done, whatever transactions see here by default.
    await run(client, 'BEGIN ISOLATION LEVEL READ COMMITTED');
    try {
      await run(client, 'SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))', [LOCK_SPACE, this.#schema]);
      if ((await this.#version(client)) === undefined) await this.#create(client);
      await run(client, `SELECT ${quoteIdentifier(this.#schema)}.begin($1)`, [createEpoch()]);
      await run(client, 'COMMIT');
    } catch (error) {
      await run(client, 'ROLLBACK');
      throw error;
    }
  }

  async #hasBegun(client: PostgresPoolClient): Promise<boolean> {
    return (await run(client, `SELECT FROM ${quoteIdentifier(this.#schema)}.lane`)).length > 0;
  }

  async #create(client: PostgresPoolClient): Promise<void> {
    const [found] = await run(
      client,
      'SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1)::text AS count, getdatabaseencoding()::text AS encoding',
      [this.#schema],
    );
    const encoding = toText(found?.['encoding']);
    if (encoding !== 'UTF8') {
      refuse('postgresEngine', `the database must be encoded in UTF8, and is in ${encoding}`);
    }
    // Where it exists, the right to create schemas is not needed, and IF NOT EXISTS would ask for it.
    if (toNumber(found?.['count']) === 0) await run(client, `CREATE SCHEMA ${quoteIdentifier(this.#schema)}`);
    await run(client, schemaObjectsSql(this.#schema));
  }

  /**
   * `undefined` when there is nothing of ours. Asks the catalog: `to_regprocedure` would go by what this connection has
   * cached before it waited for the lock.
   */
  async #version(client: PostgresPoolClient): Promise<number | undefined> {
    const found = await run(
      client,
      `SELECT FROM pg_proc WHERE proname = 'version' AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`,
      [this.#schema],
    );
    if (found.length === 0) return undefined;
    const [row] = await run(client, `SELECT ${quoteIdentifier(this.#schema)}.version()::text AS version`);
    return toNumber(row?.['version']);
  }

  #mismatch(version: number | undefined): SseError {
    const how = `run the SQL of postgresSchemaSql(${JSON.stringify(this.#schema)}), or let the engine do it (migrate: true)`;
    const why =
      version === undefined
        ? `it has no tables of this engine: ${how}`
        : `it is of version ${version}, and this version of nestjs-event-stream works with ${SCHEMA_VERSION}`;
    return this.#failures.failed(`use the schema ${quoteIdentifier(this.#schema)}`, undefined, why);
  }
}

async function run(client: PostgresPoolClient, text: string, values: unknown[] = []): Promise<Row[]> {
  const { rows } = await client.query({ text, values, types: TEXT });
  return rows as Row[];
}
