import { describe, expect, test } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { EventStreamService, LastEventId, SseStream } from 'nestjs-event-stream';
import { from, map } from 'rxjs';
import { adapters, startApp } from '../support/app.js';
import { streamOf } from '../support/controllers.js';

const ROWS = [
  { id: 7, data: 'x', topic: 'of the row' },
  { data: 'x', topic: 'of the row' },
];

@Controller()
class ObservedController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('observed')
  observed(@LastEventId() lastEventId: string | undefined, @Query('as') as: string | undefined) {
    const events = this.streams.topics<number>('prices/*').asObservable({ lastEventId });
    if (as !== 'copies') return events;
    return events.pipe(map((event) => ('data' in event ? { ...event, data: event.data * 2 } : event)));
  }
}

describe.each(adapters)('on $name', (adapter) => {
  test('filter and map see the topic of each event, and it is not sent', async () => {
    const handler = streamOf(({ streams }) =>
      streams
        .topics<number>('prices/**', 'news')
        .filter(({ topic }) => topic !== 'prices/dull')
        .map((event) => ({ ...event, data: event.data * 2 }))
        .filter(({ topic, data }) => topic !== 'news' || data > 2),
    );
    await using app = await startApp(adapter, { controllers: [handler] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');
    for (const topic of ['prices/dull', 'prices/AAPL', 'news']) await app.streams.publish(topic, { data: 1 });
    await app.streams.publish('news', { data: 2, type: 'late' });

    expect(await stream.take(2)).toMatchObject([{ data: '2' }, { data: '4', type: 'late' }]);
    expect(stream.text).not.toMatch(/topic|prices|news/);
  });

  test('a map can make data of the topic', async () => {
    const handler = streamOf(({ streams }) => streams.topics('prices/*').map(({ topic, data }) => ({ topic, data })));
    await using app = await startApp(adapter, { controllers: [handler] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');
    await app.streams.publish('prices/AAPL', { data: 1 });

    expect(await stream.next()).toMatchObject({ data: '{"topic":"prices/AAPL","data":1}' });
  });

  test.each([
    ['as it is', '/observed', ['1', '2']],
    ['of copies', '/observed?as=copies', ['2', '4']],
  ])('an Observable of a selection %s is streamed as events, without their topics', async (_, path, data) => {
    await using app = await startApp(adapter, { controllers: [ObservedController] });
    const { id } = await app.streams.publish('prices/AAPL', { data: 0 });
    await app.streams.publish('prices/AAPL', { data: 1, type: 'tick' });
    await app.streams.publish('prices/MSFT', { comment: 'a notice' });
    const last = await app.streams.publish('prices/MSFT', { data: 2 });
    const stream = await app.open(path, { headers: { 'last-event-id': id } });

    const events = await stream.take(2);

    expect(events.map((event) => event.data)).toEqual(data);
    expect(events).toMatchObject([{ type: 'tick' }, { id: last.id }]);
    expect(stream.text).toContain(': a notice\n');
    expect(stream.text).not.toMatch(/topic|prices|undefined/);
  });

  test('an event that was read can be published again, and a topic observes it as an event', async () => {
    await using app = await startApp(adapter, {
      controllers: [streamOf(({ streams }) => streams.topics('copy', 'other'))],
    });
    const { streams } = app;
    const stream = await app.open('/stream');
    await stream.receive('id: ');
    const subscription = streams.topic('prices/AAPL').asObservable().subscribe(streams.topic('copy'));
    const again = streams
      .topic('prices/AAPL')
      .asObservable()
      .subscribe((event) => void streams.publish('other', event));
    await streams.publish('prices/AAPL', { type: 'tick', data: 1 });
    const events = await stream.take(2);
    subscription.unsubscribe();
    again.unsubscribe();

    expect(events).toMatchObject([
      { type: 'tick', data: '1' },
      { type: 'tick', data: '1' },
    ]);
  });

  test('what has a topic and was not read is no event: a row is data, and publishing it is refused', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => from(ROWS))] });
    const stream = await app.open('/stream');

    const events = await stream.rest();

    expect(events.slice(0, 2).map(({ data }) => JSON.parse(data))).toEqual(ROWS);
    await expect(app.streams.publish('a', ROWS[1] as never)).rejects.toThrow(/fields are data, .*got "topic"/);
  });
});
