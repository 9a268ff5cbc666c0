import { describe, expect, it } from '@jest/globals';
import { type Stream, type StreamOptions, openStream } from 'nestjs-event-stream/client';
import { Clients } from '../support/client.js';
import { type FakeAnswer, FakeServer, answer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';

// close() in each phase: no timer, no connection and no request is left, and nobody is told of anything.

type Options = StreamOptions & { readonly text?: undefined };

interface Phase {
  readonly name: string;
  readonly answer?: FakeAnswer;
  readonly options?: (reached: () => void) => Options;
  /** Waits until the stream is there. */
  readonly reach: (server: FakeServer, stream: Stream) => Promise<unknown>;
  readonly requests: number;
}

const LONG = { retryInterval: 60_000, connectTimeout: 60_000 };
const never = new Promise<never>(() => undefined);
const isIn = (stream: Stream, phase: string) => until(() => stream.state.phase === phase, phase);

let isReached: boolean;
const isCalled = () => until(() => isReached, 'the call');

const phases: Phase[] = [
  { name: 'before anything has happened', reach: async () => undefined, requests: 0 },
  {
    name: 'while a snapshot is loaded',
    // It comes when nobody waits for it any more.
    options: (reached) => ({
      snapshot: (_, signal) => {
        reached();
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    }),
    reach: isCalled,
    requests: 0,
  },
  {
    name: 'while headers are asked for',
    options: (reached) => ({ headers: () => (reached(), never) }),
    reach: isCalled,
    requests: 0,
  },
  { name: 'before the answer', answer: () => undefined, reach: (server) => server.asked(1), requests: 1 },
  { name: 'while it is open', reach: (_, stream) => isIn(stream, 'open'), requests: 1 },
  {
    name: 'while reading is paused',
    answer: (response) => begin(response, 'data: 1\n\n'.repeat(100)),
    options: (reached) => ({ debug: ({ kind }) => kind === 'event' && reached() }),
    reach: isCalled,
    requests: 1,
  },
  {
    name: 'while it waits',
    answer: (response) => answer(response, 503),
    reach: (_, stream) => isIn(stream, 'waiting'),
    requests: 1,
  },
];

/** Timers of Node's own that keep the process. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

async function open(phase: Phase, more: Options = {}) {
  const server = await FakeServer.start(phase.answer ?? ((response) => begin(response, 'data: 1\n\n')));
  isReached = false;
  const reached = (): void => void (isReached = true);
  const stream = openStream(server.url, { ...LONG, ...phase.options?.(reached), ...more });
  return { server, stream };
}

describe.each(phases)('$name', (phase) => {
  it('close() leaves no timer, no connection and no request', async () => {
    const before = timers();
    const { server, stream } = await open(phase);
    await using _ = server;
    await phase.reach(server, stream);
    const told: string[] = [];
    stream.subscribe(({ phase: each }) => told.push(each));
    stream.close();

    expect(await stream.closed).toEqual(stream.state);
    expect(stream.state).toMatchObject({ phase: 'closed', reason: 'aborted' });
    await server.left();
    await until(() => timers() <= before, 'the timers to be cleared');
    expect(server.requests).toHaveLength(phase.requests);
    expect(told.slice(1)).toEqual(['closed']);
  });

  it('so does its signal', async () => {
    const before = timers();
    const abort = new AbortController();
    const { server, stream } = await open(phase, { signal: abort.signal });
    await using _ = server;
    await phase.reach(server, stream);
    abort.abort();

    expect(await stream.closed).toMatchObject({ phase: 'closed', reason: 'aborted' });
    await server.left();
    await until(() => timers() <= before, 'the timers to be cleared');
    expect(server.requests).toHaveLength(phase.requests);
  });
});

it.each(['connecting', 'open', 'waiting'] as const)(
  'close() by whoever is told that it is %s is the end',
  async (at) => {
    const before = timers();
    await using server = await FakeServer.start((response) => {
      if (at === 'waiting') answer(response, 503);
      else begin(response, 'data: 1\n\n');
    });
    const stream = openStream(server.url, LONG);
    const told: string[] = [];
    const data: string[] = [];
    stream.on('*', (event) => data.push(event.data));
    stream.subscribe(({ phase }) => {
      told.push(phase);
      if (phase === at) stream.close();
    });
    await stream.closed;
    await server.left();
    await until(() => timers() <= before, 'the timers to be cleared');

    expect(told.at(-1)).toBe('closed');
    expect(told.filter((each) => each === 'closed')).toHaveLength(1);
    expect(stream.state.phase).toBe('closed');
    expect(data).toEqual([]);
  },
);

it('close() by a listener keeps the rest of the chunk from everybody', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\ndata: 2\n\n'));
  const stream = openStream(server.url);
  const data: string[] = [];
  stream.on('*', (event) => {
    data.push(event.data);
    stream.close();
  });
  await stream.closed;
  await server.left();

  expect(data).toEqual(['1']);
});

it('a signal that was aborted before asks nobody', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  const stream = openStream(server.url, { signal: AbortSignal.abort() });

  expect(await stream.closed).toMatchObject({ reason: 'aborted' });
  expect(server.requests).toHaveLength(0);
});

it('a stream that has been closed is not opened again', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  using clients = new Clients();
  const { stream } = clients.open(server.url);
  stream.close();
  stream.reconnect();
  stream.reconnect({ url: `${server.url}/other` });
  const other = clients.open(server.url);
  await other.reached('open');
  // As long as what is asked for is put off.
  other.stream.reconnect();
  await server.asked(2);

  expect(server.requests).toHaveLength(2);
  expect(stream.state.phase).toBe('closed');
});

it('a process with a stream that is over ends', async () => {
  const before = timers();
  await using server = await FakeServer.start((response) => answer(response, 204));
  await openStream(server.url).closed;
  await server.left();
  await until(() => timers() <= before, 'the timers to be cleared');
});
