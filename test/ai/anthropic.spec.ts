import { describe, expect, test } from '@jest/globals';
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { anthropicMessages } from 'nestjs-event-stream/ai';
import { type TestApp, adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { anthropicEvents } from './support/answers.js';
import { POST, SECRET, type Asked, failing, routeOf, serve, slowly } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

const question = { model: 'm', max_tokens: 9, messages: [{ role: 'user' as const, content: 'Hello?' }] };

const clientOf = (app: TestApp, wire: Bytewise): Anthropic =>
  new Anthropic({ baseURL: app.url, apiKey: 'none', maxRetries: 0, fetch: wire.fetch });

describe.each(adapters)('on $name', (adapter) => {
  const messages = (handler: (asked: Asked) => unknown): Promise<TestApp> =>
    serve(adapter, [routeOf('v1/messages', { ...POST, wire: anthropicMessages() }, handler)]);

  test('every event arrives, and makes the message', async () => {
    using wire = new Bytewise();
    await using app = await messages(() => slowly(wire, anthropicEvents));
    const events: unknown[] = [];

    const stream = clientOf(app, wire).messages.stream(question);
    // The client writes on into what it has given.
    stream.on('streamEvent', (event) => events.push(structuredClone(event)));
    const message = await stream.finalMessage();

    expect(events).toEqual(anthropicEvents);
    expect(message.content).toMatchObject([
      { type: 'thinking', thinking: 'Hmm', signature: 'c2ln' },
      { type: 'text', text: 'Grüß Gott' },
      { type: 'tool_use', input: { at: 'Wien' } },
    ]);
    expect(message).toMatchObject({ stop_reason: 'tool_use', usage: { input_tokens: 3, output_tokens: 9 } });
    expect(wire.text).toContain('event: ping\ndata: {"type":"ping"}\n\n');
  });

  test('a failure is an APIError with its type, which says nothing of it', async () => {
    using wire = new Bytewise();
    await using app = await messages(() => failing(wire, anthropicEvents.slice(0, 9)));

    const reading = clientOf(app, wire).messages.stream(question).finalMessage();

    await expect(reading).rejects.toBeInstanceOf(APIError);
    await expect(reading).rejects.toMatchObject({ type: 'api_error' });
    expect(wire.text).not.toContain(SECRET);
  });

  test('a stream that the server puts out is an APIError, too', async () => {
    using wire = new Bytewise();
    await using app = await messages(({ connection }) =>
      (async function* () {
        yield* anthropicEvents.slice(0, 9);
        connection.close({ reason: 'shutdown' });
      })(),
    );

    const reading = clientOf(app, wire).messages.stream(question).finalMessage();

    await expect(reading).rejects.toMatchObject({ type: 'overloaded_error' });
  });

  test('who leaves ends the source', async () => {
    using wire = new Bytewise();
    let signal: AbortSignal | undefined;
    await using app = await messages(({ connection }) => {
      signal = connection.signal;
      return (async function* () {
        yield anthropicEvents[0];
        await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      })();
    });

    const stream = clientOf(app, wire).messages.stream(question);
    stream.on('streamEvent', () => stream.abort());
    await stream.done().catch(() => undefined);

    await until(() => signal?.aborted, 'the signal to be aborted');
  });
});
