// The defences of excerpts, in the engines: see list.mjs.

const test = '21 (gives|an excerpt of any log|whatever is asked in turn)';

export const excerpts = [
  {
    name: 'Redis: of an excerpt only the newest are given',
    file: 'src/redis/read-script.ts',
    find: 'start = math.max(start, stop - last)',
    replace: '',
    spec: 'test/engines/redis.spec.ts',
    test,
  },
  {
    name: 'Redis: of an excerpt only what is young enough is given',
    file: 'src/redis/read-script.ts',
    find: 'if since == 0 or start == stop then return start end',
    replace: 'if true then return start end',
    spec: 'test/engines/redis.spec.ts',
    test,
  },
  {
    name: 'Redis: what an excerpt is not concerned with is given whole',
    file: 'src/redis/read-script.ts',
    find: 'local stop = first_beyond(log, upto, start, length)',
    replace: 'local stop = length',
    spec: 'test/engines/redis.spec.ts',
    test,
  },
  {
    name: 'PostgreSQL: of an excerpt only the newest are given',
    file: 'src/postgres/read-sql.ts',
    find: 'CASE WHEN most < t.kept THEN',
    replace: 'CASE WHEN false THEN',
    spec: 'test/engines/postgres.spec.ts',
    test,
  },
  {
    name: 'PostgreSQL: of an excerpt only what is young enough is given',
    file: 'src/postgres/read-sql.ts',
    find: 'IF since > 0 THEN',
    replace: 'IF false THEN',
    spec: 'test/engines/postgres.spec.ts',
    test,
  },
  {
    name: 'PostgreSQL: the newest of a topic are looked for by its index, whatever the statistics',
    file: 'src/postgres/read-sql.ts',
    find: 'WHERE (e.topic, e.seq) <= (t.id, upto) AND e.topic >= t.id\n            ORDER BY e.topic DESC, e.seq DESC LIMIT 1 OFFSET',
    replace: 'WHERE e.topic = t.id AND e.seq <= upto\n            ORDER BY e.seq DESC LIMIT 1 OFFSET',
    spec: 'test/engines/postgres-plans.spec.ts',
    test: 'a read looks at what it gives',
  },
];
