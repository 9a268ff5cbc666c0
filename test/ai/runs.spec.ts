import { describe, expect, test } from '@jest/globals';
import { Chat } from '@ai-sdk/react';
import { Body, Controller, Param, RequestMethod } from '@nestjs/common';
import { DefaultChatTransport, type UIMessage } from 'ai';
import OpenAI, { APIError } from 'openai';
import { SseStream } from 'nestjs-event-stream';
import { aiSdkUi, openaiResponses } from 'nestjs-event-stream/ai';
import { type RunProducer, RunService, SseRunsModule } from 'nestjs-event-stream/runs';
import { type Adapter, type TestApp, adapters, startApp } from '../support/app.js';
import { until } from '../support/until.js';
import { responseEvents, uiParts } from './support/answers.js';
import { SECRET } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

let producer: RunProducer;

@Controller()
class AnswersController {
  constructor(private readonly runs: RunService) {}

  @SseStream('chat', { method: RequestMethod.POST, wire: aiSdkUi() })
  ask(@Body() { id }: { id: string }) {
    return this.runs.start(`chats/${id}`, producer);
  }

  @SseStream('chat/:id/stream', { wire: aiSdkUi(), none: 204 })
  resume(@Param('id') id: string) {
    return this.runs.watch(`chats/${id}`);
  }

  @SseStream('responses', { method: RequestMethod.POST, wire: openaiResponses() })
  respond() {
    return this.runs.start('responses/resp_1', producer);
  }

  @SseStream('responses/:id', { wire: openaiResponses(), none: 404 })
  retrieve(@Param('id') id: string) {
    return this.runs.watch(`responses/${id}`);
  }
}

const start = (adapter: Adapter, given: RunProducer): Promise<TestApp> => {
  producer = given;
  return startApp(adapter, {
    controllers: [AnswersController],
    imports: [SseRunsModule.forRoot()],
    options: { heartbeatMs: 10, retryMs: 10 },
  });
};

const chatOf = (app: TestApp, { fetch }: Bytewise): Chat<UIMessage> =>
  new Chat({ id: 'c', transport: new DefaultChatTransport({ api: `${app.url}/chat`, fetch }) });

const textOf = ({ messages }: Chat<UIMessage>): unknown =>
  messages.find(({ role }) => role === 'assistant')?.parts.find(({ type }) => type === 'text');

describe.each(adapters)('on $name', (adapter) => {
  /** Parts up to the middle of the text, and the rest when it is told so. */
  const halting = (): { halves: RunProducer; goOn: () => void } => {
    let goOn = (): void => undefined;
    const going = new Promise<void>((resolve) => (goOn = resolve));
    const halves: RunProducer = async function* ({ signal }) {
      yield* uiParts.slice(0, 8);
      const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await Promise.race([going, stopped]);
      yield* uiParts.slice(8);
    };
    return { halves, goOn };
  };

  test('a chat that was cut, and one on a second device, have the whole message', async () => {
    using wire = new Bytewise();
    using device = new Bytewise();
    const { halves, goOn } = halting();
    await using app = await start(adapter, halves);
    const [chat, second] = [chatOf(app, wire), chatOf(app, device)];

    const asking = chat.sendMessage({ text: 'Hello?' });
    await until(() => textOf(chat) !== undefined, 'some of the answer');
    wire.cut();
    await asking;
    const resuming = [chat.resumeStream(), second.resumeStream()];
    await until(() => textOf(second) !== undefined, 'some of the answer on the second device');
    goOn();
    await Promise.all(resuming);

    expect([chat.status, second.status]).toEqual(['ready', 'ready']);
    expect(textOf(chat)).toMatchObject({ text: 'Grüß Gott', state: 'done' });
    expect(second.lastMessage).toEqual(chat.lastMessage);
    expect(chat.lastMessage?.parts.filter(({ type }) => type === 'data-place')).toMatchObject([
      { id: 'p', data: { at: 'Wien' } },
    ]);
  });

  test('a stop from elsewhere is an abort of the chat, and no error', async () => {
    using wire = new Bytewise();
    await using app = await start(adapter, halting().halves);
    const chat = chatOf(app, wire);

    const asking = chat.sendMessage({ text: 'Hello?' });
    await until(() => textOf(chat) !== undefined, 'some of the answer');
    await app.nest.get(RunService, { strict: false }).stop('chats/c');
    await asking;

    expect([chat.status, chat.error]).toEqual(['ready', undefined]);
    expect(wire.text).toMatch(/\ndata: \{"type":"abort"\}\n\ndata: \[DONE\]\n\n$/);
  });

  test('where nothing was asked, there is nothing to resume', async () => {
    using wire = new Bytewise();
    await using app = await start(adapter, () => []);
    const chat = chatOf(app, wire);

    await chat.resumeStream();

    expect([chat.status, chat.messages, wire.statuses]).toEqual(['ready', [], [204]]);
  });

  test('parts are counted from the first of the run, whatever ran before under its key', async () => {
    await using app = await start(adapter, () => uiParts);
    const ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"c"}' };
    for (let n = 0; n < 2; n++) await (await app.open('/chat', ask)).body();

    const read = async (index: number): Promise<string[]> =>
      (await (await app.open(`/chat/c/stream?startIndex=${index}`)).rest()).map(({ data }) => data);

    expect(await read(0)).toEqual([...uiParts.map((part) => JSON.stringify(part)), '[DONE]']);
    expect(await read(25)).toEqual([JSON.stringify(uiParts[25]), '[DONE]']);
    expect(await read(26)).toEqual(['[DONE]']);
  });

  test('a background response goes on behind the number that its client has, and a failure is its error', async () => {
    using wire = new Bytewise();
    await using app = await start(adapter, async function* () {
      yield* responseEvents.slice(0, 5);
      throw new Error(SECRET);
    });
    const client = new OpenAI({ baseURL: app.url, apiKey: 'none', maxRetries: 0, fetch: wire.fetch });
    const seen: unknown[] = [];
    const read = async (events: Promise<AsyncIterable<unknown>>): Promise<void> => {
      for await (const event of await events) seen.push(event);
    };

    await expect(read(client.responses.create({ model: 'm', input: '?', stream: true }))).rejects.toBeInstanceOf(
      APIError,
    );
    await expect(read(client.responses.retrieve('resp_1', { stream: true, starting_after: 2 }))).rejects.toBeInstanceOf(
      APIError,
    );

    expect(seen).toEqual([...responseEvents.slice(0, 5), ...responseEvents.slice(3, 5)]);
    expect(wire.text).not.toContain(SECRET);
  });
});
