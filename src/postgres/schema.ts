import { SseError, describe } from '../errors.js';
import { appendFunctions } from './append-sql.js';
import { quoteIdentifier, quoteLiteral } from './quote.js';
import { readFunctions, sweepFunctions, tailFunction } from './read-sql.js';

/** What the schema's `version()` returns. Raised with every release that changes a table or a function. */
export const SCHEMA_VERSION = 1;

/** PostgreSQL cuts names of more than 63 bytes, and channels are named after the schema. */
const MAX_SCHEMA_BYTES = 48;
export const SCHEMA_NAMES = `a text of 1 to ${MAX_SCHEMA_BYTES} bytes that does not begin with "pg_" and has no "$$" in it`;

export function isSchemaName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.startsWith('pg_') || value.includes('\0')) return false;
  // It stands in the text of functions, which would end there.
  return !value.includes('$$') && new TextEncoder().encode(value).length <= MAX_SCHEMA_BYTES;
}

/** Where each commit that has stored entries says so. */
export function logChannel(schema: string): string {
  return `${schema}:log`;
}

/** Where a transaction that has written to the outbox says so when it commits. */
export function outboxChannel(schema: string): string {
  return `${schema}:outbox`;
}

/**
 * The SQL that creates what the PostgreSQL engine keeps, for those who run it themselves, with `migrate: false`: a schema
 * of its own with tables and functions. To be run once, in a transaction, by the role that the engine uses, or by one
 * that grants it everything in that schema.
 *
 * @param schema the name of the schema; it must be that of the engine's option
 * @throws SseError `invalid-options` when the engine would not take it
 */
export function postgresSchemaSql(schema = 'sse'): string {
  if (!isSchemaName(schema)) {
    const problem = `schema must be ${SCHEMA_NAMES}; got ${describe(schema)}`;
    throw new SseError('invalid-options', `postgresSchemaSql: ${problem}`);
  }
  return `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)};\n${schemaObjectsSql(schema)}`;
}

/** What stands inside the schema. */
export function schemaObjectsSql(schema: string): string {
  const s = quoteIdentifier(schema);
  const channels = { log: quoteLiteral(logChannel(schema)), outbox: quoteLiteral(outboxChannel(schema)) };
  return [tables(s), appendFunctions(s, channels), readFunctions(s), tailFunction(s), sweepFunctions(s)].join('\n');
}

/**
 * `lane` is the one row that every append locks first: its order is the order of visibility, and no number is left out.
 * `writer` has the last batch of each process, so that a batch that is sent again finds its result. The `id` of a topic is
 * the sequence of its first event. What is below `first_kept` is no longer retained: it is deleted later, in bulk.
 *
 * Payloads are not compressed (EXTERNAL): that would take place while the lane is locked.
 */
function tables(s: string): string {
  return `
CREATE FUNCTION ${s}.version() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ${SCHEMA_VERSION}';

CREATE TABLE ${s}.lane (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch text NOT NULL,
  seq bigint NOT NULL DEFAULT 0,
  at bigint NOT NULL DEFAULT 0,
  forgotten bigint NOT NULL DEFAULT 0,
  swept bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE ${s}.writer (
  id uuid PRIMARY KEY,
  batch bigint NOT NULL,
  epoch text NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL
) WITH (fillfactor = 25);

CREATE TABLE ${s}.topic (
  id bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  head bigint NOT NULL,
  head_at bigint NOT NULL,
  prior bigint NOT NULL,
  first_kept bigint NOT NULL,
  first_at bigint NOT NULL,
  kept bigint NOT NULL,
  kept_bytes bigint NOT NULL,
  max_events float8 NOT NULL,
  max_bytes float8 NOT NULL,
  max_age float8 NOT NULL,
  unknown_before bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE ${s}.entry (
  seq bigint PRIMARY KEY,
  topic bigint NOT NULL,
  prev bigint NOT NULL,
  at bigint NOT NULL,
  size int NOT NULL,
  id text COLLATE "C",
  data bytea NOT NULL
);
ALTER TABLE ${s}.entry ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX entry_topic ON ${s}.entry (topic, seq);
CREATE INDEX entry_id ON ${s}.entry (topic, id) WHERE id IS NOT NULL;

CREATE TABLE ${s}.outbox (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  id text COLLATE "C",
  data bytea NOT NULL,
  max_events float8 NOT NULL,
  max_bytes float8 NOT NULL,
  max_age float8 NOT NULL
);

-- Half a log would be taken for a whole one: whoever empties one of the tables begins a new life of the lane.
CREATE FUNCTION ${s}.renew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM ${s}.lane;
  RETURN NULL;
END $$;
CREATE TRIGGER renew AFTER TRUNCATE ON ${s}.topic EXECUTE FUNCTION ${s}.renew();
CREATE TRIGGER renew AFTER TRUNCATE ON ${s}.entry EXECUTE FUNCTION ${s}.renew();

-- Begins a life of the lane when there is none. To be called by one at a time, in a transaction that reads what is committed.
CREATE FUNCTION ${s}.begin(drawn text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM ${s}.lane) THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM ${s}.topic) OR EXISTS (SELECT FROM ${s}.entry) OR EXISTS (SELECT FROM ${s}.writer) THEN
    TRUNCATE ${s}.topic, ${s}.entry, ${s}.writer;
  END IF;
  INSERT INTO ${s}.lane (epoch) VALUES (drawn);
END $$;
`;
}
