import { describe, expect, test } from '@jest/globals';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { NEVER } from 'rxjs';
import { type SseModuleOptions, SseStream, type SseStreamOptions } from 'nestjs-event-stream';
import type { WireProfile } from 'nestjs-event-stream/ai';
import { adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';
import { datasOf, letters, otherOf, publish, startWired, topic } from '../support/wired.js';

describe.each(transports)('on $name', (adapter) => {
  test('events are what the profile makes of them, and the end is its own', async () => {
    await using own = await startWired(() => [1, 0, 2], { wire: letters }, { adapter });

    const answer = await own.app.open('/stream');

    expect(await answer.body()).toBe(':\ndata: A\n\ndata: B\n\ndata: .\n\n');
    expect([answer.status, answer.headers.get('x-wire')]).toEqual([200, 'letters']);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  });

  test('a client that is one too many has a status, and a time to come back', async () => {
    await using own = await startWired(
      () => NEVER,
      { wire: letters, retryMs: 5_000 },
      { adapter, options: { limits: { connections: 1 } } },
    );
    await own.app.open('/stream');

    const answers = [await own.app.open('/stream'), await own.app.open('/stream', { method: 'HEAD' })];

    for (const { status, headers } of answers) {
      expect(status).toBe(429);
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(5);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(15);
    }
    expect(await answers[0]!.body()).toBe('{"statusCode":429,"message":"Too many streams are open"}');
    expect(own.app.streams.connections.count).toBe(1);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test('a refusal passes exception filters, and is told to the hook', async () => {
    const seen: unknown[] = [];
    @Catch(HttpException)
    class Filter extends BaseExceptionFilter implements ExceptionFilter {
      override catch(error: HttpException, host: ArgumentsHost): void {
        seen.push([error.getStatus(), (error.cause as Error).name]);
        super.catch(error, host);
      }
    }
    const refused: string[] = [];
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER, { wire: letters })],
      options: { limits: { connections: 1 }, hooks: { onRefused: (_, reason) => void refused.push(reason) } },
      configure: (nest) => nest.useGlobalFilters(new Filter(nest.getHttpAdapter())),
    });

    await app.open('/stream');
    await app.open('/stream');

    expect(seen).toEqual([[429, 'StreamRefused']]);
    expect(refused).toEqual(['connections']);
  });

  test('a client that has so many events has those that follow: the profile leaves some out, and so does a filter', async () => {
    const some = ({ streams }: HandlerContext): unknown => streams.topic<number>('t').filter(({ data }) => data !== 3);
    await using own = await startWired(some, { wire: letters }, { adapter });
    await publish(own.app, 1, 0, 2, 3, 4, 5);
    await own.app.streams.topic('t').complete({ final: true });
    const read = async (has: number): Promise<string> =>
      datasOf(await (await own.app.open(`/stream?has=${has}`)).body());

    expect(await Promise.all([0, 1, 2, 3, 4, 99].map(read))).toEqual(['ABDE.', 'BDE.', 'DE.', 'E.', '.', '.']);
  });

  test('a client that has more than there is gets what is published from then on', async () => {
    await using own = await startWired(topic, { wire: letters }, { adapter });
    await publish(own.app, 1, 2);

    const stream = await own.app.open('/stream?has=7');
    await publish(own.app, 3);

    expect((await stream.next())?.data).toBe('C');
  });

  test('events cannot be counted when the first are no longer retained, which is a status of its own', async () => {
    const options: SseModuleOptions = { history: { maxEvents: 2 } };
    await using own = await startWired(topic, { wire: letters }, { adapter, options });
    await publish(own.app, 1, 2, 3);

    const [counted, begun] = [await own.app.open('/stream?has=1'), await own.app.open('/stream?has=0')];

    expect(counted.status).toBe(410);
    expect((await begun.take(2)).map(({ data }) => data)).toEqual(['B', 'C']);
  });

  test('the id that the profile reads is where the stream goes on, and what the handler is told', async () => {
    const claimed: unknown[] = [];
    const handler = ({ streams, connection }: HandlerContext): unknown => {
      claimed.push(connection.lastEventId);
      return streams.topic('t').from('start');
    };
    await using own = await startWired(handler, { wire: letters }, { adapter });
    await publish(own.app, 1, 2);
    const first = await own.app.open('/stream');
    const [{ id = '' } = {}] = await first.take(2);

    const again = await own.app.open('/stream', { headers: { 'x-behind': id, 'last-event-id': 'of no use' } });

    expect((await again.next())?.data).toBe('B');
    expect(claimed).toEqual([undefined, id]);
  });

  test('an id that is not known ends the stream with an error, whatever there is', async () => {
    await using own = await startWired(topic, { wire: letters }, { adapter });
    await publish(own.app, 1);

    const answer = await own.app.open('/stream', { headers: { 'x-behind': 'nobody' } });

    expect(await answer.body()).toMatch(/event: oops\ndata: \{"code":"reset",[^\n]*\}\n\n$/);
    await until(() => own.closed.length === 1, 'the stream to be closed');
    await publish(own.app, 2);
    expect([own.closed, own.errors]).toEqual([['failed'], []]);
  });
});

test('events are encoded once for all who stand at the same place, and again for none', async () => {
  let calls = 0;
  const wire: WireProfile = { ...letters, encode: (event) => (calls++, letters.encode!(event)) };
  await using own = await startWired(topic, { wire }, { controllers: [otherOf('also', wire)] });
  const paths = ['/stream', '/stream', '/also'];
  const readers = await Promise.all(paths.map((path) => own.app.open(path)));

  await publish(own.app, 1, 2, 3);
  const received = await Promise.all(readers.map((reader) => reader.take(3)));

  expect(received.map((events) => events.map(({ data }) => data).join(''))).toEqual(['ABC', 'ABC', 'ABC']);
  expect(received.map((events) => events.map(({ id }) => id))).toEqual(Array(3).fill(received[0]!.map(({ id }) => id)));
  expect(calls).toBe(3);
});

test.each([undefined, 'gzip'])('steps and compression go before and behind the profile (%s)', async (encoding) => {
  const doubled = ({ streams }: HandlerContext): unknown => streams.topic<number>('t').map(({ data }) => data * 2);
  await using own = await startWired(doubled, { wire: letters, compression: true, from: 'start' });
  await publish(own.app, 1, 0, 2);
  await own.app.streams.topic('t').complete({ final: true });

  const answer = await own.app.open('/stream', { headers: { 'accept-encoding': encoding ?? 'identity' } });

  expect(datasOf(await answer.body())).toBe('BD.');
  expect(answer.headers.get('content-encoding')).toBe(encoding ?? null);
});

test('HEAD has the headers of the profile, and its cursor is of no concern', async () => {
  await using own = await startWired(topic, { wire: letters }, { options: { history: { maxEvents: 1 } } });
  await publish(own.app, 1, 2);

  const answer = await own.app.open('/stream?has=1', { method: 'HEAD' });

  expect([answer.status, answer.headers.get('x-wire'), await answer.body()]).toEqual([200, 'letters', '']);
});

test('CORS headers are on a stream and on a refusal', async () => {
  const controllers = [streamOf(() => NEVER, { wire: letters })];
  const configure: Parameters<typeof startApp>[1] = {
    configure: (nest) => nest.enableCors({ origin: 'https://a.example' }),
  };
  await using app = await startApp(adapters[0]!, {
    controllers,
    options: { limits: { connections: 1 } },
    ...configure,
  });

  const answers = [await app.open('/stream'), await app.open('/stream')];

  expect(answers.map(({ status }) => status)).toEqual([200, 429]);
  for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBe('https://a.example');
});

test.each<[string, SseStreamOptions, string]>([
  ['nameTopics beside wire', { nameTopics: true, wire: letters }, 'nameTopics and wire exclude each other'],
  ['a profile without a name', { wire: {} as WireProfile }, 'wire.name must be a string; got undefined'],
  [
    'a heartbeat that cannot be sent',
    { wire: { name: 'x', heartbeat: { data: 1, type: 'a\nb' } } },
    'wire.heartbeat must be an event, or a comment',
  ],
  ['an option that there is not', { wire: { name: 'x', encod: 1 } as never }, 'there is no option "wire.encod"'],
])('%s is refused when it is decorated', (_, options, message) => {
  expect(() => SseStream('x', options)).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(message) }),
  );
});

test('names of topics that the module asks for are none of a profile', async () => {
  await using own = await startWired(topic, { wire: letters, from: 'start' }, { options: { nameTopics: true } });
  await publish(own.app, 1);

  const stream = await own.app.open('/stream');
  await stream.next();

  expect(stream.comments.filter((comment) => comment.includes('topic'))).toEqual([]);
});
