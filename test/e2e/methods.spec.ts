import { describe, expect, test } from '@jest/globals';
import { Body, Controller, Query, RequestMethod } from '@nestjs/common';
import { SseStream } from 'nestjs-event-stream';
import { throwError } from 'rxjs';
import { startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';

@Controller()
class AnswerController {
  @SseStream('answer', { method: RequestMethod.POST })
  async *answer(@Body() body: { words: string[] }, @Query('prefix') prefix: string) {
    for (const word of body.words) yield { data: prefix + word };
  }
}

describe.each(transports)('on $name', (adapter) => {
  test('a POST with a parsed body streams to its end', async () => {
    await using app = await startApp(adapter, { controllers: [AnswerController] });

    const stream = await app.open('/answer?prefix=-', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ words: ['a', 'b', 'c'] }),
    });

    expect((await stream.rest()).map(({ data }) => data).slice(0, 3)).toEqual(['-a', '-b', '-c']);
  });

  test('a POST that stays open after its body was parsed is not taken for one that has left', async () => {
    await using app = await startApp(adapter, {
      controllers: [streamOf(({ streams }) => streams.topic('topic'), { method: RequestMethod.POST })],
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    const stream = await app.open('/stream', init);
    await stream.receive('id: ');

    await app.streams.publish('topic', { data: 'here' });

    expect(await stream.next()).toMatchObject({ data: 'here' });
  });

  test.each([
    ['GET', true],
    ['POST', false],
    ['PUT', false],
    ['DELETE', false],
  ] as const)('a stream of %s that fails says whether to come back: %p', async (method, reconnect) => {
    const controllers = [streamOf(() => throwError(() => new Error('secret')), { method: RequestMethod[method] })];
    await using app = await startApp(adapter, { controllers });

    const [failure] = await (await app.open('/stream', { method })).rest();

    expect(failure?.type).toBe('stream.error');
    expect(JSON.parse(failure?.data ?? '')).toEqual({ message: expect.any(String), reconnect });
  });

  test('a topic that has failed has a POST not repeated, and still says where to go on', async () => {
    const controllers = [
      streamOf(({ streams }) => streams.topic('topic').from('start'), { method: RequestMethod.POST }),
    ];
    await using app = await startApp(adapter, { controllers });
    await app.streams.publish('topic', { data: 'a' });
    void app.streams.topic('topic').error(new Error('secret'));

    const [, failure] = await (await app.open('/stream', { method: 'POST' })).rest();

    expect(JSON.parse(failure?.data ?? '')).toMatchObject({ reconnect: false });
    expect(failure?.id).toMatch(/^\w{6}\.\w+\.\w+$/);
  });

  test('HEAD has the headers of the stream, no body, and opens nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    const answer = await app.open('/topic', { method: 'HEAD' });

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await answer.body()).toBe('');
    expect(app.streams.connections.count).toBe(0);
  });

  test('OPTIONS and POST on a GET stream open nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    const options = await app.open('/topic', { method: 'OPTIONS' });
    const post = await app.open('/topic', { method: 'POST' });

    expect(options.headers.get('content-type') ?? '').not.toContain('event-stream');
    expect(post.status).toBe(404);
    expect(app.streams.connections.count).toBe(0);
  });

  test('a trailing slash is taken as the framework takes it on every route', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    const stream = await app.open('/topic/');

    expect(stream.status).toBe(adapter.isFastify ? 404 : 200);
  });
});
