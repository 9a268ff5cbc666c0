import assert from 'node:assert/strict';
import { Gatherer, RETENTION, append, appendAll, read, textsOf } from './suite.js';
import type { Case } from './suite.js';

/** Names that mean something to some store, or to a careless one. */
const NAMES = [
  'a b',
  ' a',
  'a ',
  'a>b',
  'a.b',
  'a..b',
  '>',
  '.',
  '..',
  '$a',
  '#a',
  'a:b',
  '{a}',
  '}a',
  '{',
  'a{b}c',
  '%',
  'a%b',
  '_',
  'a_b',
  '[a]',
  'a?b',
  "it's",
  '"a"',
  '`a`',
  '\\',
  'a\\b',
  '\\x00',
  '--',
  ';',
  '0',
  '-1',
  'null',
  '__proto__',
  'constructor',
  'toString',
  'a/b',
  'a/b/c',
  // Not for users: the module's own topics.
  '/a',
  'a\u2028b',
  'ä',
  '状態',
  '\u{1f98a}',
  'x'.repeat(1_024),
  `${'é'.repeat(511)}ab`,
];

/** Each pair differs in a way that some store, locale or encoding takes for none. */
const PAIRS = [
  ['a', 'A'],
  ['ß', 'ss'],
  ['\u00e9', 'e\u0301'],
  ['ı', 'i'],
  ['a', 'a '],
  ['a', 'a/a'],
  ['\u{1f98a}', '\u{1f98b}'],
  ['1', '01'],
  ['a_b', 'axb'],
  ['a%b', 'axxb'],
  ['y'.repeat(1_023) + '1', 'y'.repeat(1_023) + '2'],
] as const;

/** Promises 11 to 13, and 16. */
export function topicCases(test: Case): void {
  test('11 every name is kept exactly: stored, read, delivered and listed', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(NAMES);
    const positions = await appendAll(engine, NAMES);

    const delivered = await gathered.beyond(from, positions.at(-1)!.seq);
    assert.deepEqual(
      delivered.map(({ topic }) => topic),
      NAMES,
    );
    assert.deepEqual([...(await engine.list('')).names].sort(), [...NAMES].sort());
    for (const [n, name] of NAMES.entries()) {
      const { entries } = await read(engine, [name]);
      assert.deepEqual(
        entries.map(({ topic, seq }) => ({ topic, seq })),
        [{ topic: name, seq: positions[n]!.seq }],
      );
    }
  });

  test('11 two names that differ in one byte are two topics', async ({ engine }) => {
    for (const [n, [one, other]] of PAIRS.entries()) {
      await append(engine, one, `one ${n}`);
      await append(engine, other, `other ${n}`);
      assert.deepEqual(textsOf((await read(engine, [one])).entries).slice(-1), [`one ${n}`]);
      assert.deepEqual(textsOf((await read(engine, [other])).entries).slice(-1), [`other ${n}`]);
    }
  });

  test('12 an own id is found in the topics that are asked, with its position', async ({ engine }) => {
    const own = await append(engine, 'a', 'x', { id: 'order-1' });
    await append(engine, 'a', 'y', { id: 'order-2' });

    assert.deepEqual(await engine.locate(['a'], 'order-1'), own);
    assert.deepEqual(await engine.locate(['never', 'a', 'a'], 'order-1'), own);
    assert.equal(await engine.locate(['b'], 'order-1'), undefined);
    assert.equal(await engine.locate(['a'], 'order-'), undefined);
    assert.equal(await engine.locate([], 'order-1'), undefined);
  });

  test('12 every own id is kept exactly', async ({ engine }) => {
    const ids = [
      '0',
      '-1',
      'A',
      'a',
      ' a',
      'é',
      'e\u0301',
      "it's",
      '%',
      '\\',
      '{}',
      '__proto__',
      'constructor',
      '\u{1f98a}',
      'i'.repeat(1_024),
    ];
    const positions = [];
    for (const id of ids) positions.push(await append(engine, 'a', id, { id }));

    for (const [n, id] of ids.entries()) assert.deepEqual(await engine.locate(['a'], id), positions[n], id);
    assert.equal(await engine.locate(['a'], 'toString'), undefined);
    assert.deepEqual(
      (await read(engine, ['a'])).entries.map(({ id }) => id),
      ids,
    );
  });

  test('12 a recent own id is found, however many events were before it', async ({ engine }) => {
    const ids = Array.from({ length: 1_500 }, (_, n) => `id-${n}`);
    const positions = await Promise.all(ids.map((id) => append(engine, 'a', id, { id })));

    assert.deepEqual(await engine.locate(['a'], 'id-1490'), positions[1_490]);
    const { entries } = await read(engine, ['a'], { after: positions[1_490]!.seq });
    assert.deepEqual(textsOf(entries), ids.slice(1_491));
    assert.equal(await engine.locate(['a'], 'id-0'), undefined, 'only the newest 1,000 are kept');
  });

  test('12 an id that was used twice is ambiguous, in one topic or in two', async ({ engine }) => {
    await append(engine, 'a', 'x', { id: 'twice' });
    await append(engine, 'a', 'y', { id: 'twice' });
    const inA = await append(engine, 'a', 'z', { id: 'shared' });
    const inB = await append(engine, 'b', 'z', { id: 'shared' });

    assert.equal(await engine.locate(['a'], 'twice'), 'ambiguous');
    assert.equal(await engine.locate(['a', 'b'], 'shared'), 'ambiguous');
    assert.deepEqual(await engine.locate(['a'], 'shared'), inA);
    assert.deepEqual(await engine.locate(['b'], 'shared'), inB);
  });

  test('12 an id that was used twice is unknown once both events are gone', async ({ engine }) => {
    const retention = { ...RETENTION, maxEvents: 1 };
    for (const id of ['twice', 'twice', 'once']) await append(engine, 'a', 'x', { id, retention });

    assert.equal(await engine.locate(['a'], 'twice'), undefined);
  });

  test('13 lists the topics that begin with a prefix, taken as text', async ({ engine }) => {
    const names = ['news/a', 'news/b', 'news', 'newsroom', 'News/a', 'n%', 'n_', 'n\\', 'n[e]', 'n?'];
    await appendAll(engine, names);

    const listed = async (prefix: string): Promise<string[]> => [...(await engine.list(prefix)).names].sort();
    assert.deepEqual(await listed('news/'), ['news/a', 'news/b']);
    assert.deepEqual(await listed('news'), ['news', 'news/a', 'news/b', 'newsroom']);
    assert.deepEqual(await listed(''), [...names].sort());
    for (const name of ['n%', 'n_', 'n\\', 'n[e]', 'n?']) assert.deepEqual(await listed(name), [name]);
    assert.deepEqual(await listed('never'), []);
  });

  test('13 lists a topic whose events are all evicted, once', async ({ engine }) => {
    await appendAll(engine, ['a', 'a'], { ...RETENTION, maxEvents: 0 });

    assert.deepEqual((await engine.list('a')).names, ['a']);
  });

  test('13 tells up to where its answer is complete, and that nothing has disappeared', async ({ engine }) => {
    const empty = await engine.list('');
    assert.deepEqual([empty.names, empty.upTo.seq, empty.forgottenUpTo], [[], 0, 0]);

    const positions = await appendAll(engine, ['a', 'b', 'a']);
    const { upTo, forgottenUpTo } = await engine.list('b');
    assert.deepEqual([upTo.epoch, upTo.seq, forgottenUpTo], [positions[2]!.epoch, positions[2]!.seq, 0]);
  });

  test('13 no topic beside those that are listed has had an event up to the position, whoever publishes meanwhile', async ({
    engine,
  }) => {
    const appending = Array.from({ length: 50 }, (_, n) => append(engine, `t/${n}`));
    const listing = engine.list('t/');
    appending.push(...Array.from({ length: 50 }, (_, n) => append(engine, `t/${n + 50}`)));
    const positions = await Promise.all(appending);

    const { names, upTo } = await listing;
    const missed = positions.filter(({ seq }, n) => seq <= upTo.seq && !names.includes(`t/${n}`));
    assert.deepEqual(missed, []);
  });

  test('13 does not list what was only asked for', async ({ engine }) => {
    await Gatherer.start(engine);
    await engine.subscribe(['subscribed']);
    await read(engine, ['read']);
    await engine.locate(['located'], 'id');

    await append(engine, 'a');
    assert.deepEqual((await engine.list('')).names, ['a']);
  });

  test('16 tells the newest entry of each topic, in the order of the question, and the head of the lane', async ({
    engine,
  }) => {
    const positions = await appendAll(engine, ['a', 'b', 'a']);
    const [kept] = await appendAll(engine, ['gone'], { ...RETENTION, maxEvents: 0 });
    const head = await append(engine, 'other');

    const { upTo, topics } = await engine.heads(['b', 'never', 'gone', 'a', 'b']);
    const headOf = ({ seq, at }: { seq: number; at: number }): unknown => ({ seq, at });
    assert.deepEqual(
      topics,
      [positions[1]!, undefined, kept!, positions[2]!, positions[1]!].map((p) => p && headOf(p)),
    );
    assert.deepEqual([upTo.epoch, upTo.seq], [head.epoch, head.seq]);
    assert.deepEqual((await engine.heads([])).topics, []);
  });

  test('16 a topic has nothing between its newest entry and the head, whoever publishes meanwhile', async ({
    engine,
  }) => {
    const names = Array.from({ length: 20 }, (_, n) => `t/${n}`);
    const appending = Array.from({ length: 100 }, (_, n) => append(engine, names[n % 20]!));
    const asking = engine.heads(names);
    appending.push(...Array.from({ length: 100 }, (_, n) => append(engine, names[n % 20]!)));
    await Promise.all(appending);

    const { upTo, topics } = await asking;
    const { entries } = await read(engine, names);
    for (const [n, name] of names.entries()) {
      const between = entries.filter(
        ({ topic, seq }) => topic === name && seq > (topics[n]?.seq ?? 0) && seq <= upTo.seq,
      );
      assert.deepEqual(between, []);
    }
  });

  test('16 tells the heads of 10,000 topics at once', async ({ engine }) => {
    const names = Array.from({ length: 10_000 }, (_, n) => `t/${n}`);
    const last = await append(engine, names[9_999]!);

    const { topics } = await engine.heads(names);
    assert.equal(topics.length, 10_000);
    assert.equal(topics[9_999]?.seq, last.seq);
    assert.equal(topics[0], undefined);
  });

  test('17 the log of an engine that works is healthy', async ({ engine }) => {
    await engine.health();
  });
}
