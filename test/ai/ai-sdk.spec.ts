import { describe, expect, test } from '@jest/globals';
import { Chat } from '@ai-sdk/react';
import { DefaultChatTransport, type UIMessage, type UIMessageChunk, readUIMessageStream } from 'ai';
import { asData } from 'nestjs-event-stream';
import { aiSdkUi } from 'nestjs-event-stream/ai';
import { type TestApp, adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { uiParts } from './support/answers.js';
import { POST, SECRET, type Asked, failing, routeOf, serve, slowly } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

const question: UIMessage = { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Hello?' }] };

const transportTo = (app: TestApp, { fetch }: Bytewise, api = '/chat'): DefaultChatTransport<UIMessage> =>
  new DefaultChatTransport({ api: `${app.url}${api}`, fetch });

async function send(transport: DefaultChatTransport<UIMessage>): Promise<ReadableStream<UIMessageChunk>> {
  const asked = { trigger: 'submit-message', chatId: 'c', messageId: undefined, abortSignal: undefined } as const;
  return transport.sendMessages({ ...asked, messages: [question] });
}

async function lastOf(stream: ReadableStream<UIMessageChunk>): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message;
  return last;
}

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream as unknown as AsyncIterable<T>) parts.push(part);
  return parts;
}

describe.each(adapters)('on $name', (adapter) => {
  const chat = (handler: (asked: Asked) => unknown): Promise<TestApp> =>
    serve(adapter, [routeOf('chat', { ...POST, wire: aiSdkUi() }, handler)]);

  test('every part arrives, those of the application with their ids', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => slowly(wire, uiParts));

    const parts = await all(await send(transportTo(app, wire)));

    expect(parts).toEqual(uiParts);
    expect(wire.text).toMatch(/\ndata: \[DONE\]\n\n$/);
  });

  test('the answer has the header by which its protocol is known', async () => {
    await using app = await chat(() => []);

    const { headers } = await app.open('/chat', { method: 'POST' });

    expect(headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
  });

  test('a chat shows the message, and is ready for the next', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => slowly(wire, uiParts));
    const data: unknown[] = [];
    const own = new Chat({ transport: transportTo(app, wire), onData: (part) => data.push(part) });

    await own.sendMessage({ text: 'Hello?' });

    expect([own.status, own.error]).toEqual(['ready', undefined]);
    const [, { id, metadata, parts }] = own.messages as [UIMessage, UIMessage];
    expect([id, metadata]).toEqual(['msg_1', { by: 'm', tokens: { out: 2 } }]);
    expect(parts.filter(({ type }) => type === 'text')).toMatchObject([{ text: 'Grüß Gott', state: 'done' }]);
    expect(parts.filter(({ type }) => type === 'data-place')).toMatchObject([{ id: 'p', data: { at: 'Wien' } }]);
    expect(data).toHaveLength(3);
  });

  test('a failure is the error of the chat, which says nothing of it', async () => {
    using wire = new Bytewise();
    await using app = await chat(() => failing(wire, uiParts.slice(0, 8)));
    const errors: Error[] = [];
    const own = new Chat({ transport: transportTo(app, wire), onError: (error) => errors.push(error) });

    await own.sendMessage({ text: 'Hello?' });

    expect(own.status).toBe('error');
    expect(errors.map(({ message }) => message)).toEqual(['The stream was ended by an error on the server']);
    expect(wire.text).not.toContain(SECRET);
    expect(wire.text).not.toContain('[DONE]');
  });

  test('a chat that stops ends the source', async () => {
    using wire = new Bytewise();
    let signal: AbortSignal | undefined;
    await using app = await chat(({ connection }) => {
      signal = connection.signal;
      return (async function* () {
        yield* uiParts.slice(0, 8);
        await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      })();
    });
    const own = new Chat({ transport: transportTo(app, wire) });

    const sending = own.sendMessage({ text: 'Hello?' });
    await until(() => JSON.stringify(own.messages).includes('Grüß'), 'some of the answer');
    await own.stop();
    await sending;

    await until(() => signal?.aborted, 'the signal to be aborted');
    expect(own.status).toBe('ready');
  });

  test('who comes back has the whole again, or what follows the number of parts that it has', async () => {
    using wire = new Bytewise();
    const route = routeOf('chat/:id/stream', { wire: aiSdkUi(), from: 'start' }, ({ streams }) =>
      streams.topic('answer'),
    );
    await using app = await serve(adapter, [route]);
    for (const part of uiParts) await app.streams.publish('answer', asData(part));
    await app.streams.topic('answer').complete({ final: true });

    const whole = await transportTo(app, wire).reconnectToStream({ chatId: 'c' });
    const message = await lastOf(whole!);
    const rest = await fetch(`${app.url}/chat/c/stream?startIndex=24`);
    const unknown = await fetch(`${app.url}/chat/c/stream?startIndex=-1`);

    expect([message?.id, message?.parts.length]).toEqual(['msg_1', 9]);
    expect((await rest.text()).match(/^data: .*$/gm)).toEqual([
      `data: ${JSON.stringify(uiParts[24])}`,
      `data: ${JSON.stringify(uiParts[25])}`,
      'data: [DONE]',
    ]);
    expect((await unknown.text()).match(/^data: .*$/gm)).toEqual([
      'data: {"type":"error","errorText":"Events are missing that the server has no more"}',
    ]);
  });
});

test('a stop is an abort, and no failure', () => {
  const ending = { reconnect: false, place: undefined, body: undefined };

  const events = aiSdkUi().end?.({ ...ending, reason: 'stopped' });

  expect(events).toEqual([{ data: { type: 'abort' } }, { data: '[DONE]' }]);
});
