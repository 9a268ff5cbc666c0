// What a process that stood still must not conclude: see list.mjs.

const timekeeper = 'src/connection/timekeeper.spec.ts';
const deadlines = 'src/engine/kit/deadline.spec.ts';

export const standingStill = [
  {
    name: 'time in which the process stood still is not a stall of its clients',
    file: 'src/connection/timekeeper.ts',
    find: ' - this.#wheel.stoodStillMs(sinceMs)',
    replace: '',
    spec: timekeeper,
    test: 'gives (a client its whole time|it to one)',
  },
  {
    name: 'a client that reads outlives a blocked event loop of its server',
    changes: [
      { file: 'src/connection/timekeeper.ts', find: ' - this.#wheel.stoodStillMs(sinceMs)', replace: '' },
      {
        file: 'src/connection/wheel.ts',
        find: 'apart(() => setImmediate(() => setImmediate(this.#wake)));',
        replace: 'this.#wake();',
      },
    ],
    spec: 'test/e2e/stand-still.spec.ts',
    test: 'a process that (is stopped with its machine|has a blocked)',
  },
  {
    name: 'what clients have taken is heard of before they are blamed',
    file: 'src/connection/wheel.ts',
    find: 'apart(() => setImmediate(() => setImmediate(this.#wake)));',
    replace: 'this.#wake();',
    spec: 'src/connection/wheel.spec.ts',
    test: 'wakes a task only when what has come meanwhile was read',
  },
  {
    name: 'a wheel looks whether the process stands still',
    file: 'src/connection/wheel.ts',
    find: 'this.#ofClients > 0 ? PULSE_MS : MAX_TIMER_MS',
    replace: 'MAX_TIMER_MS',
    spec: timekeeper,
    test: 'gives a client its whole time',
  },
  {
    name: 'a process that is always late ends a stalled client all the same',
    file: 'src/connection/stand-still.ts',
    find: 'ms: sinceMs - PULSE_MS }',
    replace: 'ms: sinceMs }',
    spec: timekeeper,
    test: 'again and again',
  },
  {
    name: 'an answer of an engine that came while the process stood still is taken',
    file: 'src/engine/kit/deadline.ts',
    find: 'setTimeout(afterReading, Math.max(ms, 0), expire)',
    replace: 'setTimeout(expire, Math.max(ms, 0))',
    spec: deadlines,
    test: 'has come while this process stood still',
  },
  {
    name: 'a read of Redis that was answered while the process stood still is no failure',
    file: 'src/redis/calls.ts',
    find: 'const timer = setTimeout(afterReading, this.#timeoutMs, expire);',
    replace: 'const timer = setTimeout(expire, this.#timeoutMs);',
    spec: 'test/engines/redis-faults.spec.ts',
    test: 'ioredis an answer that came while',
  },
  {
    name: 'an append to Redis that was answered while the process stood still is not uncertain',
    file: 'src/engine/kit/deadline.ts',
    find: 'setTimeout(afterReading, Math.max(1, oldest - performance.now()), () => this.#ring())',
    replace: 'setTimeout(() => this.#ring(), Math.max(1, oldest - performance.now()))',
    spec: 'test/engines/redis-faults.spec.ts',
    test: 'ioredis an answer that came while',
  },
  {
    name: 'an append to PostgreSQL that was answered while the process stood still is not uncertain',
    file: 'src/engine/kit/deadline.ts',
    find: 'setTimeout(afterReading, Math.max(1, oldest - performance.now()), () => this.#ring())',
    replace: 'setTimeout(() => this.#ring(), Math.max(1, oldest - performance.now()))',
    spec: 'test/engines/postgres-faults.spec.ts',
    test: 'may answer while this process stands still',
  },
  {
    name: 'that an engine answers does not say that it stores',
    file: 'src/feed/engine-health.ts',
    find: "    this.succeeded('read');\n  }",
    replace: "    this.succeeded('read');\n    this.succeeded('publish');\n  }",
    spec: 'src/feed/engine-health.spec.ts',
    test: 'stays degraded while writes fail, also when reads do',
  },
  {
    name: 'an engine that stores again is up also when nobody publishes',
    file: 'src/feed/engine-health.ts',
    find: "if (await succeeds(probeWrites(this.#engine))) this.succeeded('publish');",
    replace: '',
    spec: 'src/feed/engine-health.spec.ts',
    test: 'is up again when nobody publishes any more',
  },
  {
    name: 'a Redis without memory does not seem to store again',
    file: 'src/feed/write-probe.ts',
    find: '  await engine.append(REQUEST);\n  await engine.append(REQUEST);',
    replace: '  await engine.append(REQUEST);',
    spec: 'test/engines/redis-writes.spec.ts',
    test: 'while Redis has no memory',
  },
];
