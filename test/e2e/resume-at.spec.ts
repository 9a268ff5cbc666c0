import { describe, expect, test } from '@jest/globals';
import {
  type ArgumentsHost,
  Body,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  Param,
  Req,
  RequestMethod,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { NEVER } from 'rxjs';
import {
  EventStreamService,
  type ResumeAt,
  type Selection,
  type SseConnection,
  SseStream,
  type StreamRequest,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp, transports } from '../support/app.js';
import { streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

const places = new WeakMap<StreamRequest, string>();
const placeOf: ResumeAt = ({ request }) => places.get(request);

@Controller('answers')
class AnswersController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream({ method: RequestMethod.POST, resumeAt: ({ topics }) => `/${topics[0]}` })
  ask(@Body() { id }: { id: string }): Selection {
    return this.read(id);
  }

  /** What is streamed is not what the address is made of. */
  @SseStream('secret', { method: RequestMethod.POST, resumeAt: placeOf })
  secret(@Body() { id }: { id: string }, @Req() request: StreamRequest): Selection {
    if (id !== '') places.set(request, `/answers/${id}`);
    return this.read('hidden');
  }

  @SseStream(':id')
  read(@Param('id') id: string): Selection {
    return this.streams.topic(`answers/${id}`).from('start');
  }
}

@Controller('shared')
@SseStream({ resumeAt: '/shared', headers: { 'content-location': '/old', 'X-Shared': 'yes' } })
class SharedController {
  @SseStream()
  shared() {
    return NEVER;
  }

  @SseStream('own', { resumeAt: '/own' })
  own() {
    return NEVER;
  }
}

const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function publish(app: TestApp, from: number, upTo: number): Promise<void> {
  for (let n = from; n <= upTo; n++) await app.streams.publish('answers/42', { type: 'token', data: n });
}

const numbers = (from: number, upTo: number): string[] =>
  Array.from({ length: upTo - from + 1 }, (_, index) => String(from + index));

describe.each(transports)('on $name', (adapter) => {
  test('a POST that is cut goes on by GET at its Content-Location, behind its last id', async () => {
    await using app = await startApp(adapter, { controllers: [AnswersController] });
    await publish(app, 1, 3);

    const asked = await app.open('/answers', json('POST', { id: '42' }));
    const place = asked.headers.get('content-location') ?? '';
    await publish(app, 4, 5);
    const first = await asked.take(5);
    asked.leave();
    await until(() => app.streams.connections.count === 0, 'the stream to be cut');
    await publish(app, 6, 9);
    const again = await app.open(place, { headers: { 'last-event-id': first.at(-1)?.id ?? '' } });
    void app.streams.topic('answers/42').complete();

    expect(place).toBe('/answers/42');
    expect(first.map(({ data }) => data)).toEqual(numbers(1, 5));
    expect((await again.rest()).map(({ data }) => data).slice(0, -1)).toEqual(numbers(6, 9));
    expect(again.text).not.toContain('stream.reset');
  });

  test('one that is cut before its first event has all of it there', async () => {
    await using app = await startApp(adapter, { controllers: [AnswersController] });

    const asked = await app.open('/answers', json('POST', { id: '42' }));
    await publish(app, 1, 3);
    asked.leave();
    const again = await app.open(asked.headers.get('content-location') ?? '');

    expect((await again.take(3)).map(({ data }) => data)).toEqual(numbers(1, 3));
  });

  test('the handler has decided when the place is asked for, and may know of none', async () => {
    await using app = await startApp(adapter, { controllers: [AnswersController] });

    const [some, none] = [
      await app.open('/answers/secret', json('POST', { id: 'x' })),
      await app.open('/answers/secret', json('POST', { id: '' })),
    ];

    expect(some.headers.get('content-location')).toBe('/answers/x');
    expect(none.status).toBe(200);
    expect(none.headers.has('content-location')).toBe(false);
  });

  test.each(['GET', 'HEAD'])('%s has a fixed place, which wins over other headers of the route', async (method) => {
    await using app = await startApp(adapter, { controllers: [SharedController] });

    const [shared, own] = [await app.open('/shared', { method }), await app.open('/shared/own', { method })];

    expect([shared, own].map(({ headers }) => headers.get('content-location'))).toEqual(['/shared', '/own']);
    expect([shared, own].map(({ headers }) => headers.get('x-shared'))).toEqual(['yes', 'yes']);
  });

  test('what is not opened has no place: not who is too many, and not who has had all', async () => {
    const resumeAt = (): string => '/somewhere';
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER, { resumeAt })],
      options: { limits: { connections: 1 } },
    });

    const open = await app.open('/stream');
    const refused = await app.open('/stream');
    const over = await app.open('/stream', { headers: { 'last-event-id': 'stream.end' } });

    expect(open.headers.get('content-location')).toBe('/somewhere');
    expect(await refused.body()).toContain('too many streams are open');
    expect([refused.status, over.status]).toEqual([200, 204]);
    expect([refused, over].map(({ headers }) => headers.has('content-location'))).toEqual([false, false]);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test('what the function throws is answered as what the handler throws', async () => {
    const thrown = [new ConflictException('busy'), new Error('secret')];
    const resumeAt = (): string => {
      throw thrown.shift() as Error;
    };
    await using app = await startApp(adapter, { controllers: [streamOf(() => NEVER, { resumeAt })] });

    const [conflict, failure] = [await app.open('/stream'), await app.open('/stream')];

    expect([conflict.status, failure.status]).toEqual([409, 500]);
    expect(await failure.body()).not.toContain('secret');
    expect(failure.headers.has('content-location')).toBe(false);
    expect(app.streams.connections.count).toBe(0);
  });

  test('the source of an answer that has no place is cancelled', async () => {
    let cancelled = 0;
    const source = new ReadableStream({ cancel: () => void cancelled++ });
    const resumeAt = (): string => '';
    await using app = await startApp(adapter, { controllers: [streamOf(() => source, { resumeAt })] });

    expect((await app.open('/stream')).status).toBe(500);
    await until(() => cancelled === 1, 'the source to be cancelled');
  });

  test.each([
    ['a line break', '/a\r\nSet-Cookie: b=c'],
    ['empty text', ''],
    ['what is not ASCII', '/ä'],
    ['no text', 42],
  ])('a place with %s is an error that filters are given', async (_, place) => {
    const seen: unknown[] = [];
    @Catch()
    class Filter extends BaseExceptionFilter implements ExceptionFilter {
      override catch(error: unknown, host: ArgumentsHost): void {
        seen.push(error);
        super.catch(error, host);
      }
    }
    const resumeAt = (() => place) as unknown as (connection: SseConnection) => string;
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER, { resumeAt })],
      configure: (nest) => nest.useGlobalFilters(new Filter(nest.getHttpAdapter())),
    });

    const answer = await app.open('/stream');

    expect(answer.status).toBe(500);
    expect(answer.headers.has('set-cookie')).toBe(false);
    expect(seen).toMatchObject([{ code: 'invalid-options', message: expect.stringContaining('resumeAt()') }]);
  });
});

test.each(['', '/a\r\nSet-Cookie: b=c', '/ä', 42, null])('a fixed place of %j is refused at start', (resumeAt) => {
  expect(() => SseStream({ resumeAt: resumeAt as string })).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('resumeAt must be a URL') }),
  );
});
