import { afterEach, expect, it, jest } from '@jest/globals';
import { BaseStream } from './base-stream.js';
import { type AnyEvents, ReceivedEvent } from './events.js';
import { StreamError, type StreamState } from './state.js';

class TestStream extends BaseStream<AnyEvents> {
  reconnect(): void {
    this.setState({ phase: 'connecting', attempt: 1 });
  }

  say(text: string, type = 'message'): void {
    this.dispatch(new ReceivedEvent(type, text, `p${text}`, undefined, undefined), type === 'stream.end');
  }

  become(state: StreamState): void {
    this.setState(state);
  }

  end(error?: StreamError): void {
    this.finish(error ? 'lost' : 'complete', error && { error });
  }
}

afterEach(() => void jest.restoreAllMocks());

function reported(): unknown[] {
  const seen: unknown[] = [];
  jest.spyOn(console, 'error').mockImplementation((error: unknown) => void seen.push(error));
  return seen;
}

it('calls the listeners of a type and those of all, in the order in which they have come', async () => {
  const stream = new TestStream();
  const calls: string[] = [];
  stream.on('*', ({ data }) => calls.push(`all ${data}`));
  stream.on('tick', ({ data }) => calls.push(`tick ${data}`));
  const stop = stream.on('tick', ({ data }) => calls.push(`tock ${data}`));
  await Promise.resolve();
  stream.say('1', 'tick');
  stop();
  stream.say('2', 'tick');
  stream.say('3');

  expect(calls).toEqual(['tick 1', 'tock 1', 'all 1', 'tick 2', 'all 2', 'all 3']);
});

it('calls a listener twice that is given twice, and takes away one at a time', async () => {
  const stream = new TestStream();
  let calls = 0;
  const listener = (): void => void calls++;
  const stops = [stream.on('*', listener), stream.on('*', listener)];
  await Promise.resolve();
  stream.say('1');
  expect(calls).toBe(2);
  stops[0]!();
  stops[0]!();
  stream.say('2');
  expect(calls).toBe(3);
});

it('keeps the end of a stream from those who listen to all events', () => {
  const stream = new TestStream();
  const types: string[] = [];
  stream.on('*', ({ type }) => types.push(type));
  stream.on('stream.end', ({ type }) => types.push(`own ${type}`));
  stream.say('1', 'stream.end');

  expect(types).toEqual(['own stream.end']);
});

it('has its place moved on when a listener is called, so that what both say can be kept together', async () => {
  const stream = new TestStream();
  const kept: string[] = [];
  stream.say('1');
  stream.on('*', ({ data }) => kept.push(`${data} ${stream.lastEventId}`));
  await Promise.resolve();
  stream.say('2');

  expect(kept).toEqual(['1 p1', '2 p2']);
});

it('reports what a listener throws, and calls the others', async () => {
  const seen = reported();
  const stream = new TestStream();
  const calls: string[] = [];
  for (const type of ['tick', '*'])
    stream.on(type, () => {
      throw new Error(type);
    });
  stream.subscribe(({ phase }) => {
    throw new Error(phase);
  });
  stream.on('tick', () => calls.push('tick'));
  stream.on('*', () => calls.push('*'));
  stream.subscribe(({ phase }) => calls.push(phase));
  await Promise.resolve();
  stream.say('1', 'tick');
  stream.become({ phase: 'open', resumed: false });

  expect(calls).toEqual(['idle', 'tick', '*', 'open']);
  expect(seen.map((error) => (error as Error).message)).toEqual(['idle', 'tick', '*', 'open']);
});

it('keeps what comes before anybody listens for all who begin to in the same turn', async () => {
  const stream = new TestStream();
  stream.say('1');
  stream.say('2');
  expect(stream.lastEventId).toBe('');
  const first: string[] = [];
  const second: string[] = [];
  stream.on('*', ({ data }) => first.push(data));
  stream.on('message', ({ data }) => second.push(data));
  expect(first).toEqual([]);
  await Promise.resolve();
  stream.say('3');

  expect(first).toEqual(['1', '2', '3']);
  expect(second).toEqual(['1', '2', '3']);
  expect(stream.lastEventId).toBe('p3');
});

it('keeps it for the iterator, whose place is that of the event that it has given last', async () => {
  const stream = new TestStream();
  stream.say('1');
  stream.say('2');
  const events = stream[Symbol.asyncIterator]();

  expect((await events.next()).value).toMatchObject({ data: '1' });
  expect(stream.lastEventId).toBe('p1');
  stream.moved('moved');
  expect(stream.lastEventId).toBe('p1');
  await events.next();
  expect(stream.lastEventId).toBe('moved');
});

it('has the place that was reached without an event, once those before it are handed over', async () => {
  const stream = new TestStream();
  stream.say('1');
  stream.moved('moved');
  stream.on('*', () => undefined);
  await Promise.resolve();

  expect(stream.lastEventId).toBe('moved');
});

it('tells who closes it when he is told first that it is closed', () => {
  const stream = new TestStream();
  const told: string[] = [];
  stream.subscribe(({ phase }) => {
    told.push(phase);
    if (phase === 'idle') stream.close();
  });

  expect(told).toEqual(['idle', 'closed']);
});

it('gives the iterator its events beside listeners', async () => {
  const stream = new TestStream();
  const heard: string[] = [];
  stream.on('*', ({ data }) => heard.push(data));
  await Promise.resolve();
  const events = stream[Symbol.asyncIterator]();
  stream.say('1');

  expect((await events.next()).value).toMatchObject({ data: '1' });
  expect(heard).toEqual(['1']);
});

it('is read by one iterator', () => {
  const stream = new TestStream();
  stream[Symbol.asyncIterator]();
  expect(() => stream[Symbol.asyncIterator]()).toThrow(TypeError);
});

it.each([
  ['ends', undefined],
  ['throws', new StreamError('lost', 'gone')],
])('%s a loop that begins when the stream is over, and has been listened to', async (_, error) => {
  const stream = new TestStream();
  stream.on('*', () => undefined);
  await Promise.resolve();
  stream.say('1');
  stream.end(error);
  const next = stream[Symbol.asyncIterator]().next();

  if (error) await expect(next).rejects.toBe(error);
  else expect(await next).toEqual({ done: true, value: undefined });
});

it('drains a loop after close(), and not when the loop is left', async () => {
  const stream = new TestStream();
  stream.say('1');
  stream.say('2');
  stream.close();
  const data: string[] = [];
  for await (const event of stream) data.push(event.data);
  expect(data).toEqual(['1', '2']);

  const other = new TestStream();
  other.say('1');
  other.say('2');
  const events = other[Symbol.asyncIterator]();
  await events.next();
  await events.return!();
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(other.state).toMatchObject({ phase: 'closed', reason: 'aborted' });
});

it('is closed by `await using`', async () => {
  const stream = new TestStream();
  await stream[Symbol.asyncDispose]();
  expect(await stream.closed).toMatchObject({ phase: 'closed', reason: 'aborted' });
});

it('has frozen states, and gives the last of them to those who wait for its end', async () => {
  const stream = new TestStream();
  const states: StreamState[] = [];
  const stop = stream.subscribe((state) => states.push(state));
  stream.become({ phase: 'waiting', reason: 'cut', attempt: 1, retryAt: 5 });
  stream.end(new StreamError('lost', 'gone'));
  stop();
  stream.close();

  expect(states.map(({ phase }) => phase)).toEqual(['idle', 'waiting', 'closed']);
  expect(states.every((state) => Object.isFrozen(state))).toBe(true);
  expect(stream.state).toBe(states.at(-1));
  expect(await stream.closed).toBe(stream.state);
  expect(stream.state).toMatchObject({ reason: 'lost', error: { code: 'lost' } });
});

it('tells everybody the same state last, when one of them changes it', () => {
  const stream = new TestStream();
  const others: string[] = [];
  stream.subscribe(({ phase }) => {
    if (phase === 'open') stream.close();
  });
  stream.subscribe(({ phase }) => others.push(phase));
  stream.become({ phase: 'open', resumed: false });

  expect(others).toEqual(['idle', 'closed']);
});
