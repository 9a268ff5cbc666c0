import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { build, transform } from 'esbuild';
import { createContext, runInContext } from 'node:vm';
import { EventSource, type EventSourceOptions } from './event-source.js';
import { StreamError } from './state.js';

const URL_OF_STREAM = 'http://host.example/stream';

const opened: EventSource[] = [];
afterEach(() => {
  for (const source of opened.splice(0)) source.close();
  jest.useRealTimers();
});

describe('why there is no stream, which the error event says', () => {
  it.each([
    ['an answer that is none', new Response('', { status: 503 }), 2, 'refused', 503, 'status'],
    [
      'another type',
      new Response('{}', { headers: { 'content-type': 'text/html' } }),
      2,
      'refused',
      200,
      'content-type',
    ],
  ])('is %s', async (_what, response, readyState, reason, status, code) => {
    const [error, source] = await firstError(() => Promise.resolve(response));

    expect(source.readyState).toBe(readyState);
    expect(error).toMatchObject({ type: 'error', reason, status });
    expect(error.error).toBeInstanceOf(StreamError);
    expect((error.error as StreamError).code).toBe(code);
  });

  it('is what fetch has failed with', async () => {
    const failure = new TypeError('unreachable');

    const [error, source] = await firstError(() => Promise.reject(failure));

    expect(source.readyState).toBe(0);
    expect(error).toMatchObject({ reason: 'network', status: undefined, error: failure });
  });

  it.each([
    ['stream.end', { reason: 'complete', reconnect: false }, 'complete', 2],
    ['stream.end', { reason: 'lifetime', reconnect: true }, 'lifetime', 0],
    ['stream.error', { message: 'no', reconnect: true }, 'error', 0],
    ['stream.error', { message: 'no', reconnect: false }, 'failed', 2],
  ])('is a %s with %j, which is told as an event first', async (type, said, reason, readyState) => {
    const text = `event: stream.reset\ndata: {}\n\nevent: ${type}\nid: stream.end\ndata: ${JSON.stringify(said)}\n\n`;
    const fetch = jest.fn(async () => streamOf(text));
    const source = open({ fetch });
    const heard: unknown[] = [];
    source.addEventListener('stream.reset', (event) => heard.push(event.data));
    source.addEventListener(type, (event) => heard.push(JSON.parse(event.data)));

    const error = await errorOf(source);

    expect(heard).toEqual(['{}', said]);
    expect(source.readyState).toBe(readyState);
    expect(error.reason).toBe(reason);
    expect(fetch).toHaveBeenCalledTimes(1);
  });
});

describe('time', () => {
  it('is not limited, neither before the answer nor within a stream whose server announces nothing', async () => {
    jest.useFakeTimers();
    let answer!: (response: Response) => void;
    const states: number[] = [];
    const source = open({ fetch: () => new Promise((resolve) => (answer = resolve)) });
    source.onerror = () => states.push(source.readyState);
    await jest.advanceTimersByTimeAsync(3_600_000);

    answer(streamOf('data: 1\n\n', { isEndless: true }));
    await jest.advanceTimersByTimeAsync(3_600_000);

    expect(source.readyState).toBe(1);
    expect(states).toEqual([]);
  });

  it.each([
    ['absent', {}],
    ['undefined', { heartbeat: undefined, connectTimeout: undefined }],
  ])('is limited by the heartbeat that a server announces, when the options are %s', async (_what, options) => {
    jest.useFakeTimers();
    const source = open({ ...options, fetch: async () => streamOf(': heartbeat 1000\n\n', { isEndless: true }) });
    const error = errorOf(source);
    await jest.advanceTimersByTimeAsync(2_900);
    expect(source.readyState).toBe(1);

    await jest.advanceTimersByTimeAsync(200);

    expect((await error).reason).toBe('silent');
  });

  it('leaves no timer behind, when it is closed at once', async () => {
    jest.useFakeTimers();

    open({ fetch: () => new Promise(() => undefined) }).close();
    await jest.advanceTimersByTimeAsync(0);

    expect(jest.getTimerCount()).toBe(0);
  });
});

it('reads on when nobody listens', async () => {
  const source = open({ fetch: async () => streamOf('data: x\n\n'.repeat(500)) });

  expect((await errorOf(source)).reason).toBe('ended');
});

it('is closed without an event by its signal, also by one that is aborted already', async () => {
  const controller = new AbortController();
  const fetch = jest.fn(() => new Promise<Response>(() => undefined));
  const sources = [open({ signal: controller.signal, fetch }), open({ signal: AbortSignal.abort(), fetch })];
  const errors: unknown[] = [];
  for (const source of sources) source.onerror = (event) => errors.push(event);

  controller.abort();
  await new Promise(setImmediate);

  expect(sources.map(({ readyState }) => readyState)).toEqual([2, 2]);
  expect(errors).toEqual([]);
});

it('tells debug all that it hears itself, and goes on when that throws', async () => {
  const kinds: string[] = [];
  const reported = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  const source = open({
    fetch: async () => streamOf('data: 1\n\n'),
    debug: ({ kind }) => {
      kinds.push(kind);
      throw new Error('mine');
    },
  });
  const heard: string[] = [];
  source.onmessage = ({ data }) => heard.push(data);

  await errorOf(source);
  source.close();

  expect(heard).toEqual(['1']);
  expect(kinds).toEqual(['state', 'request', 'response', 'state', 'event', 'state', 'state']);
  expect(reported).toHaveBeenCalledTimes(kinds.length);
  reported.mockRestore();
});

it('runs where EventTarget is that of AbortSignal alone, and there is no Event, MessageEvent or DOMException', async () => {
  class ShimTarget extends EventTarget {
    // That of React Native takes any object that has a type.
    override dispatchEvent(event: Event): boolean {
      const { type, ...more } = event;
      return super.dispatchEvent(Object.assign(new Event(type), more));
    }
  }
  const globals = { AbortController, AbortSignal: class extends ShimTarget {}, TextDecoder, TextEncoder, Headers, URL };
  const context = createContext({ ...globals, performance, setTimeout, clearTimeout, queueMicrotask });
  runInContext(await bundle(`export * from './index.ts'`, 'iife'), context);
  const { EventSource: Bare } = (context as { sse: { EventSource: typeof EventSource } }).sse;

  const source = new Bare(URL_OF_STREAM, { fetch: async () => streamOf('id: 7\ndata: 1\n\n') });
  opened.push(source);
  const heard: unknown[] = [];
  source.onopen = () => heard.push('open');
  source.addEventListener('message', ({ data, lastEventId, origin }) => heard.push([data, lastEventId, origin]));
  const error = await errorOf(source);

  expect(heard).toEqual(['open', ['1', '7', 'http://host.example']]);
  expect(error.reason).toBe('ended');
  expect(nameOfError(() => new Bare('none'))).toBe('SyntaxError');
});

it('costs nothing where openStream is used alone, also out of one file that has both', async () => {
  const whole = await bundle(`export * from './index.ts'`, 'esm');

  const { code } = await transform(whole.replace(/export \{[^}]*\};\s*$/, 'console.log(openStream);'), {
    format: 'esm',
    treeShaking: true,
  });

  expect(whole).toContain('SyntaxError');
  expect(code).toContain('console.log(openStream)');
  expect(code).not.toContain('SyntaxError');
});

function open(options: EventSourceOptions): EventSource {
  const source = new EventSource(URL_OF_STREAM, options);
  opened.push(source);
  return source;
}

type ErrorEventOf = Parameters<NonNullable<EventSource['onerror']>>[0];

function errorOf(source: EventSource): Promise<ErrorEventOf> {
  return new Promise((resolve) => source.addEventListener('error', resolve));
}

async function firstError(fetch: () => Promise<Response>): Promise<[ErrorEventOf, EventSource]> {
  const source = open({ fetch });
  return [await errorOf(source), source];
}

function nameOfError(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return (error as Error).name;
  }
}

function streamOf(text: string, { isEndless = false } = {}): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (!isEndless) controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

async function bundle(contents: string, format: 'iife' | 'esm'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: 'src/client', loader: 'ts' },
    bundle: true,
    format,
    globalName: 'sse',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]!.text;
}
