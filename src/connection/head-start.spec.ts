import { describe, expect, it } from '@jest/globals';
import { Observable, Subject, of, throwError } from 'rxjs';
import { HeadStart } from './head-start.js';
import { type ProducerSource, toSource } from './source.js';

const boom = new Error('boom');
const turn = () => new Promise(setImmediate);

/** Stands for a stream, which keeps what is sent before its head. */
class Stream {
  readonly values: unknown[] = [];
  readonly settings = { maxPendingBytes: 100 };
  readonly output = { isWritable: true, whenWritable: async () => undefined };
  ended: unknown;
  stop: () => void = () => undefined;

  send(value: unknown): string {
    if (value === undefined) throw boom;
    this.values.push(value);
    return value as string;
  }

  end(how: unknown): void {
    this.ended ??= how;
    this.stop();
  }

  fail(error: unknown): void {
    this.end(error);
  }
}

function begin(value: unknown): { stream: Stream; start: HeadStart; first: Promise<unknown> } {
  const stream = new Stream();
  const start = new HeadStart(stream);
  stream.stop = () => start.stop();
  start.start(toSource(value) as ProducerSource);
  const first = start.first.then(
    () => 'there',
    (error: unknown) => error,
  );
  return { stream, start, first };
}

describe('a source that can be asked to wait', () => {
  it('is asked for one value before the head, and for the next when the stream is open', async () => {
    let asked = 0;
    const source = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: asked === 3, value: `v${++asked}` }) }),
    };
    const { stream, start, first } = begin(source);

    expect(await first).toBe('there');
    await turn();
    expect([asked, stream.values]).toEqual([1, ['v1']]);
    start.open();
    await turn();
    expect([asked, stream.values, stream.ended]).toEqual([4, ['v1', 'v2', 'v3'], 'complete']);
  });

  it('waits for the room of the stream once that is open', async () => {
    let asked = 0;
    let makeRoom = (): void => undefined;
    const source = (function* () {
      for (;;) yield `v${++asked}`;
    })();
    const { stream, start, first } = begin(source);
    await first;
    stream.output.isWritable = false;
    stream.output.whenWritable = () => new Promise((resolve) => (makeRoom = () => resolve(undefined)));

    start.open();
    await turn();
    expect(asked).toBe(1);
    makeRoom();
    await turn();

    expect(asked).toBe(2);
    start.stop();
    makeRoom();
  });

  it('keeps a first value of any size', async () => {
    const { stream, start, first } = begin(['x'.repeat(1_000)]);

    expect(await first).toBe('there');
    start.open();
    await turn();

    expect([stream.values.length, stream.ended]).toEqual([1, 'complete']);
  });

  it.each([
    [
      'that throws as it begins',
      {
        [Symbol.iterator]: () => {
          throw boom;
        },
      },
    ],
    [
      'that rejects',
      (async function* (): AsyncGenerator<unknown> {
        yield await Promise.reject(boom);
      })(),
    ],
    ['whose value rejects', [Promise.reject(boom)]],
    ['whose value is no event', [undefined]],
  ])('%s has failed before the head', async (_, source) => {
    const { stream, first } = begin(source);
    expect(await first).toBe(boom);
    expect([stream.values, stream.ended]).toEqual([[], undefined]);
  });

  it('that ends without a value ends its stream as it opens', async () => {
    const { stream, start, first } = begin([]);
    expect(await first).toBe('there');
    expect(stream.ended).toBeUndefined();
    start.open();
    expect(stream.ended).toBe('complete');
  });

  it('is cancelled at once while it is being waited for', async () => {
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    const { start } = begin(source);
    start.stop();
    await turn();
    expect(isCancelled).toBe(true);
  });
});

describe('a source that pushes', () => {
  it('loses nothing of what comes before the head, while it is written, and after it', async () => {
    const source = new Subject<string>();
    const { stream, start, first } = begin(source);
    source.next('a');
    source.next('b');
    await first;
    source.next('c');
    start.open();
    source.next('d');
    source.complete();
    expect([stream.values, stream.ended]).toEqual([['a', 'b', 'c', 'd'], 'complete']);
  });

  it('that fails in the turn of its first value has a stream, and then fails it', async () => {
    const source = new Observable((observer) => {
      observer.next('a');
      observer.error(boom);
    });
    const { stream, start, first } = begin(source);
    expect(await first).toBe('there');
    start.open();
    expect([stream.values, stream.ended]).toEqual([['a'], boom]);
  });

  it('that fails as it is subscribed to has failed before the head', async () => {
    const { first } = begin(throwError(() => boom));
    expect(await first).toBe(boom);
  });

  it('that fails when nobody waits any more fails the stream as that opens', () => {
    const source = new Subject<string>();
    const { stream, start } = begin(source);
    source.error(boom);
    start.open();
    expect(stream.ended).toBe(boom);
  });

  it('fails when more comes before the head than may wait, and is left', async () => {
    const source = new Subject<string>();
    const { stream, start, first } = begin(source);
    for (let n = 0; n < 5; n++) source.next('x'.repeat(40));
    expect(await first).toBe('there');
    expect(source.observed).toBe(false);
    start.open();
    expect(stream.ended).toMatchObject({ code: 'too-large' });
    expect(stream.values).toHaveLength(3);
  });

  it('that has completed already gives all of it', async () => {
    const { stream, start, first } = begin(of('a', 'b'));
    await first;
    start.open();
    expect([stream.values, stream.ended]).toEqual([['a', 'b'], 'complete']);
  });
});
