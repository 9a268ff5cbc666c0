import { EMPTIED, LANE_IS_GONE } from './failure.js';
import { PLANNING } from './quote.js';

/** The time in ms that ages are counted from: never behind the lane. */
const NOW = `greatest(lane.at, coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint))`;

/**
 * A page, in one snapshot. Three kinds of rows: `t`, a topic that is known, with what tells whether something of it is
 * missing; `l`, the lane, with whether there are entries beyond the page; `e`, the entries in lane order.
 *
 * `after` and `claimed` are NULL when nothing is claimed. The last three parameters are those of an excerpt.
 *
 * A topic's entries are looked for by (topic, seq), and in that order: only one index has it. With `topic = id ORDER BY seq`, statistics
 * of a time when there was one topic make the planner take the primary key, and go through the whole lane for each topic.
 */
export function readFunctions(s: string): string {
  return `
CREATE FUNCTION ${s}.current_lane() RETURNS ${s}.lane LANGUAGE plpgsql STABLE AS $$
DECLARE
  found_lane ${s}.lane;
BEGIN
  SELECT l.* INTO found_lane FROM ${s}.lane l;
  IF NOT FOUND THEN
    RAISE EXCEPTION '${EMPTIED}' USING ERRCODE = '${LANE_IS_GONE}';
  END IF;
  RETURN found_lane;
END $$;

CREATE FUNCTION ${s}.read(
  names text[], max_entries int, max_total float8, after bigint, claimed bigint, clock bigint,
  upto bigint DEFAULT NULL, most bigint DEFAULT NULL, since float8 DEFAULT NULL
) RETURNS TABLE (kind text, name text, a bigint, b bigint, c bigint, d bigint, id text, data bytea)
LANGUAGE plpgsql STABLE ${PLANNING} AS $$
#variable_conflict use_variable
DECLARE
  lane ${s}.lane;
  now float8;
  place bigint := coalesce(after, 0);
  page bigint[];
  is_cut boolean;
  left_out bigint;
  middle bigint;
  high bigint;
  seen record;
BEGIN
  lane := ${s}.current_lane();
  now := ${NOW};

  RETURN QUERY
    SELECT 't', t.name, t.head, t.unknown_before, oldest.prev, newest.at, NULL, NULL::bytea
    FROM ${s}.topic t
    LEFT JOIN LATERAL (
      SELECT e.prev FROM ${s}.entry e
      WHERE t.head > place AND (e.topic, e.seq) >= (t.id, t.first_kept) AND e.topic <= t.id AND e.at >= now - t.max_age
      ORDER BY e.topic, e.seq LIMIT 1
    ) oldest ON true
    LEFT JOIN LATERAL (
      SELECT e.at FROM ${s}.entry e
      WHERE claimed IS NOT NULL AND (e.topic, e.seq) <= (t.id, claimed) AND (e.topic, e.seq) >= (t.id, t.first_kept)
        AND e.at >= now - t.max_age
      ORDER BY e.topic DESC, e.seq DESC LIMIT 1
    ) newest ON true
    WHERE t.name = ANY (names);

  IF upto IS NULL THEN
${selectPage(s, 'place')}
  ELSE
    left_out := place;
    IF since > 0 THEN
      -- Time does not fall along the lane: up to one place everything is older, whatever the topic.
      high := least(upto, lane.seq);
      WHILE left_out < high LOOP
        middle := high - (high - left_out) / 2;
        SELECT e.seq, e.at INTO seen FROM ${s}.entry e WHERE e.seq <= middle ORDER BY e.seq DESC LIMIT 1;
        IF seen.at >= since THEN
          high := seen.seq - 1;
        ELSE
          left_out := middle;
        END IF;
      END LOOP;
    END IF;
${selectPage(s, 'wanted.beyond', leftOutOf(s))}
  END IF;

  RETURN QUERY
    SELECT 'l', lane.epoch, lane.seq, lane.at, lane.forgotten, is_cut::int::bigint, NULL, NULL::bytea;
  RETURN QUERY
    SELECT 'e', t.name, e.seq, e.prev, e.at, NULL::bigint, e.id, e.data
    FROM ${s}.entry e JOIN ${s}.topic t ON t.id = e.topic
    WHERE e.seq = ANY (page)
    ORDER BY e.seq;
END $$;`;
}

/** Selects what the page has of the entries of each topic beyond a sequence, which may be one of its own. */
function selectPage(s: string, beyond: string, join = ''): string {
  return `
  SELECT array_agg(fitted.seq) FILTER (WHERE fitted.fits), coalesce(bool_or(NOT fitted.fits), false) INTO page, is_cut
  FROM (
    SELECT found.seq,
           row_number() OVER lane_order = 1
           OR (row_number() OVER lane_order <= max_entries AND sum(found.size) OVER lane_order <= max_total) AS fits
    FROM (
      SELECT each.seq, each.size
      FROM ${s}.topic t ${join} CROSS JOIN LATERAL (
        SELECT e.seq, e.size FROM ${s}.entry e
        WHERE (e.topic, e.seq) > (t.id, ${beyond}) AND (e.topic, e.seq) >= (t.id, t.first_kept) AND e.topic <= t.id
          AND e.at >= now - t.max_age
        ORDER BY e.topic, e.seq LIMIT max_entries + 1
      ) each
      WHERE t.name = ANY (names) AND t.head > place AND t.kept > 0
      ORDER BY each.seq LIMIT max_entries + 1
    ) found
    WINDOW lane_order AS (ORDER BY found.seq ROWS UNBOUNDED PRECEDING)
  ) fitted;`;
}

/** Up to where an excerpt leaves out what is older, and what is not among the newest of a topic. OFFSET 0: to be looked for once for a topic. */
function leftOutOf(s: string): string {
  return `
      CROSS JOIN LATERAL (
        SELECT greatest(
          left_out,
          CASE WHEN most < t.kept THEN (
            SELECT e.seq FROM ${s}.entry e
            WHERE (e.topic, e.seq) <= (t.id, upto) AND e.topic >= t.id
            ORDER BY e.topic DESC, e.seq DESC LIMIT 1 OFFSET most
          ) END
        ) AS beyond
        OFFSET 0
      ) wanted`;
}

/**
 * What is new beyond `place`, for live delivery, in one snapshot and also when it is no longer retained: a row `e` for each entry of
 * the wanted topics, of all when there is no list, and a row `l`, the lane, with how far this goes. At most so many entries are
 * looked at, and no further one is given once there are `max_total` bytes. Where nobody has said what is wanted, one of more than
 * `max_unasked` bytes comes without its data. The lane's `id` is when the newest entry up to `place` was stored.
 */
export function tailFunction(s: string): string {
  return `
CREATE FUNCTION ${s}.tail(
  place bigint, wanted text[], max_entries int, max_total int, max_unasked int, wait_ms int
) RETURNS TABLE (kind text, name text, a bigint, b bigint, c bigint, id text, data bytea)
LANGUAGE plpgsql STABLE ${PLANNING} AS $$
#variable_conflict use_variable
DECLARE
  lane ${s}.lane;
  found record;
  upto bigint;
  number int := 0;
  total bigint := 0;
BEGIN
  PERFORM set_config('lock_timeout', wait_ms || 'ms', true);
  lane := ${s}.current_lane();
  upto := lane.seq;
  FOR found IN
    SELECT t.name, e.seq, e.prev, e.at, e.id, e.size, e.data
    FROM (SELECT n.* FROM ${s}.entry n WHERE n.seq > place ORDER BY n.seq LIMIT max_entries) e
    JOIN ${s}.topic t ON t.id = e.topic
    ORDER BY e.seq
  LOOP
    number := number + 1;
    IF wanted IS NULL OR found.name = ANY (wanted) THEN
      kind := 'e';
      name := found.name;
      a := found.seq;
      b := found.prev;
      c := found.at;
      id := found.id;
      data := CASE WHEN wanted IS NOT NULL OR found.size <= max_unasked THEN found.data END;
      RETURN NEXT;
      total := total + coalesce(octet_length(data), 0);
    END IF;
    IF number = max_entries OR total >= max_total THEN
      upto := found.seq;
      EXIT;
    END IF;
  END LOOP;
  RETURN QUERY SELECT 'l', lane.epoch, lane.seq, lane.at, upto,
    (SELECT before.at::text FROM ${s}.entry before WHERE before.seq <= place ORDER BY before.seq DESC LIMIT 1), NULL::bytea;
END $$;`;
}

/**
 * `expire` evicts what has become too old and forgets idle topics, under the lock of the lane and therefore few at a time.
 * `clear` deletes what is no longer retained, without that lock. Neither deletes what is younger than `keep_ms`: a node may still have
 * to deliver it.
 * Both return how many there were: as many as asked for means that there are more.
 */
export function sweepFunctions(s: string): string {
  return `
CREATE FUNCTION ${s}.expire(max_topics int, keep_ms bigint, wait_ms int, clock bigint) RETURNS int LANGUAGE plpgsql ${PLANNING} AS $$
#variable_conflict use_variable
DECLARE
  lane ${s}.lane;
  now float8 := coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
  candidates bigint[];
BEGIN
  SELECT array_agg(found.id) INTO candidates FROM (
    SELECT t.id FROM ${s}.topic t
    WHERE CASE WHEN t.kept > 0 THEN t.first_at < now - t.max_age ELSE t.head_at < now - greatest(4 * t.max_age, keep_ms) END
    LIMIT max_topics
  ) found;
  IF candidates IS NULL THEN
    RETURN 0;
  END IF;
  PERFORM set_config('lock_timeout', wait_ms || 'ms', true);
  lane := ${s}.advance(0, clock);
  now := lane.at;

  UPDATE ${s}.topic AS t SET
      first_kept = coalesce(old.upto + 1, t.first_kept), first_at = coalesce(young.at, t.head_at),
      kept = t.kept - old.number, kept_bytes = t.kept_bytes - old.total
    FROM ${s}.topic o CROSS JOIN LATERAL (
      SELECT max(e.seq) AS upto, count(*) AS number, coalesce(sum(e.size), 0) AS total FROM ${s}.entry e
      WHERE e.topic = o.id AND e.seq >= o.first_kept AND e.at < now - o.max_age
    ) old LEFT JOIN LATERAL (
      SELECT e.at FROM ${s}.entry e
      WHERE e.topic = o.id AND e.seq >= o.first_kept AND e.at >= now - o.max_age
      ORDER BY e.seq LIMIT 1
    ) young ON true
    WHERE o.id = ANY (candidates) AND o.kept > 0 AND t.id = o.id;

  WITH idle AS (
    DELETE FROM ${s}.topic t
    WHERE t.id = ANY (candidates) AND t.kept = 0 AND t.head_at < now - greatest(4 * t.max_age, keep_ms)
    RETURNING t.id, t.head
  ), rest AS (
    DELETE FROM ${s}.entry e USING idle WHERE e.topic = idle.id
  )
  UPDATE ${s}.lane AS l SET forgotten = gone.head
    FROM (SELECT max(idle.head) AS head FROM idle) gone
    WHERE gone.head > l.forgotten;
  RETURN cardinality(candidates);
END $$;

CREATE FUNCTION ${s}.clear(max_entries int, keep_ms bigint, clock bigint) RETURNS int LANGUAGE plpgsql ${PLANNING} AS $$
#variable_conflict use_variable
DECLARE
  cleared int;
  now bigint := coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
BEGIN
  DELETE FROM ${s}.entry e WHERE e.seq IN (
    SELECT each.seq FROM ${s}.topic t CROSS JOIN LATERAL (
      SELECT old.seq FROM ${s}.entry old
      WHERE old.topic = t.id AND old.seq < t.first_kept AND old.at < now - keep_ms
      ORDER BY old.seq LIMIT max_entries
    ) each
    LIMIT max_entries
  );
  GET DIAGNOSTICS cleared = ROW_COUNT;
  RETURN cleared;
END $$;

-- True for one node in each interval: it has to sweep. A process that has ended leaves its batches for a day.
CREATE FUNCTION ${s}.sweep_is_due(interval_ms bigint, clock bigint) RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  now bigint := coalesce(clock, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
BEGIN
  UPDATE ${s}.lane AS l SET swept = now WHERE NOT l.swept BETWEEN now - interval_ms + 1 AND now;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM ${s}.writer w WHERE w.at < now - 86400000;
  RETURN true;
END $$;
`;
}
