// What a stream says of itself, and in which words. See `list.mjs`.

export const words = [
  {
    name: 'readers of a further dialect share its bytes',
    file: 'src/hub/batch.ts',
    find: 'if (known === undefined) this.#others.set(dialect, (known = this.#encode(dialect)));',
    replace: 'known = this.#encode(dialect);',
    spec: 'src/hub/batch.spec.ts',
    test: 'is written once in each dialect',
  },
  {
    name: "the name of a topic comes before the author's comments",
    file: 'src/wire/dialect.ts',
    find: "parts.push(`id: ${id}\\n: ${TOPIC_NAME} ${topic}\\n`, fieldsOf(payload), '\\n');",
    replace: 'parts.push(`id: ${id}\\n`, fieldsOf(payload), `: ${TOPIC_NAME} ${topic}\\n\\n`);',
    spec: 'test/e2e/name-topics.spec.ts',
    test: 'on Express, further a name is told as it is',
  },
  {
    name: 'the period of heartbeats is never announced as less than it is',
    file: 'src/wire/encode.ts',
    find: 'Math.ceil(heartbeatMs)',
    replace: 'Math.floor(heartbeatMs)',
    spec: 'src/wire/dialect.spec.ts',
    test: 'begins with when to come back',
  },
  {
    name: 'a place to resume at is checked, whoever has chosen it',
    file: 'src/node/resume-at.ts',
    find: "if (problem !== undefined) refuse('@SseStream()', problem);",
    replace: '',
    spec: 'test/e2e/resume-at.spec.ts',
    test: 'on Express a place with a line break',
  },
  {
    name: 'a request that does something is not asked for again',
    file: 'src/http/stream-request.ts',
    find: 'return SAFE_METHODS.includes(method);',
    replace: 'return true;',
    spec: 'test/e2e/methods.spec.ts',
    test: 'on Express a stream of POST that fails',
  },
];
