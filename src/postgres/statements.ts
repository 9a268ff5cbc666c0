import { quoteIdentifier } from './quote.js';
import { logChannel, outboxChannel } from './schema.js';

export type Statements = Readonly<
  Record<
    | 'append'
    | 'appendOne'
    | 'read'
    | 'heads'
    | 'list'
    | 'locate'
    | 'tail'
    | 'enqueue'
    | 'drain'
    | 'sweepIsDue'
    | 'expire'
    | 'clear'
    | 'listen',
    string
  >
>;

/** The statements of a schema. They go by no name, so that a pooler may give each to another connection. */
export function createStatements(schema: string): Statements {
  const s = quoteIdentifier(schema);
  const params = (count: number): string => Array.from({ length: count }, (_, n) => `$${n + 1}`).join(', ');
  return {
    append: `SELECT epoch, seq, at FROM ${s}.append(${params(13)})`,
    appendOne: `SELECT epoch, seq, at FROM ${s}.append_one(${params(13)})`,
    read: `SELECT kind, name, a, b, c, d, id, data FROM ${s}.read(${params(6)})`,
    heads: `SELECT l.epoch, l.seq, l.at, t.name, t.head, t.head_at
      FROM ${s}.current_lane() l LEFT JOIN ${s}.topic t ON t.name = ANY ($1::text[])`,
    list: `SELECT l.epoch, l.seq, l.at, l.forgotten, t.name
      FROM ${s}.current_lane() l LEFT JOIN ${s}.topic t ON t.name LIKE $1`,
    locate: `SELECT l.epoch, e.seq, e.at
      FROM ${s}.current_lane() l
      JOIN ${s}.topic t ON t.name = ANY ($1::text[])
      JOIN ${s}.entry e ON e.topic = t.id AND e.id = $2 AND e.seq >= t.first_kept
      WHERE e.at >= greatest(l.at, coalesce($3::bigint, extract(epoch FROM clock_timestamp()) * 1000)) - t.max_age
      LIMIT 2`,
    tail: `SELECT l.epoch, l.seq AS head, e.*
      FROM ${s}.current_lane() l LEFT JOIN LATERAL (
        SELECT t.name, e.seq, e.prev, e.at, e.id,
               CASE WHEN e.size <= $4 OR e.seq < t.first_kept THEN e.data END AS data
        FROM ${s}.entry e JOIN ${s}.topic t ON t.id = e.topic
        WHERE e.seq > $1 AND ($2::text[] IS NULL OR t.name = ANY ($2))
        ORDER BY e.seq LIMIT $3
      ) e ON true`,
    enqueue: `SELECT ${s}.enqueue(${params(8)})`,
    drain: `SELECT ${s}.drain(${params(5)}) AS count`,
    sweepIsDue: `SELECT ${s}.sweep_is_due(${params(2)}) AS due`,
    expire: `SELECT ${s}.expire(${params(3)}) AS count`,
    clear: `SELECT ${s}.clear(${params(3)}) AS count`,
    listen: `LISTEN ${quoteIdentifier(logChannel(schema))}; LISTEN ${quoteIdentifier(outboxChannel(schema))}`,
  };
}
