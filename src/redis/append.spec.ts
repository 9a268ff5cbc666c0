import { describe, expect, test } from '@jest/globals';
import { EngineFailures } from '../engine/kit/failure.js';
import { SseError } from '../errors.js';
import { RedisAppender } from './append.js';
import type { AppendAnswer, AppendCall } from './append-calls.js';

const RETENTION = { maxEvents: 10, maxBytes: 1_000, maxAgeMs: 1_000 };

/** A server that answers when it is told to. It stores numbers as the scripts do. */
class FakeServer {
  readonly #waiting: { readonly call: AppendCall; readonly settle: (answer: AppendAnswer | Error) => void }[] = [];
  readonly appender: RedisAppender;
  /** How many events each call had that was sent. */
  readonly sizes: number[] = [];
  readonly stored: number[] = [];
  readonly noted: unknown[] = [];

  constructor(timeoutMs = 10_000) {
    const link = {
      isReady: () => true,
      problem: () => undefined,
      noteFailure: (error: unknown) => this.noted.push(error),
    };
    const send = (call: AppendCall): Promise<AppendAnswer> => {
      this.sizes.push(call.requests.length);
      return new Promise((resolve, reject) =>
        this.#waiting.push({ call, settle: (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)) }),
      );
    };
    this.appender = new RedisAppender({ timeoutMs, failures: new EngineFailures('Redis') }, link, { send });
  }

  get callsUnderWay(): number {
    return this.#waiting.length;
  }

  /** What becomes of each of so many appends of so many bytes, called in one turn: its sequence, or the code of its error. */
  append(count: number, bytes = 1): Promise<(number | string)[]> {
    const data = new Uint8Array(bytes);
    const appending = Array.from({ length: count }, () =>
      this.appender.append({ topic: 'a', data, retention: RETENTION }).then(
        ({ seq }) => seq,
        (error: unknown) => (SseError.is(error) ? error.code : String(error)),
      ),
    );
    return Promise.all(appending);
  }

  /** Answers the oldest call, as the server would or as is given. */
  async answer(given?: AppendAnswer | Error): Promise<void> {
    const { call, settle } = this.#waiting.shift()!;
    settle(given ?? this.#store(call));
    await turn();
  }

  async answerAll(): Promise<void> {
    while (this.callsUnderWay > 0) await this.answer();
  }

  #store({ n, floor, requests }: AppendCall): AppendAnswer {
    const last = Math.max(this.stored.at(-1) ?? 0, floor - 1);
    if (n > last + 1) return 'early';
    return requests.map((_, i) => {
      if (n + i > last) this.stored.push(n + i);
      return { epoch: 'abc123', seq: this.stored.indexOf(n + i) + 1, at: 1 };
    });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

describe('appends that come together', () => {
  test('go in calls of at most 64 events, and at most 8 calls are under way', async () => {
    const server = new FakeServer();
    const appended = server.append(700);
    await turn();
    expect([server.sizes, server.callsUnderWay]).toEqual([Array<number>(8).fill(64), 8]);
    await server.answer();
    expect(server.callsUnderWay).toBe(8);
    await server.answerAll();

    expect(server.sizes).toEqual([...Array<number>(10).fill(64), 60]);
    expect(await appended).toEqual(upTo(700));
    await server.appender.close(0);
  });

  test.each([
    [100_000, 7, [2, 2, 2, 1]],
    [131_072, 4, [2, 2]],
    [262_144, 3, [1, 1, 1]],
    [300_000, 3, [1, 1, 1]],
  ])('of %i bytes each have at most 256 KiB in a call of several', async (bytes, count, sizes) => {
    const server = new FakeServer();
    const appended = server.append(count, bytes);
    await turn();
    await server.answerAll();

    expect(server.sizes).toEqual(sizes);
    expect(await appended).toEqual(upTo(count));
    await server.appender.close(0);
  });

  test('are sent in the turn in which they come, while there is room for a call', async () => {
    const server = new FakeServer();
    const appended: Promise<unknown>[] = [];
    for (let n = 0; n < 8; n++) {
      appended.push(server.append(1));
      await turn();
    }
    expect(server.callsUnderWay).toBe(8);
    for (let n = 0; n < 5; n++) {
      appended.push(server.append(1));
      await turn();
    }
    await server.answer();

    expect(server.sizes).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 5]);
    await server.answerAll();
    expect((await Promise.all(appended)).flat()).toEqual(upTo(13));
    await server.appender.close(0);
  });
});

describe('a call of several that has failed', () => {
  test('is sent again one by one, so that each gets its own answer', async () => {
    const server = new FakeServer();
    const appended = server.append(3);
    await turn();
    await server.answer(new Error('WRONGTYPE of one of them @user_script'));
    expect(server.sizes).toEqual([3, 1, 1, 1]);
    await server.answer();
    await server.answer(new Error('WRONGTYPE @user_script'));
    await server.answerAll();

    expect(await appended).toEqual([1, 'engine-uncertain', 2]);
    await server.appender.close(0);
  });

  test('has stored what it says, the next one is sent alone, and the rest together', async () => {
    const server = new FakeServer();
    const appended = server.append(5);
    await turn();
    server.stored.push(1, 2);
    await server.answer([1, 2].map((seq) => ({ epoch: 'abc123', seq, at: 1 })));
    expect(server.sizes).toEqual([5, 1, 2]);
    await server.answer(new Error('WRONGTYPE @user_script'));
    await server.answerAll();

    expect(server.sizes).toEqual([5, 1, 2, 2]);
    expect(await appended).toEqual([1, 2, 'engine-uncertain', 3, 4]);
    await server.appender.close(0);
  });

  test('certainly has stored nothing where the server says so, unless an earlier call may have', async () => {
    const server = new FakeServer();
    const refused = server.append(2);
    await turn();
    for (let n = 0; n < 3; n++) await server.answer(new Error('OOM command not allowed'));
    expect(await refused).toEqual(['engine-failed', 'engine-failed']);

    const unsure = server.append(2);
    await turn();
    server.appender.restart();
    for (let n = 0; n < 4; n++) await server.answer(new Error('OOM command not allowed'));
    expect(await unsure).toEqual(['engine-uncertain', 'engine-uncertain']);
    await server.appender.close(0);
  });

  test('is sent again as it was when the server can do it in a moment', async () => {
    const server = new FakeServer();
    const appended = server.append(2);
    await turn();
    await server.answer(new Error('LOADING Redis is loading the dataset in memory'));
    while (server.callsUnderWay === 0) await turn();
    await server.answer();

    expect(server.sizes).toEqual([2, 2]);
    expect(await appended).toEqual([1, 2]);
    await server.appender.close(0);
  });
});

describe('a call of several whose answer is lost', () => {
  test('is sent again over the next connection with all that followed it, and stored once', async () => {
    const server = new FakeServer();
    const appended = [server.append(64), server.append(64)];
    await turn();
    server.stored.push(...upTo(100));
    server.appender.restart();
    await server.answerAll();

    expect((await Promise.all(appended)).flat()).toEqual(upTo(128));
    expect(server.stored).toEqual(upTo(128));
    await server.appender.close(0);
  });

  test('is uncertain at the deadline of each, and what was never sent is not', async () => {
    const server = new FakeServer(50);
    expect(await server.append(8 * 64 + 2)).toEqual([
      ...Array<string>(8 * 64).fill('engine-uncertain'),
      ...Array<string>(2).fill('engine-failed'),
    ]);
    await server.appender.close(0);
  });

  test('does not hold up what comes after the deadline: nobody wants those any more', async () => {
    const server = new FakeServer(50);
    await server.append(3);
    const later = server.append(2);
    await turn();
    server.appender.restart();
    await server.answerAll();

    expect((await later).every((seq) => typeof seq === 'number')).toBe(true);
    await server.appender.close(0);
  });
});
