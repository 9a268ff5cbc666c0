import assert from 'node:assert/strict';
import { SseError } from '../../errors.js';
import { RETENTION, append, appendAll, bytes, read, seqsOf, textsOf } from './suite.js';
import type { Case } from './suite.js';

const MAX_TRIED_BYTES = 67_108_864;

/** Promises 1 to 3, 5, 15 and 19, and the payloads of 4. */
export function appendCases(test: Case): void {
  test('1 append resolves to positions that strictly increase over all topics', async ({ engine }) => {
    const positions = await appendAll(engine, ['a', 'b', 'a', 'c', 'b']);

    const seqs = seqsOf(positions);
    assert.deepEqual(
      seqs,
      [...new Set(seqs)].sort((x, y) => x - y),
    );
    assert(seqs.every((seq) => Number.isSafeInteger(seq) && seq > 0));
    assert.equal(new Set(positions.map(({ epoch }) => epoch)).size, 1);
    assert.match(positions[0]?.epoch ?? '', /^[0-9a-z]{6}$/);
  });

  test('1 the position is that of the stored entry', async ({ engine }) => {
    const position = await append(engine, 'a', 'x');

    const { entries, upTo } = await read(engine, ['a']);
    assert.deepEqual(
      entries.map(({ seq, at }) => ({ seq, at })),
      [{ seq: position.seq, at: position.at }],
    );
    assert.equal(upTo.epoch, position.epoch);
  });

  test(
    "1 the position's time is the engine's clock",
    async (bench) => {
      const before = await append(bench.engine, 'a');
      bench.pass(1_234);
      const after = await append(bench.engine, 'a');

      assert.deepEqual([before.at, after.at], [bench.time - 1_234, bench.time]);
    },
    'clock',
  );

  test('2 appends keep the order of their calls without being awaited', async ({ engine }) => {
    const texts = Array.from({ length: 300 }, (_, n) => `${n}`);
    const positions = await Promise.all(texts.map((text, n) => append(engine, `t${n % 3}`, text)));

    const page = await read(engine, ['t0', 't1', 't2']);
    assert.deepEqual(textsOf(page.entries), texts);
    assert.deepEqual(seqsOf(positions), seqsOf(page.entries));
  });

  test('2 a large append does not let a later small one overtake it', async ({ engine }) => {
    await Promise.all([append(engine, 'a', new Uint8Array(1_000_000)), append(engine, 'a', 'small')]);

    const { entries } = await read(engine, ['a']);
    assert.deepEqual(
      entries.map(({ data }) => data.byteLength),
      [1_000_000, 5],
    );
  });

  test('3 the chain of each topic has no gap, with 50 topics and 8 publishers at once', async ({ engine }) => {
    const topics = Array.from({ length: 50 }, (_, n) => `t/${n}`);
    await Promise.all(Array.from({ length: 8 }, () => appendAll(engine, topics)));

    const { entries } = await read(engine, topics);
    assert.equal(entries.length, 400);
    for (const topic of topics) {
      const own = entries.filter((entry) => entry.topic === topic);
      assert.deepEqual(
        own.map(({ prev }) => prev),
        [0, ...seqsOf(own).slice(0, -1)],
      );
    }
  });

  test('3 the chain goes on over evicted entries', async ({ engine }) => {
    const retention = { maxEvents: 0, maxBytes: 0, maxAgeMs: 600_000 };
    const evicted = await append(engine, 'a', 'evicted', { retention });
    await append(engine, 'b');
    await append(engine, 'a', 'kept');

    const { entries } = await read(engine, ['a']);
    assert.deepEqual(
      entries.map(({ prev }) => prev),
      [evicted.seq],
    );
  });

  test('5 a read sees every append that has resolved before it', async ({ engine }) => {
    for (let n = 0; n < 50; n++) {
      const { seq } = await append(engine, 'a', `${n}`);
      const { entries } = await read(engine, ['a'], { after: seq - 1 });
      assert.deepEqual(textsOf(entries), [`${n}`]);
    }
  });

  test(
    '15 the time of positions never decreases, also when the clock steps back',
    async (bench) => {
      const before = await append(bench.engine, 'a');
      bench.pass(-3_600_000);
      const during = await append(bench.engine, 'a');
      bench.pass(3_600_001);
      const after = await append(bench.engine, 'a');

      assert.deepEqual([during.at, after.at], [before.at, before.at + 1]);
      const { entries, upTo } = await read(bench.engine, ['a']);
      assert.deepEqual(
        entries.map(({ at }) => at),
        [before.at, during.at, after.at],
      );
      assert.equal(upTo.at, after.at);
    },
    'clock',
  );

  test(
    '15 nothing is reported missing after the clock has stepped back',
    async (bench) => {
      const { engine } = bench;
      const early = await append(engine, 'a');
      bench.pass(-3_600_000);
      const late = await append(engine, 'a');

      for (const verify of [early, late]) {
        const { holes } = await read(engine, ['a'], { after: verify.seq, verify });
        assert.deepEqual(holes, []);
      }
    },
    'clock',
  );

  test('4 each payload comes back byte for byte', async ({ engine }) => {
    const payloads = [
      new Uint8Array(),
      Uint8Array.from({ length: 256 }, (_, n) => n),
      Uint8Array.from({ length: 1_048_576 }, (_, n) => (n * 7) % 251),
      bytes('\0\r\n: {}"\\ \u{1f98a} \u{10ffff}'),
      // No UTF-8 at all: a lone surrogate, a cut sequence, bytes that no text has.
      Uint8Array.of(0xed, 0xa0, 0x80, 0xf0, 0x9f, 0xff, 0xfe),
    ];
    for (const payload of payloads) await append(engine, 'a', payload);

    const { entries } = await read(engine, ['a']);
    assert.deepEqual(
      entries.map(({ data }) => Buffer.from(data).toString('hex')),
      payloads.map(hex),
    );
  });

  test('19 an event of the stated size is stored; one that is larger is refused, and nothing suffers from it', async ({
    engine,
  }) => {
    const { maxEventBytes } = engine;
    // More than a test should take.
    if (maxEventBytes > MAX_TRIED_BYTES) return;
    const largest = new Uint8Array(maxEventBytes).fill(97);
    const retention = { ...RETENTION, maxBytes: 2 * maxEventBytes };
    const [stored, refused, next] = await Promise.allSettled([
      append(engine, 'a', largest, { retention }),
      append(engine, 'a', new Uint8Array(maxEventBytes + 1), { retention }),
      append(engine, 'a', 'small', { retention }),
    ]);

    assert(refused.status === 'rejected' && SseError.is(refused.reason), 'it is refused');
    assert.equal(refused.reason.code, 'invalid-event');
    assert.match(refused.reason.message, new RegExp(`at most ${maxEventBytes} bytes`));
    assert.deepEqual([stored.status, next.status], ['fulfilled', 'fulfilled']);
    await engine.health();
    const { entries } = await read(engine, ['a'], { maxBytes: 2 * maxEventBytes });
    assert.equal(textsOf(entries).at(-1), 'small');
  });
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}
