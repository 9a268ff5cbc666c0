import { EMPTIED, LANE_IS_GONE } from './failure.js';
import { PLANNING } from './quote.js';

/**
 * The functions that write. `clock` is the time in ms in place of the server's, for tests, and NULL otherwise.
 *
 * Whoever may log in to the database may listen to any channel, and send to it. So a notification carries nothing but the newest
 * number, and is believed by nobody: it wakes those who then read the tables.
 */
export function appendFunctions(s: string, channels: { readonly log: string; readonly outbox: string }): string {
  const ofLog = [advance(s), claim(s), store(s, channels.log), append(s), appendOne(s, channels.log)];
  return [...ofLog, enqueue(s, channels.outbox), drain(s)].join('\n');
}

/** Locks the lane and takes the next numbers. */
function advance(s: string): string {
  return `
CREATE FUNCTION ${s}.advance(numbers bigint, clock bigint) RETURNS ${s}.lane LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  advanced ${s}.lane;
BEGIN
  UPDATE ${s}.lane AS l
    SET seq = l.seq + numbers,
        at = greatest(l.at, coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint))
    RETURNING l.* INTO advanced;
  IF NOT FOUND THEN
    RAISE EXCEPTION '${EMPTIED}' USING ERRCODE = '${LANE_IS_GONE}';
  END IF;
  RETURN advanced;
END $$;`;
}

/**
 * Takes the next numbers for a batch of a process, unless it was stored before: then what it got is the result, or NULL when a
 * later one has been stored since.
 */
function claim(s: string): string {
  return `
CREATE FUNCTION ${s}.claim(
  writer uuid, batch bigint, numbers int, wait_ms int, clock bigint, OUT lane ${s}.lane, OUT is_new boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  PERFORM set_config('lock_timeout', wait_ms || 'ms', true);
  lane := ${s}.advance(numbers, clock);
  INSERT INTO ${s}.writer AS w VALUES (writer, batch, lane.epoch, lane.seq, lane.at)
    ON CONFLICT ON CONSTRAINT writer_pkey DO UPDATE
    SET batch = excluded.batch, epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
    WHERE w.batch < excluded.batch;
  is_new := FOUND;
  IF NOT is_new THEN
    UPDATE ${s}.lane AS l SET seq = l.seq - numbers;
    lane := NULL;
    SELECT w.epoch, w.seq, w.at INTO lane.epoch, lane.seq, lane.at FROM ${s}.writer w WHERE w.id = writer AND w.batch = batch;
  END IF;
END $$;`;
}

/**
 * Stores a batch under a lane that is locked and has been advanced: entries, heads, and what each topic no longer
 * retains. The payloads are one value, cut by `sizes`: as an array they would travel as text, of twice the size.
 */
function store(s: string, channel: string): string {
  return `
CREATE FUNCTION ${s}.store(
  lane ${s}.lane, names text[], ids text[], sizes int[], data bytea,
  events float8[], bytes float8[], ages float8[], is_notified boolean
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  base bigint := lane.seq - cardinality(names);
BEGIN
  INSERT INTO ${s}.topic AS t (id, name, head, head_at, prior, first_kept, first_at, kept, kept_bytes,
                               max_events, max_bytes, max_age, unknown_before)
    SELECT base + min(i.n), i.name, base + max(i.n), lane.at, 0, base + min(i.n), lane.at, count(*), sum(i.size),
           events[max(i.n)], bytes[max(i.n)], ages[max(i.n)], lane.forgotten
    FROM unnest(names, sizes) WITH ORDINALITY AS i (name, size, n)
    GROUP BY i.name
    ON CONFLICT (name) DO UPDATE SET
      prior = t.head, head = excluded.head, head_at = excluded.head_at,
      first_at = CASE WHEN t.kept = 0 THEN excluded.head_at ELSE t.first_at END,
      kept = t.kept + excluded.kept, kept_bytes = t.kept_bytes + excluded.kept_bytes,
      max_events = excluded.max_events, max_bytes = excluded.max_bytes, max_age = excluded.max_age;

  INSERT INTO ${s}.entry (seq, topic, prev, at, size, id, data)
    SELECT base + i.n, t.id, coalesce(lag(base + i.n) OVER (PARTITION BY t.id ORDER BY i.n), t.prior), lane.at,
           i.size, i.id, substr(data, (i.upto - i.size + 1)::int, i.size)
    FROM (
      SELECT each.*, sum(each.size) OVER (ORDER BY each.n) AS upto
      FROM unnest(names, ids, sizes) WITH ORDINALITY AS each (name, id, size, n)
    ) i JOIN ${s}.topic t ON t.name = i.name;

  UPDATE ${s}.topic AS t
    SET first_kept = evicted.upto + 1, kept = t.kept - evicted.number, kept_bytes = t.kept_bytes - evicted.total
    FROM ${s}.topic o CROSS JOIN LATERAL (
      SELECT each.seq AS upto, each.number, each.total
      FROM (
        SELECT e.seq, row_number() OVER oldest AS number, sum(e.size) OVER oldest AS total
        FROM ${s}.entry e
        WHERE e.topic = o.id AND e.seq >= o.first_kept
        WINDOW oldest AS (ORDER BY e.seq ROWS UNBOUNDED PRECEDING)
      ) each
      WHERE each.number >= o.kept - o.max_events AND each.total >= o.kept_bytes - o.max_bytes
      ORDER BY each.seq LIMIT 1
    ) evicted
    WHERE o.name = ANY (names) AND (o.kept > o.max_events OR o.kept_bytes > o.max_bytes) AND t.id = o.id;

  IF is_notified THEN
    PERFORM pg_notify(${channel}, lane.seq::text);
  END IF;
END $$;`;
}

/** Stores a batch of a process, once. `epoch` is NULL for one that comes after its successor. */
function append(s: string): string {
  return `
CREATE FUNCTION ${s}.append(
  writer uuid, batch bigint, names text[], ids text[], sizes int[], data bytea,
  events float8[], bytes float8[], ages float8[], is_notified boolean, wait_ms int, clock bigint,
  OUT epoch text, OUT seq bigint, OUT at bigint
) LANGUAGE plpgsql ${PLANNING} AS $$
DECLARE
  claimed record := ${s}.claim(writer, batch, cardinality(names), wait_ms, clock);
BEGIN
  IF claimed.is_new THEN
    PERFORM ${s}.store(claimed.lane, names, ids, sizes, data, events, bytes, ages, is_notified);
  END IF;
  epoch := (claimed.lane).epoch;
  seq := (claimed.lane).seq;
  at := (claimed.lane).at;
END $$;`;
}

/**
 * What `append` does, for one event: what somebody waits for is mostly alone, and statements for many take far longer to begin
 * than to do one.
 */
function appendOne(s: string, channel: string): string {
  return `
CREATE FUNCTION ${s}.append_one(
  writer uuid, batch bigint, name text, id text, size int, data bytea,
  events float8, bytes float8, age float8, is_notified boolean, wait_ms int, clock bigint,
  OUT epoch text, OUT seq bigint, OUT at bigint
) LANGUAGE plpgsql ${PLANNING} AS $$
#variable_conflict use_variable
DECLARE
  claimed record := ${s}.claim(writer, batch, 1, wait_ms, clock);
  topic ${s}.topic;
  is_known boolean;
  prev bigint;
  oldest record;
BEGIN
  epoch := (claimed.lane).epoch;
  seq := (claimed.lane).seq;
  at := (claimed.lane).at;
  IF NOT claimed.is_new THEN
    RETURN;
  END IF;

  SELECT t.* INTO topic FROM ${s}.topic t WHERE t.name = name;
  is_known := FOUND;
  prev := coalesce(topic.head, 0);
  IF is_known THEN
    topic.first_at := CASE WHEN topic.kept = 0 THEN at ELSE topic.first_at END;
    topic.kept := topic.kept + 1;
    topic.kept_bytes := topic.kept_bytes + size;
  ELSE
    topic := ROW(seq, name, seq, at, 0, seq, at, 1, size, events, bytes, age, (claimed.lane).forgotten);
  END IF;
  INSERT INTO ${s}.entry VALUES (seq, topic.id, prev, at, size, id, data);
  WHILE topic.kept > events OR topic.kept_bytes > bytes LOOP
    SELECT e.seq, e.size INTO oldest FROM ${s}.entry e
      WHERE e.topic = topic.id AND e.seq >= topic.first_kept ORDER BY e.seq LIMIT 1;
    EXIT WHEN NOT FOUND;
    topic.first_kept := oldest.seq + 1;
    topic.kept := topic.kept - 1;
    topic.kept_bytes := topic.kept_bytes - oldest.size;
  END LOOP;
  IF is_known THEN
    UPDATE ${s}.topic t SET
      head = seq, head_at = at, prior = prev, first_kept = topic.first_kept, first_at = topic.first_at,
      kept = topic.kept, kept_bytes = topic.kept_bytes, max_events = events, max_bytes = bytes, max_age = age
      WHERE t.id = topic.id;
  ELSE
    INSERT INTO ${s}.topic VALUES (topic.*);
  END IF;
  IF is_notified THEN
    PERFORM pg_notify(${channel}, seq::text);
  END IF;
END $$;`;
}

/** Keeps an event until the transaction that it is called in has committed. Locks nothing. */
function enqueue(s: string, channel: string): string {
  return `
CREATE FUNCTION ${s}.enqueue(
  name text, id text, data bytea, events float8, bytes float8, age float8, is_notified boolean
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO ${s}.outbox (name, id, data, max_events, max_bytes, max_age) VALUES (name, id, data, events, bytes, age);
  IF is_notified THEN
    PERFORM pg_notify(${channel}, '');
  END IF;
END $$;`;
}

/**
 * Moves what has been committed in the outbox to the log, and returns how many. All in one transaction: an event is in the one or in
 * the other. What two nodes do at once is in turn, because of the lane's lock.
 */
function drain(s: string): string {
  return `
CREATE FUNCTION ${s}.drain(max_rows int, max_total int, is_notified boolean, wait_ms int, clock bigint)
RETURNS int LANGUAGE plpgsql ${PLANNING} AS $$
DECLARE
  moved record;
BEGIN
  IF NOT EXISTS (SELECT FROM ${s}.outbox) THEN
    RETURN 0;
  END IF;
  PERFORM set_config('lock_timeout', wait_ms || 'ms', true);
  PERFORM ${s}.advance(0, clock);
  WITH gone AS (
    DELETE FROM ${s}.outbox WHERE n IN (
      SELECT o.n FROM (
        SELECT each.n, sum(each.size) OVER (ORDER BY each.n) - each.size AS sum_before
        FROM (SELECT n, octet_length(data) AS size FROM ${s}.outbox ORDER BY n LIMIT max_rows) each
      ) o WHERE o.sum_before < max_total
    ) RETURNING *
  )
  SELECT count(*)::int AS number, array_agg(name ORDER BY n) AS names, array_agg(id ORDER BY n) AS ids,
         array_agg(octet_length(data) ORDER BY n) AS sizes, string_agg(data, ''::bytea ORDER BY n) AS data,
         array_agg(max_events ORDER BY n) AS events, array_agg(max_bytes ORDER BY n) AS bytes,
         array_agg(max_age ORDER BY n) AS ages
    INTO moved FROM gone;
  IF moved.number > 0 THEN
    PERFORM ${s}.store(${s}.advance(moved.number, clock), moved.names, moved.ids, moved.sizes, moved.data,
                       moved.events, moved.bytes, moved.ages, is_notified);
  END IF;
  RETURN moved.number;
END $$;`;
}
