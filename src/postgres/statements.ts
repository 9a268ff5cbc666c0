import { quoteIdentifier, quoteLiteral } from './quote.js';
import { logChannel, outboxChannel } from './schema.js';

export type Statements = Readonly<
  Record<
    | 'append'
    | 'appendOne'
    | 'read'
    | 'readExcerpt'
    | 'heads'
    | 'list'
    | 'locate'
    | 'tail'
    | 'enqueue'
    | 'drain'
    | 'sweepIsDue'
    | 'expire'
    | 'clear'
    | 'listen'
    | 'probe',
    string
  >
>;

/** Bytes as text, of which `toBytes` makes them again. */
const BYTES = `encode(data, 'base64') AS data`;

/**
 * The statements of a schema. They go by no name, so that a pooler may give each to another connection. All that they give is text: a
 * text is the same whether the application has its results in binary or not.
 */
export function createStatements(schema: string): Statements {
  const s = quoteIdentifier(schema);
  const params = (count: number): string => Array.from({ length: count }, (_, n) => `$${n + 1}`).join(', ');
  const read = (parameters: string): string =>
    `SELECT kind, name, a::text, b::text, c::text, d::text, id, ${BYTES} FROM ${s}.read(${parameters})`;
  return {
    append: `SELECT epoch, seq::text, at::text FROM ${s}.append(${params(12)})`,
    appendOne: `SELECT epoch, seq::text, at::text FROM ${s}.append_one(${params(12)})`,
    read: read(params(6)),
    readExcerpt: read(params(9)),
    heads: `SELECT l.epoch, l.seq::text, l.at::text, t.name, t.head::text, t.head_at::text
      FROM ${s}.current_lane() l LEFT JOIN ${s}.topic t ON t.name = ANY ($1::text[])`,
    list: `SELECT l.epoch, l.seq::text, l.at::text, l.forgotten::text, t.name
      FROM ${s}.current_lane() l LEFT JOIN ${s}.topic t ON t.name LIKE $1`,
    locate: `SELECT l.epoch, e.seq::text, e.at::text
      FROM ${s}.current_lane() l
      JOIN ${s}.topic t ON t.name = ANY ($1::text[])
      JOIN ${s}.entry e ON e.topic = t.id AND e.id = $2 AND e.seq >= t.first_kept
      WHERE e.at >= greatest(l.at, coalesce($3::bigint, extract(epoch FROM clock_timestamp()) * 1000)) - t.max_age
      LIMIT 2`,
    tail: `SELECT kind, name, a::text, b::text, c::text, id, ${BYTES} FROM ${s}.tail(${params(6)})`,
    enqueue: `SELECT ${s}.enqueue(${params(7)})`,
    drain: `SELECT ${s}.drain(${params(5)})::text AS count`,
    sweepIsDue: `SELECT ${s}.sweep_is_due(${params(2)})::int::text AS count`,
    expire: `SELECT ${s}.expire(${params(4)})::text AS count`,
    clear: `SELECT ${s}.clear(${params(3)})::text AS count`,
    probe: `SELECT pg_notify(${quoteLiteral(logChannel(schema))}, $1)`,
    listen: `LISTEN ${quoteIdentifier(logChannel(schema))}; LISTEN ${quoteIdentifier(outboxChannel(schema))}`,
  };
}
