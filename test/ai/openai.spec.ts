import { describe, expect, test } from '@jest/globals';
import OpenAI, { APIError, RateLimitError } from 'openai';
import { type SseModuleOptions, asData } from 'nestjs-event-stream';
import { openaiChat, openaiResponses } from 'nestjs-event-stream/ai';
import { NEVER } from 'rxjs';
import { type TestApp, adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { chatChunks, responseEvents } from './support/answers.js';
import { POST, SECRET, type Asked, failing, routeOf, serve, slowly } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

const question = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello?' }] };
const streamed = { ...question, stream: true as const };

const clientOf = (app: TestApp, wire: Bytewise): OpenAI =>
  new OpenAI({ baseURL: app.url, apiKey: 'none', maxRetries: 0, fetch: wire.fetch });

async function collect<T>(events: AsyncIterable<T>, into: T[] = []): Promise<T[]> {
  for await (const event of events) into.push(event);
  return into;
}

describe.each(adapters)('on $name', (adapter) => {
  const chat = (handler: (asked: Asked) => unknown, options?: SseModuleOptions): Promise<TestApp> =>
    serve(adapter, [routeOf('chat/completions', { ...POST, wire: openaiChat() }, handler)], options);

  test('Chat Completions: every chunk arrives', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => slowly(wire, chatChunks));

    const chunks = await collect(await clientOf(app, wire).chat.completions.create(streamed));

    expect(chunks).toEqual(chatChunks);
    expect(wire.text).toMatch(/^retry: 10\n: heartbeat 10\n[^]*\ndata: \[DONE\]\n\n$/);
  });

  test('Chat Completions: a failure is an APIError, which says nothing of it', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => failing(wire, chatChunks));
    const chunks: unknown[] = [];

    const reading = collect(await clientOf(app, wire).chat.completions.create(streamed), chunks);

    const failure = { code: 'failed', type: 'server_error', message: 'The stream was ended by an error on the server' };
    await expect(reading).rejects.toMatchObject(failure);
    await expect(reading).rejects.toBeInstanceOf(APIError);
    expect(chunks).toEqual(chatChunks);
    expect(wire.text).not.toContain(SECRET);
    expect(wire.text).not.toContain('[DONE]');
  });

  test('who leaves ends the source', async () => {
    using wire = new Bytewise();
    let signal: AbortSignal | undefined;
    await using app = await chat(({ connection }) => {
      signal = connection.signal;
      return (async function* () {
        yield chatChunks[0];
        await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      })();
    });
    const stream = await clientOf(app, wire).chat.completions.create(streamed);

    for await (const _ of stream) break;

    await until(() => signal?.aborted, 'the signal to be aborted');
  });

  test('who is one too many has the status of that, and when to come back', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => NEVER, { limits: { connections: 1 }, retryMs: 2_000 });
    await clientOf(app, wire).chat.completions.create(streamed);

    const refused = clientOf(app, wire).chat.completions.create(streamed);

    await expect(refused).rejects.toBeInstanceOf(RateLimitError);
    const { headers } = (await refused.catch((error: unknown) => error)) as APIError;
    expect(Number(headers?.get('retry-after'))).toBeGreaterThanOrEqual(2);
    expect(Number(headers?.get('retry-after'))).toBeLessThanOrEqual(6);
  });

  test('Responses: every event arrives, and makes the response', async () => {
    using wire = new Bytewise();
    const route = routeOf('responses', { ...POST, wire: openaiResponses() }, () => slowly(wire, responseEvents));
    await using app = await serve(adapter, [route]);

    const events = await collect(await clientOf(app, wire).responses.create({ model: 'm', input: '?', stream: true }));
    const final = await clientOf(app, wire).responses.stream({ model: 'm', input: '?' }).finalResponse();

    expect(events).toEqual(responseEvents);
    expect(final.output_text).toBe('Grüß Gott');
  });

  test('Responses: a failure is an APIError, which says nothing of it', async () => {
    using wire = new Bytewise();
    const route = routeOf('responses', { ...POST, wire: openaiResponses() }, () =>
      failing(wire, responseEvents.slice(0, 4)),
    );
    await using app = await serve(adapter, [route]);

    const reading = collect(await clientOf(app, wire).responses.create({ model: 'm', input: '?', stream: true }));

    await expect(reading).rejects.toBeInstanceOf(APIError);
    await expect(reading).rejects.toMatchObject({ code: 'failed' });
    expect(wire.text).not.toContain(SECRET);
  });

  test('Responses: a client that was cut goes on behind the number that it has', async () => {
    using wire = new Bytewise();
    const route = routeOf('responses/:id', { wire: openaiResponses(), from: 'start' }, ({ streams }) =>
      streams.topic('resp_1'),
    );
    await using app = await serve(adapter, [route]);
    for (const event of responseEvents) await app.streams.publish('resp_1', asData(event));
    await app.streams.topic('resp_1').complete({ final: true });
    const retrieve = async (starting_after: number, into: unknown[]): Promise<unknown> =>
      collect(await clientOf(app, wire).responses.retrieve('resp_1', { stream: true, starting_after }), into);

    const [some, rest, none]: unknown[][] = [[], [], []];
    wire.cutAfter = 1_500;
    await expect(retrieve(0, some!)).rejects.toThrow();
    wire.cutAfter = Infinity;
    await retrieve(some!.length, rest!);
    await retrieve(responseEvents.length - 1, none!);

    expect(some!.length).toBeGreaterThan(0);
    expect([...some!, ...rest!]).toEqual(responseEvents.slice(1));
    expect(none).toEqual([]);
  });
});

test.each([
  [
    'openaiChat',
    openaiChat,
    { error: { message: 'The model is asleep', type: 'server_error', param: null, code: 'failed' } },
  ],
  ['openaiResponses', openaiResponses, { type: 'error', code: 'failed', message: 'The model is asleep', param: null }],
] as const)('%s tells what `describe` makes of an error', async (_, profile, told) => {
  using wire = new Bytewise();
  const route = routeOf('ask', { wire: profile({ describe: () => 'The model is asleep' }) }, () => failing(wire, []));
  await using app = await serve(adapters[0]!, [route]);

  const body = await (await wire.fetch(`${app.url}/ask`)).text();

  expect(body).toContain(`data: ${JSON.stringify(told)}\n\n`);
});
