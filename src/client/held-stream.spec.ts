import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../test/support/until.js';
import { type Wanted, hold, idOf, shownOf, want } from './held-stream.js';
import { openStream } from './open-stream.js';

interface Request {
  readonly url: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  /** Sends text, and with `undefined` ends the body. */
  say(text?: string): void;
}

const URL_OF_STREAM = 'http://stocks.example/AAPL';
const requests: Request[] = [];
const releases: (() => void)[] = [];
let id: string;
let number = 0;

beforeEach(() => {
  requests.length = 0;
  id = `id-${number++}`;
});

afterEach(async () => {
  for (const release of releases.splice(0)) release();
  await until(() => requests.every(({ signal }) => signal.aborted), 'the streams to be closed');
  jest.restoreAllMocks();
});

describe('a held stream', () => {
  it('is opened once, and closed a while after the last has let go', async () => {
    const first = held();
    const second = held();
    await until(() => phase() === 'open', 'the stream to be open');

    first();
    expect(shownOf(id)?.state.phase).toBe('open');
    second();
    const third = held();
    requests[0]!.say('data: 1\n\n');
    await until(() => shownOf(id)?.data === '1', 'an event');
    third();
    await until(() => shownOf(id) === undefined, 'the end of the grace');

    expect(requests).toHaveLength(1);
    expect(requests[0]!.signal.aborted).toBe(true);
  });

  it('is opened anew for whoever comes after the last user of one that is over', async () => {
    const release = held();
    await until(() => phase() === 'open', 'the stream to be open');
    const over = shownOf(id)!.stream;
    over!.close();
    expect(phase()).toBe('closed');

    // Somebody who joins sees what the others see.
    const joined = held();
    expect(shownOf(id)?.stream).toBe(over);
    release();
    joined();
    held();

    expect(shownOf(id)?.stream).not.toBe(over);
    await until(() => phase() === 'open', 'the new stream');
    expect(requests).toHaveLength(2);
  });

  it('asks for headers and a URL as they are wanted last', async () => {
    const at =
      (path: string): Wanted['url'] =>
      () =>
        `http://stocks.example/${path}`;
    held({ url: at('first'), headers: () => ({ authorization: 'first' }) });
    await until(() => phase() === 'open', 'the stream to be open');

    want(id, wanted({ url: at('second'), headers: () => ({ authorization: 'second' }) }));
    requests[0]!.say();
    await until(() => requests.length === 2, 'another request');

    expect(requests.map(({ url }) => url)).toEqual(['http://stocks.example/first', 'http://stocks.example/second']);
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual(['first', 'second']);
  });

  it('tells reduce of everything, resets included', async () => {
    held({ initial: '', reduce: (data, { type }) => `${String(data)} ${type}` });
    await until(() => phase() === 'open', 'the stream to be open');

    requests[0]!.say(
      'data: 1\n\nevent: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\nevent: tick\ndata: 2\n\n',
    );
    await until(() => String(shownOf(id)?.data).endsWith('tick'), 'the last event');

    expect(shownOf(id)?.data).toBe(' message stream.reset tick');
  });

  it('keeps its data at a reset where nothing is reduced', async () => {
    held();
    await until(() => phase() === 'open', 'the stream to be open');

    requests[0]!.say('data: 1\n\nevent: stream.reset\ndata: {"reason":"trimmed","topics":[]}\nid: 7\n\n');
    await until(() => shownOf(id)?.stream?.lastEventId === '7', 'the reset');

    expect(shownOf(id)?.data).toBe('1');
  });

  it('takes its data from each snapshot, but not from one that is over', async () => {
    const snapshots: ((taken: { lastEventId: string; data: unknown }) => void)[] = [];
    const snapshot = (): Promise<never> => new Promise((resolve) => snapshots.push(resolve as never));
    held({ snapshot, initial: 'nothing' });
    expect(shownOf(id)?.data).toBe('nothing');

    snapshots[0]!({ lastEventId: '5', data: 'first' });
    await until(() => phase() === 'open', 'the stream to be open');
    expect(shownOf(id)?.data).toBe('first');
    requests[0]!.say('event: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n');
    await until(() => snapshots.length === 2, 'the second snapshot');
    // Another place: what is under way is let go of.
    shownOf(id)!.stream!.reconnect({ url: `${URL_OF_STREAM}?other` });
    await until(() => snapshots.length === 3, 'the third snapshot');
    snapshots[2]!({ lastEventId: '9', data: 'third' });
    await until(() => phase() === 'open', 'the stream to be open again');
    snapshots[1]!({ lastEventId: '8', data: 'late' });
    requests[1]!.say(': comment\nid: 10\n\n');
    await until(() => shownOf(id)?.stream?.lastEventId === '10', 'what comes then');

    expect(shownOf(id)?.data).toBe('third');
    expect(requests.map(({ headers }) => headers.get('last-event-id'))).toEqual(['5', '9']);
  });

  it('is opened by `share`, with the key', async () => {
    const calls: unknown[] = [];
    held({
      key: 'user 1',
      share: (key, url, options) => {
        calls.push([key, url, options.retryInterval]);
        return openStream(url, options);
      },
    });
    await until(() => phase() === 'open', 'the stream to be open');

    expect(calls).toEqual([['user 1', URL_OF_STREAM, 1]]);
  });

  it('is none when it cannot be opened', () => {
    expect(() => held({ url: 'http://' })).toThrow('Invalid URL');
    expect(shownOf(id)).toBeUndefined();
  });
});

describe('which stream it is', () => {
  const own = {};
  const fresh = (): string => '/ticket';

  it.each<[string, Wanted, Wanted, boolean]>([
    ['the same URL', { url: '/a' }, { url: '/a' }, true],
    ['a URL as text and as an object', { url: 'http://a.example/' }, { url: new URL('http://a.example') }, true],
    ['another URL', { url: '/a' }, { url: '/b' }, false],
    ['another key', { url: '/a', key: '1' }, { url: '/a', key: '2' }, false],
    ['a key and none', { url: '/a', key: '1' }, { url: '/a' }, false],
    ['functions', { url: fresh }, { url: fresh }, false],
    ['functions with a key', { url: fresh, key: '1' }, { url: fresh, key: '1' }, true],
    ['bodies', { url: '/a', body: 'x' }, { url: '/a', body: 'x' }, false],
    ['bodies with a key', { url: '/a', body: 'x', key: '1' }, { url: '/a', body: 'x', key: '1' }, true],
  ])('%s', (_case, one, other, isSame) => {
    expect(idOf(one, own) === idOf(other, {})).toBe(isSame);
  });

  it('stays what it is for a component that has it alone', () => {
    expect(idOf({ url: fresh }, own)).toBe(idOf({ url: () => '/another' }, own));
  });

  it('is none without a URL', () => {
    expect(idOf({ url: null, key: '1' }, own)).toBeFalsy();
  });
});

function wanted(more: Partial<Wanted> = {}): Wanted {
  return { url: URL_OF_STREAM, retryInterval: 1, fetch: answer, ...more };
}

function held(more?: Partial<Wanted>): () => void {
  const release = hold(id, wanted(more), () => undefined);
  releases.push(release);
  return release;
}

function phase(): string | undefined {
  return shownOf(id)?.state.phase;
}

async function answer(url: string, init: RequestInit): Promise<Response> {
  let body!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) });
  const { headers, signal } = init as { headers: Headers; signal: AbortSignal };
  const say = (text?: string): void =>
    text === undefined ? body.close() : body.enqueue(new TextEncoder().encode(text));
  requests.push({ url, headers, signal, say });
  signal.addEventListener('abort', () => body.error(signal.reason));
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
}
