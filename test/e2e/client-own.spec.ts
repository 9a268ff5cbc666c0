import { describe, expect, test } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { EventStreamService, SseStream, type SseModuleOptions, defineTopic, type as typeOf } from 'nestjs-event-stream';
import { type EventsOf, openStream } from 'nestjs-event-stream/client';
import { type Adapter, type TestApp, adapters, startApp } from '../support/app.js';
import { Clients } from '../support/client.js';
import { streamOf } from '../support/controllers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

// `openStream` with our own server.

@Controller()
class TopicsController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('topics')
  topics(@Query('topic') topic: string | string[]) {
    return this.streams.topics(...[topic].flat());
  }
}

const QUICK = { retryInterval: 5, maxRetryInterval: 5, heartbeat: 200 };
const start = (adapter: Adapter, options: SseModuleOptions = {}): Promise<TestApp> =>
  startApp(adapter, {
    controllers: [TopicsController, streamOf(() => [{ data: 'one' }, { data: 'two' }])],
    options: { retryMs: false, heartbeatMs: 100, topics: [stocks], ...options },
  });

const stocks = defineTopic('stocks/:symbol', {
  events: { tick: typeOf<{ price: number; at: Date }>(), note: typeOf<string>() },
});

describe.each(adapters)('on $name', (adapter) => {
  test('events come in order, also those that were published while the stream was cut', async () => {
    await using app = await start(adapter);
    await using proxy = await TcpProxy.start(app.port);
    using clients = new Clients();
    const client = clients.open(`http://127.0.0.1:${proxy.port}/topics?topic=a`, QUICK);
    await until(() => client.stream.lastEventId, 'a place');
    const publish = async (count: number) => {
      for (let n = 0; n < count; n++) await app.streams.publish('a', { data: String(client.data.length + n) });
    };
    await publish(3);
    await client.received(3);
    proxy.refuse(true);
    proxy.cut();
    await client.reached('waiting');
    await publish(3);
    proxy.refuse(false);
    await client.received(6);

    expect(client.data).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(client.stream.state).toEqual({ phase: 'open', resumed: true });
  });

  test('a lifetime that is over is no failure', async () => {
    await using app = await start(adapter, { maxLifetimeMs: 100 });
    using clients = new Clients();
    const client = clients.open(`${app.url}/topics?topic=a`, { ...QUICK, retries: 0 });
    await until(() => client.story.filter((each) => each === 'open').length > 3, 'the fourth stream');
    await app.streams.publish('a', { data: 'still there' });
    await client.received(1);

    expect(client.data).toEqual(['still there']);
    expect(new Set(client.story)).toEqual(new Set(['connecting', 'open', 'waiting lifetime']));
    expect(client.states.some(({ downSince }) => downSince !== undefined)).toBe(false);
  });

  test('a source that is finished is the end', async () => {
    await using app = await start(adapter);
    using clients = new Clients();
    const client = clients.open(`${app.url}/stream`, QUICK);

    expect(await client.stream.closed).toMatchObject({ reason: 'complete' });
    expect(client.data).toEqual(['one', 'two']);
  });

  test('a topic that is complete is the end, also for who comes back', async () => {
    await using app = await start(adapter);
    using clients = new Clients();
    const url = `${app.url}/topics?topic=a`;
    const client = clients.open(url, QUICK);
    await until(() => client.stream.lastEventId, 'a place');
    const { lastEventId } = client.stream;
    await app.streams.publish('a', { data: '1' });
    await app.streams.topic('a').complete();
    expect(await client.stream.closed).toMatchObject({ reason: 'complete' });
    const again = clients.open(url, { ...QUICK, lastEventId });

    expect(await again.stream.closed).toMatchObject({ reason: 'complete' });
    expect([client.data, again.data]).toEqual([['1'], ['1']]);
  });

  test('a place in the query is as good as in the header', async () => {
    await using app = await start(adapter);
    const { id } = await app.streams.publish('a', { data: '1' });
    await app.streams.publish('a', { data: '2' });
    using clients = new Clients();
    const inQuery = clients.open(`${app.url}/topics?topic=a`, { ...QUICK, lastEventId: id, resumeIn: 'query' });
    const inUrl = clients.open(`${app.url}/topics?topic=a&lastEventId=${id}`, QUICK);
    await Promise.all([inQuery.received(1), inUrl.received(1)]);

    expect([inQuery.data, inUrl.data]).toEqual([['2'], ['2']]);
  });

  test('topics change without anything lost or twice', async () => {
    await using app = await start(adapter);
    using clients = new Clients();
    const client = clients.open(`${app.url}/topics?topic=a`, QUICK);
    await until(() => client.stream.lastEventId, 'a place');
    await app.streams.publish('a', { data: 'a1' });
    await client.received(1);
    await app.streams.publish('b', { data: 'b before' });
    await app.streams.publish('a', { data: 'a2' });
    await client.received(2);
    client.stream.reconnect({ url: `${app.url}/topics?topic=a&topic=b` });
    await until(() => client.story.filter((each) => each === 'open').length === 2, 'the second stream');
    await app.streams.publish('b', { data: 'b1' });
    await app.streams.publish('a', { data: 'a3' });
    await client.received(4);

    expect(client.data).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  test('who asks for what is not there is refused', async () => {
    await using app = await start(adapter);
    using clients = new Clients();

    expect(await clients.open(`${app.url}/nowhere`, QUICK).stream.closed).toMatchObject({
      reason: 'refused',
      status: 404,
      error: { code: 'status' },
    });
  });

  test('a typed stream has what was published, as JSON carries it', async () => {
    await using app = await start(adapter);
    const at = new Date(0);
    const { id } = await app.streams.publish('stocks/AAPL', { type: 'note', data: 'before' });
    await app.streams.publish('stocks/AAPL', { type: 'tick', data: { price: 5, at } });
    await app.streams.publish('stocks/AAPL', { type: 'note', data: '5' });
    const url = `${app.url}/topics?topic=stocks/AAPL`;
    await using stream = openStream<EventsOf<typeof stocks>>(url, { ...QUICK, lastEventId: id, text: ['note'] });
    const got: unknown[] = [];
    for await (const { data } of stream) if (got.push(data) === 2) break;

    expect(got).toEqual([{ price: 5, at: '1970-01-01T00:00:00.000Z' }, '5']);
  });

  test('with a log that keeps little, a snapshot takes the place of what is missing', async () => {
    await using app = await start(adapter, { history: { maxEvents: 5 }, compression: true });
    await using proxy = await TcpProxy.start(app.port);
    let { id: head } = await app.streams.publish('a', { data: '0' });
    let sum = 0;
    const add = async (by: number): Promise<void> => {
      // The head and the sum change together, as in a transaction.
      const { id } = await app.streams.publish('a', { data: String(by) });
      head = id;
      sum += by;
    };
    let value = NaN;
    let inFlight = 0;
    let most = 0;
    let taken = 0;
    const stream = openStream(`http://127.0.0.1:${proxy.port}/topics?topic=a`, {
      ...QUICK,
      snapshot: async () => {
        most = Math.max(most, ++inFlight);
        await new Promise((resolve) => setImmediate(resolve));
        const state = { lastEventId: head, sum };
        await new Promise((resolve) => setImmediate(resolve));
        inFlight--;
        if (++taken % 3 === 2) throw new Error('no state today');
        value = state.sum;
        return state;
      },
    });
    await using _ = stream;
    stream.on('message', ({ data }) => void (value += Number(data)));
    for (let round = 0; round < 10; round++) {
      for (let n = 0; n < 9; n++) await add(round + n);
      // While it is away, and in between.
      if (round % 2 === 0) proxy.cut();
      await until(() => value === sum, `the sum ${sum} of round ${round}`);
    }

    expect(most).toBe(1);
    expect(taken).toBeGreaterThan(1);
  });
});
