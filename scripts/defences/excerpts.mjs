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
];
