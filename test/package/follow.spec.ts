import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createRandom } from '../faults/support/random.mjs';
import { type Follow, type Followed, loadFollow } from '../support/follow.js';

const ORIGIN = 'http://stocks.example/';
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const END = 'event: stream.end\ndata: {"reason":"complete","reconnect":false}\n\n';

type Answer = (request: Request) => Response | Promise<Response>;

let follow: Follow;
/** What the server says, one answer for each request. */
let answers: Answer[];
let requests: Request[];
/** For how long it has waited each time; the waits are over at once. */
let waits: number[];

beforeAll(async () => {
  follow = await loadFollow();
});

beforeEach(() => {
  [answers, requests, waits] = [[], [], []];
  jest.spyOn(Math, 'random').mockReturnValue(0);
  jest.spyOn(globalThis, 'fetch').mockImplementation(async (request) => {
    requests.push(request as Request);
    const answer = answers.shift();
    if (answer === undefined) throw new Error('More was asked than there are answers');
    return answer(request as Request);
  });
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((end: () => void, ms: number) => {
    waits.push(ms);
    return setImmediate(end) as unknown;
  }) as typeof setTimeout);
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the follow() of docs/clients.md', () => {
  it('reads a stream cut into bytes as it does one that comes at once', async () => {
    const text =
      '\uFEFF: comment\r\nid: 1\r\nevent: tick\r\ndata: a\r\ndata:b\r\n\r\n' +
      'data: zwölf €, 🎈\ndata\ndata:  two\nid: ä\nunknown: x\n\n' +
      'id: 3\rdata: CR\r\rid\ndata: reset\n\nid: n\0ul\ndata:\n\nevent: of none\nid: 4\n\ndata: : x\n\n' +
      END;
    const bytes = new TextEncoder().encode(text);
    const read = async (size: number): Promise<Followed[]> => {
      answers = [streamOf(...partsOf(bytes, size))];
      return all();
    };

    const whole = await read(bytes.length);

    expect(whole.map(({ type, data, lastEventId }) => [type, data, lastEventId])).toEqual([
      ['tick', 'a\nb', '1'],
      ['message', 'zwölf €, 🎈\n\n two', 'ä'],
      ['message', 'CR', '3'],
      ['message', 'reset', ''],
      ['message', '', ''],
      ['message', ': x', '4'],
      ['stream.end', '{"reason":"complete","reconnect":false}', '4'],
    ]);
    for (let size = 1; size < 24; size++) expect([size, await read(size)]).toEqual([size, whole]);
  });

  it('reads what a random server writes, in random parts', async () => {
    const random = createRandom(seed);
    for (let round = 0; round < 200; round++) {
      const eol = random.pick(['\n', '\r', '\r\n']);
      const events = Array.from({ length: random.int(1, 8) }, (_, n) => ({
        type: random.pick(['message', 'tick']),
        data: Array.from({ length: random.int(1, 4) }, () => random.pick(['', 'x', ' é', '€:', '🎈'])).join('\n'),
        lastEventId: random.pick([`${n}`, `ü${n}`]),
      }));
      const lines = events.flatMap(({ type, data, lastEventId }) => [
        ...(type === 'message' ? [] : [`event: ${type}`]),
        ...data.split('\n').map((line) => `data: ${line}`),
        random.pick([':', ': comment', 'retry: x']),
        `id:${lastEventId}`,
        '',
      ]);
      const bytes = new TextEncoder().encode(lines.join(eol) + eol);
      answers = [streamOf(...partsOf(bytes, random.int(1, 9))), status(204)];

      expect([seed, round, await all()]).toEqual([seed, round, events]);
    }
  });

  it('asks for a stream, and from the last id on, also of an event that has no data', async () => {
    answers = [streamOf('id: 1\ndata: a\n\nid: ü2\n\n'), streamOf('data: b\n\n'), streamOf('id\n\n'), status(204)];
    const events = await all({ headers: { authorization: 'Bearer x' } });

    const sent = (name: string) => requests.map(({ headers }) => headers.get(name));
    expect(sent('last-event-id')).toEqual([null, 'Ã¼2', 'Ã¼2', null]);
    expect(sent('accept')).toEqual(Array(4).fill('text/event-stream'));
    expect(sent('authorization')).toEqual(Array(4).fill('Bearer x'));
    expect(events.map(({ data, lastEventId }) => [data, lastEventId])).toEqual([
      ['a', '1'],
      ['b', 'ü2'],
    ]);
  });

  it('takes no notice of an event that the connection broke off, nor of its id', async () => {
    answers = [cutAfter('id: 1\ndata: a\n\nid: 2\ndata: b\n'), streamOf('id: 2\ndata: b\n\n'), status(204)];
    const events = await all();

    expect(events.map(({ data }) => data)).toEqual(['a', 'b']);
    expect(requests.map(({ headers }) => headers.get('last-event-id'))).toEqual([null, '1', '2']);
  });

  it('comes back after what may pass, later each time, until it was let in', async () => {
    answers = [down, status(500), status(502), status(503), status(408), status(425), status(429), down];
    answers.push(streamOf('retry: 10\n\n'), down, streamOf(), streamOf('retry: no\n\n'), status(204));
    await all();

    expect(waits).toEqual([3_000, 3_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 10, 1_000, 10, 10]);
  });

  it('spreads its returns over half as long again', async () => {
    answers = [streamOf('retry: 1000\n\n'), streamOf(), status(204)];
    jest.spyOn(Math, 'random').mockReturnValueOnce(0.5).mockReturnValueOnce(0.999);
    await all();

    expect(waits).toEqual([1_250, 1_499.5]);
  });

  it('waits for as long as Retry-After says, in seconds or until a date', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
    const after = (value: string) => status(503, { 'retry-after': value });
    answers = [after('40'), after('Tue, 01 Jan 2030 00:01:00 GMT'), after('Tue, 01 Jan 2020 00:00:00 GMT')];
    answers.push(status(429, { 'retry-after': '99' }), after('soon'), after('99999999999'), status(204));
    await all();

    expect(waits).toEqual([40_000, 60_000, 4_000, 99_000, 16_000, 2 ** 31 - 1]);
  });

  it.each([400, 401, 403, 404, 410, 202, 304])(
    'rejects with the status after %d, and does not come back',
    async (code) => {
      answers = [status(code)];

      await expect(all()).rejects.toMatchObject({ status: code });
      expect(waits).toEqual([]);
    },
  );

  it.each(['text/html', 'text/event-streams', undefined])('rejects a body of the type %s', async (type) => {
    answers = [async () => new Response(Buffer.from('data: x\n\n'), { headers: type ? { 'content-type': type } : {} })];

    await expect(all()).rejects.toMatchObject({ status: 200 });
  });

  it('ends at stream.end that says so, and comes back after one that does not', async () => {
    answers = [
      streamOf('event: stream.end\ndata: {"reason":"shutdown","reconnect":true}\n\n'),
      streamOf(END, 'data: x\n\n'),
    ];
    const events = await all();

    expect(events.map(({ type }) => type)).toEqual(['stream.end', 'stream.end']);
    expect(requests).toHaveLength(2);
  });

  it('is stopped by its signal while it waits', async () => {
    const controller = new AbortController();
    jest.mocked(setTimeout).mockImplementation((() => {
      setImmediate(() => controller.abort());
      return 0;
    }) as unknown as typeof setTimeout);
    answers = [down];

    expect(await all({ signal: controller.signal })).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  it('is stopped by its signal among the events of one part', async () => {
    const controller = new AbortController();
    answers = [streamOf('data: a\n\ndata: b\n\n', undefined)];
    const got: string[] = [];
    for await (const { data } of follow(ORIGIN, { signal: controller.signal })) {
      got.push(data);
      controller.abort();
    }

    expect(got).toEqual(['a']);
  });

  it('is stopped by its signal while it reads, and while it asks', async () => {
    for (const body of ['data: a\n\n', 'asking']) {
      const controller = new AbortController();
      answers = [body === 'asking' ? aborted : streamOf(body, undefined)];
      const ended = all({ signal: controller.signal });
      setImmediate(() => controller.abort());
      await ended;
    }

    expect(requests).toHaveLength(2);
  });

  it('passes on what the loop around it throws, and lets go of the body', async () => {
    let cancelled = 0;
    answers = [streamOf('data: a\n\n', undefined, () => cancelled++)];
    const loop = async () => {
      for await (const { data } of follow(ORIGIN)) throw new Error(`refused ${data}`);
    };

    await expect(loop()).rejects.toThrow('refused a');
    expect([cancelled, waits]).toEqual([1, []]);
  });
});

async function all(options?: Parameters<Follow>[1]): Promise<Followed[]> {
  const events: Followed[] = [];
  for await (const event of follow(ORIGIN, options)) events.push(event);
  return events;
}

const down: Answer = () => Promise.reject(new TypeError('fetch failed'));
const aborted: Answer = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

function status(code: number, headers: Record<string, string> = {}): Answer {
  return () => new Response(code === 204 || code === 304 ? null : 'told', { status: code, headers });
}

/** An answer in these parts; `undefined` leaves it open, until it is aborted or cancelled. */
function streamOf(...parts: (string | Uint8Array | undefined | (() => void))[]): Answer {
  return ({ signal }) => body(signal, parts, (controller) => controller.close());
}

/** One whose connection breaks. */
function cutAfter(...parts: string[]): Answer {
  return ({ signal }) => body(signal, parts, (controller) => controller.error(new TypeError('terminated')));
}

function body(
  signal: AbortSignal,
  parts: (string | Uint8Array | undefined | (() => void))[],
  end: (controller: ReadableStreamDefaultController<Uint8Array>) => void,
): Response {
  const [onCancel] = parts.filter((part) => typeof part === 'function');
  const left = parts.filter((part) => typeof part !== 'function');
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason)),
    pull: async (controller) => {
      if (left.length === 0) return end(controller);
      const part = left.shift();
      if (part === undefined) await new Promise(() => undefined);
      else controller.enqueue(typeof part === 'string' ? new TextEncoder().encode(part) : part);
    },
    cancel: () => onCancel?.(),
  });
  return new Response(stream, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
}

function partsOf(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
}
