// The defences of the Redis engine: see list.mjs.

const secrets = 'test/engines/redis-secrets.spec.ts';

export const redis = [
  {
    name: 'Redis: what the live delivery is interrupted by is told without the command',
    file: 'src/redis/live.ts',
    find: 'sink.interrupted(this.#options.failures.clean(error))',
    replace: 'sink.interrupted(error)',
    spec: secrets,
    test: 'in no way to connect is a password told that is wrong',
  },
  {
    name: 'Redis: a password is taken out of what a server repeats',
    file: 'src/redis/failures.ts',
    find: 'return cleanError(error, this.#secrets());',
    replace: 'return cleanError(error);',
    spec: secrets,
    test: 'when the server repeats in its answer what it was sent',
  },
  {
    name: 'Redis: the cause of an error has no command',
    file: 'src/redis/failures.ts',
    find: 'new SseError(code, `${what}: ${cause.message}`, { cause })',
    replace: 'new SseError(code, `${what}: ${cause.message}`, { cause: error })',
    spec: secrets,
    test: 'when the server repeats in its answer what it was sent',
  },
  {
    name: 'Redis: an address that is none is refused at the start',
    file: 'src/redis/options.ts',
    find: 'if (problem !== undefined) throw invalid',
    replace: 'if (false) throw invalid',
    spec: secrets,
    test: 'an address is refused at the start',
  },
  {
    name: 'Redis: an address in place of an option is not shown',
    file: 'src/redis/options.ts',
    find: "return typeof value === 'string' ? 'a text' : describe(value);",
    replace: 'return describe(value);',
    spec: secrets,
    test: 'not shown (in place of the options|as client|as options)',
  },
  {
    name: 'Redis: an event that no server takes without a stall is refused',
    file: 'src/redis/size.ts',
    find: "checkSize('Redis', request, MAX_EVENT_BYTES);",
    replace: '',
    spec: 'test/engines/redis-sizes.spec.ts',
    test: 'a larger one touches nothing',
  },
  {
    name: 'Redis: an event that is published whole is not so large that it cuts off who listens',
    file: 'src/redis/size.ts',
    find: 'if (bytes <= MAX_WHOLE_BYTES || isKept(request)) return;',
    replace: 'if (isKept(request) || request.data.byteLength > 0) return;',
    spec: 'test/engines/redis-sizes.spec.ts',
    test: 'refused beyond',
  },
];
