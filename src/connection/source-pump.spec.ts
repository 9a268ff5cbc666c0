import { describe, expect, it } from '@jest/globals';
import { Observable, Subject, of, throwError } from 'rxjs';
import { SourcePump, type SourceTarget } from './source-pump.js';
import { type PullSource, toSource } from './source.js';

/** Notes what it is given; full or not, as the test says. */
class Target implements SourceTarget {
  readonly values: unknown[] = [];
  readonly over: Promise<unknown>;
  /** It stands for its output as well. */
  readonly output = this;
  isWritable = true;
  ended: unknown;
  /** Stands for a connection, which stops its pump when it has ended. */
  onEnd: () => void = () => undefined;
  onValue: (value: unknown) => void = () => undefined;
  #settle!: (how: unknown) => void;
  #hasRoom: (() => void) | undefined;

  constructor() {
    this.over = new Promise((resolve) => (this.#settle = resolve));
  }

  whenWritable(): Promise<void> {
    return new Promise((resolve) => (this.#hasRoom = resolve));
  }

  makeRoom(): void {
    this.isWritable = true;
    this.#hasRoom?.();
  }

  send(value: unknown): void {
    this.values.push(value);
    this.onValue(value);
  }

  end(): void {
    this.#finish('complete');
  }

  fail(error: unknown): void {
    this.#finish(error);
  }

  #finish(how: unknown): void {
    if (this.ended !== undefined) throw new Error('ended twice');
    this.ended = how;
    this.onEnd();
    this.#settle(how);
  }
}

function pump(target: Target, value: unknown): SourcePump {
  const made = new SourcePump(target);
  target.onEnd = () => made.stop();
  const source = toSource(value);
  if (source.kind === 'push') made.push(source.source);
  else if (source.kind === 'pull') void made.pull(source.start);
  return made;
}

const boom = new Error('boom');
const turn = () => new Promise(setImmediate);

function streamOf(...values: unknown[]): ReadableStream {
  return new ReadableStream({
    pull: (controller) => (values.length > 0 ? controller.enqueue(values.shift()) : controller.close()),
  });
}

describe('a pump of a push source', () => {
  it('gives what an Observable emits while it is being subscribed to, and its completion', () => {
    const target = new Target();
    pump(target, of(1, 2));
    expect([target.values, target.ended]).toEqual([[1, 2], 'complete']);
  });

  it('gives an error that comes while it is being subscribed to', () => {
    const target = new Target();
    pump(
      target,
      throwError(() => boom),
    );
    expect(target.ended).toBe(boom);
  });

  it('gives the error of a foreign source whose subscribe throws', () => {
    const target = new Target();
    pump(target, {
      subscribe: () => {
        throw boom;
      },
    });
    expect(target.ended).toBe(boom);
  });

  it('unsubscribes when it is stopped, and gives nothing more', () => {
    const target = new Target();
    const subject = new Subject<number>();
    const made = pump(target, subject);
    subject.next(1);
    made.stop();
    made.stop();
    subject.next(2);

    expect([target.values, subject.observed, target.ended]).toEqual([[1], false, undefined]);
  });

  it('unsubscribes from a source that fills its target while it is being subscribed to', () => {
    const target = new Target();
    let isTornDown = false;
    const made = new SourcePump(target);
    target.onValue = (value) => value === 2 && made.stop();
    made.push(
      new Observable<number>((subscriber) => {
        for (let n = 1; n < 10; n++) subscriber.next(n);
        return () => (isTornDown = true);
      }),
    );

    expect([target.values, isTornDown]).toEqual([[1, 2], true]);
  });

  it('gives only the first end of a source that ends twice', () => {
    const target = new Target();
    pump(target, {
      subscribe: (observer: any) => {
        observer.complete();
        observer.error(boom);
        observer.next(1);
        return { unsubscribe: () => undefined };
      },
    });
    expect([target.values, target.ended]).toEqual([[], 'complete']);
  });

  it.each([
    [
      'throws',
      () => ({
        unsubscribe: () => {
          throw boom;
        },
      }),
    ],
    ['is missing', () => undefined],
  ])('is stopped also when unsubscribe %s', (_, subscribe) => {
    const made = pump(new Target(), { subscribe });
    expect(() => made.stop()).not.toThrow();
  });
});

describe('a pump of a pull source', () => {
  it.each<[string, () => unknown]>([
    ['an array', () => [1, 2, 3]],
    [
      'a generator',
      () =>
        (function* () {
          yield* [1, 2, 3];
        })(),
    ],
    [
      'an async generator',
      () =>
        (async function* () {
          yield* [1, 2, 3];
        })(),
    ],
    ['a ReadableStream', () => streamOf(1, 2, 3)],
    ['an iterable of promises', () => [Promise.resolve(1), 2, Promise.resolve(3)]],
  ])('gives the values of %s, then its end', async (_, create) => {
    const target = new Target();
    pump(target, create());

    expect(await target.over).toBe('complete');
    expect(target.values).toEqual([1, 2, 3]);
  });

  it('asks for nothing while its target is full', async () => {
    const target = new Target();
    let asked = 0;
    target.onValue = (value) => (target.isWritable = value !== 2);
    pump(
      target,
      (function* () {
        for (;;) yield ++asked;
      })(),
    );
    await turn();
    expect([target.values, asked]).toEqual([[1, 2], 2]);

    target.onValue = (value) => (target.isWritable = value !== 4);
    target.makeRoom();
    await turn();
    expect([target.values, asked]).toEqual([[1, 2, 3, 4], 4]);
  });

  it.each<[string, () => unknown]>([
    [
      'an iterator that throws at once',
      () => ({
        [Symbol.asyncIterator]: () => {
          throw boom;
        },
      }),
    ],
    [
      'a next that throws',
      () => ({
        [Symbol.iterator]: () => ({
          next: () => {
            throw boom;
          },
        }),
      }),
    ],
    ['a next that rejects', () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(boom) }) })],
    [
      'a generator that throws',
      () =>
        (async function* () {
          yield 1;
          throw boom;
        })(),
    ],
    ['a promise that rejects', () => [Promise.reject(boom)]],
    ['a ReadableStream that fails', () => new ReadableStream({ pull: (controller) => controller.error(boom) })],
  ])('gives the error of %s', async (_, create) => {
    const target = new Target();
    pump(target, create());

    expect(await target.over).toBe(boom);
  });

  it('fails on a next that gives no result', async () => {
    const target = new Target();
    pump(target, { [Symbol.asyncIterator]: () => ({ next: async () => undefined }) });

    expect(await target.over).toBeInstanceOf(TypeError);
  });

  it('lets a generator clean up after one of its values has rejected', async () => {
    const target = new Target();
    let isCleanedUp = false;
    pump(
      target,
      (function* () {
        try {
          yield Promise.reject(boom);
        } finally {
          isCleanedUp = true;
        }
      })(),
    );

    expect(await target.over).toBe(boom);
    await turn();
    expect(isCleanedUp).toBe(true);
  });

  it('calls return when it is stopped, so that a generator can clean up', async () => {
    const target = new Target();
    let onCleanUp!: () => void;
    const cleanedUp = new Promise<void>((resolve) => (onCleanUp = resolve));
    const made = pump(
      target,
      (async function* () {
        try {
          for (;;) yield await new Promise(setImmediate);
        } finally {
          onCleanUp();
        }
      })(),
    );
    target.onValue = () => made.stop();

    await cleanedUp;
    expect(target.values).toHaveLength(1);
    expect(target.ended).toBeUndefined();
  });

  it.each<[string, PullSource['cancel']]>([
    ['hangs', () => new Promise(() => undefined)],
    [
      'throws',
      () => {
        throw boom;
      },
    ],
    ['rejects', () => Promise.reject(boom)],
  ])('stops at once also when the return of its source %s', async (_, cancel) => {
    const target = new Target();
    const made = new SourcePump(target);
    const pulling = made.pull(() => ({ next: async () => ({ value: 1, done: false }), cancel }));
    target.onValue = () => made.stop();

    await pulling;
    expect([target.values, target.ended]).toEqual([[1], undefined]);
  });

  it('gives nothing of a value that comes after it was stopped', async () => {
    const target = new Target();
    const made = new SourcePump(target);
    let give!: (result: IteratorResult<unknown>) => void;
    const pulling = made.pull(() => ({
      next: () => new Promise((resolve) => (give = resolve)),
      cancel: () => undefined,
    }));
    made.stop();
    give({ value: 1, done: false });

    await pulling;
    expect([target.values, target.ended]).toEqual([[], undefined]);
  });

  it('cancels a ReadableStream while a read is pending', async () => {
    const cancelled = new Promise((resolve) => {
      const made = pump(new Target(), new ReadableStream({ cancel: resolve }));
      made.stop();
    });

    await expect(cancelled).resolves.toBeUndefined();
  });

  it('is let go by a full target that ends', async () => {
    const target = new Target();
    target.isWritable = false;
    let isCancelled = false;
    const made = new SourcePump(target);
    const pulling = made.pull(() => ({
      next: () => ({ value: 1, done: false }),
      cancel: () => (isCancelled = true),
    }));
    made.stop();
    target.makeRoom();

    await pulling;
    expect([target.values, isCancelled]).toEqual([[], true]);
  });
});
