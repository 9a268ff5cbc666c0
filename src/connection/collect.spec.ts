import { describe, expect, it } from '@jest/globals';
import { Subject, of, throwError } from 'rxjs';
import { MAX_COLLECTED_BYTES, collect } from './collect.js';
import { toSource } from './source.js';

const boom = new Error('boom');
const KB = 'x'.repeat(1_000);

class Stream {
  readonly #abort = new AbortController();
  readonly lastEventId = undefined;
  ended: unknown;

  constructor(
    readonly settings: { readonly maxLifetimeMs: number | false } = { maxLifetimeMs: false },
    readonly principal: { readonly id: string; readonly expiresAt?: number } | null = null,
  ) {}

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(reason: unknown): void {
    this.ended = reason;
    this.#abort.abort();
  }
}

const collected = (value: unknown, stream = new Stream()) => collect(stream, toSource(value), undefined);

describe('all events of a source', () => {
  it('are as they were given, without notices', async () => {
    const bytes = new Uint8Array([1, 2]);
    const values = [1, 'a\nb', { x: [null] }, { comment: 'none' }, { type: 't', id: 7, data: 'typed' }, bytes];
    expect(await collected(values)).toEqual([
      { data: 1 },
      { data: 'a\nb' },
      { data: { x: [null] } },
      { type: 't', id: '7', data: 'typed' },
      { data: bytes },
    ]);
  });

  it('are as they were at that moment', async () => {
    const state = { count: 0 };
    const source = (async function* () {
      for (; state.count < 3; state.count++) yield state;
    })();
    expect(await collected(source)).toEqual([{ data: { count: 0 } }, { data: { count: 1 } }, { data: { count: 2 } }]);
  });

  it('of one that fails are none, and it is left', async () => {
    let isOver = false;
    const source = (function* () {
      try {
        yield 1;
        yield undefined;
      } finally {
        isOver = true;
      }
    })();
    await expect(collected(source)).rejects.toMatchObject({ code: 'invalid-event' });
    expect(isOver).toBe(true);
    await expect(collected(throwError(() => boom))).rejects.toBe(boom);
    await expect(collected(of({ type: 'stream.end', data: 1 }))).rejects.toMatchObject({ code: 'invalid-event' });
  });

  it(`have at most ${MAX_COLLECTED_BYTES} bytes, and a source that never waits lets others take their turn`, async () => {
    let given = 0;
    let turns = 0;
    let isOver = false;
    const source = (function* () {
      try {
        for (;;) yield (given++, KB);
      } finally {
        isOver = true;
      }
    })();
    const counting = setInterval(() => turns++, 0);

    await expect(collected(source)).rejects.toMatchObject({ code: 'too-large' });
    clearInterval(counting);

    expect(given).toBeGreaterThan((MAX_COLLECTED_BYTES / KB.length) * 0.98);
    expect(given).toBeLessThan(MAX_COLLECTED_BYTES / KB.length + 1);
    expect(isOver).toBe(true);
    expect(turns).toBeGreaterThan(0);
  });

  it('are those until the stream is ended, and the source is left', async () => {
    const stream = new Stream();
    const source = new Subject();
    const events = collected(source, stream);
    source.next(1);
    stream.end('closed');
    source.next(2);
    expect(await events).toEqual([{ data: 1 }]);
    expect(source.observed).toBe(false);
  });

  it('are not asked for when the stream was ended before', async () => {
    let isCancelled = false;
    const stream = new Stream();
    stream.end('shutdown');
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    expect(await collected(source, stream)).toEqual([]);
    await new Promise(setImmediate);
    expect(isCancelled).toBe(true);
  });

  it.each([
    ['lifetime', new Stream({ maxLifetimeMs: 20 })],
    ['expired', new Stream(undefined, { id: 'ann', expiresAt: Date.now() + 20 })],
    ['expired', new Stream({ maxLifetimeMs: 60_000 }, { id: 'ann', expiresAt: Date.now() - 1 })],
  ])('are waited for until the time is over: %s', async (reason, stream) => {
    await collected(new Subject(), stream);
    expect(stream.ended).toBe(reason);
  });
});
