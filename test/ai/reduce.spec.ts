import { describe, expect, test } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import { type UIMessage, type UIMessageChunk, readUIMessageStream } from 'ai';
import OpenAI from 'openai';
import {
  type WireProfile,
  agUi,
  aiSdkUi,
  anthropicMessages,
  mcp,
  openaiChat,
  openaiResponses,
} from 'nestjs-event-stream/ai';
import { type SseEvent, asData } from 'nestjs-event-stream';
import { anthropicEvents, chatChunks, responseEvents, uiParts } from './support/answers.js';

const reduced = (profile: WireProfile, values: readonly unknown[]): unknown => profile.reduce?.(values.map(asData));

/** A body as a server would send it, for a client that asks nobody. */
const answering = (values: readonly object[], isNamed: boolean) => (): Promise<Response> => {
  const lines = values.map((value) => {
    const name = isNamed ? `event: ${(value as { type: string }).type}\n` : '';
    return `${name}data: ${JSON.stringify(value)}\n\n`;
  });
  return Promise.resolve(new Response(lines.join(''), { headers: { 'content-type': 'text/event-stream' } }));
};

/** Without what a client adds that was asked to parse. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (name, each: unknown) => (/^parsed|^_request_id$/.test(name) ? undefined : each)));

describe('one document of a whole answer', () => {
  const choice = (index: number, delta: object, more: object = {}) => ({
    ...chatChunks[0],
    choices: [{ index, delta, finish_reason: null, ...more }],
  });
  const tokens = (token: string): object => ({
    logprobs: { content: [{ token, logprob: -1, bytes: null, top_logprobs: [] }], refusal: null },
  });

  test.each([
    ['text, a call and usage', chatChunks],
    [
      'several choices',
      [
        choice(0, { role: 'assistant', content: 'a' }),
        choice(1, { role: 'assistant', content: 'x' }),
        choice(1, { content: 'y' }, { finish_reason: 'length' }),
        choice(0, { content: 'b' }, { finish_reason: 'stop' }),
      ],
    ],
    [
      'two calls and a refusal',
      [
        choice(0, { role: 'assistant', refusal: 'No' }),
        choice(0, { refusal: ', no' }),
        choice(0, { tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '{' } }] }),
        choice(0, { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] }),
        choice(0, { tool_calls: [{ index: 1, function: { arguments: '}' } }] }, { finish_reason: 'tool_calls' }),
      ],
    ],
    [
      'log probabilities',
      [
        choice(0, { role: 'assistant', content: 'a' }, tokens('a')),
        choice(0, { content: 'b' }, { ...tokens('b'), finish_reason: 'stop' }),
      ],
    ],
  ])('is the chat.completion that the client makes, with %s', async (_, chunks) => {
    const client = new OpenAI({ apiKey: 'none', fetch: answering(chunks, false) });
    const asked = { model: 'm', messages: [{ role: 'user' as const, content: '?' }] };
    const completion = await client.chat.completions.stream(asked).finalChatCompletion();

    expect(reduced(openaiChat(), chunks)).toEqual(plain(completion));
  });

  test('keeps what other servers put beside the content', () => {
    const chunks = [choice(0, { reasoning_content: 'H' }), choice(0, { reasoning_content: 'm' })];

    expect(reduced(openaiChat(), chunks)).toMatchObject({ choices: [{ message: { reasoning_content: 'Hm' } }] });
  });

  test('is the response of response.completed, or as far as it came', () => {
    const whole = responseEvents.at(-1) as { response?: object };

    expect(reduced(openaiResponses(), responseEvents)).toEqual(whole.response);
    expect(reduced(openaiResponses(), responseEvents.slice(0, -1))).toMatchObject({
      status: 'in_progress',
      output: [{ content: [{ text: 'Grüß Gott' }] }],
    });
    expect(reduced(openaiResponses(), [])).toBeNull();
  });

  test('is the message that the client of Anthropic makes', async () => {
    const client = new Anthropic({ apiKey: 'none', fetch: answering(anthropicEvents, true) });
    const asked = { model: 'm', max_tokens: 9, messages: [{ role: 'user' as const, content: '?' }] };
    const message = await client.messages.stream(asked).finalMessage();

    expect(reduced(anthropicMessages(), anthropicEvents)).toEqual(plain(message));
  });

  test('is the message that the AI SDK makes', async () => {
    const stream = new ReadableStream<UIMessageChunk>({
      start(controller) {
        for (const part of uiParts) controller.enqueue(part as UIMessageChunk);
        controller.close();
      },
    });
    let message: UIMessage | undefined;
    for await (const each of readUIMessageStream({ stream })) message = each;

    // The parts with the shape of an event come as such.
    const events = uiParts.map((part) =>
      'data' in part && !('transient' in part) ? part : asData(part),
    ) as SseEvent[];

    expect(plain(aiSdkUi().reduce?.(events))).toEqual(plain(message));
    expect(reduced(aiSdkUi(), uiParts)).toEqual(aiSdkUi().reduce?.(events));
  });

  test('has approvals, refusals and a step that was begun anew, as the AI SDK has them', async () => {
    const parts = [
      { type: 'start', messageId: 'm' },
      { type: 'start-step' },
      { type: 'text-start', id: 't' },
      { type: 'text-delta', id: 't', delta: 'no' },
      { type: 'reset-step' },
      { type: 'tool-input-available', toolCallId: 'a', toolName: 'pay', input: { eur: 1 } },
      { type: 'tool-approval-request', approvalId: 'ap', toolCallId: 'a' },
      { type: 'tool-approval-response', approvalId: 'ap', approved: false, reason: 'dear' },
      { type: 'tool-output-denied', toolCallId: 'a' },
      { type: 'tool-input-start', toolCallId: 'b', toolName: 'ask' },
      { type: 'tool-input-error', toolCallId: 'b', toolName: 'ask', input: '{', errorText: 'no JSON' },
      { type: 'source-document', sourceId: 's', mediaType: 'text/plain', title: 'T' },
      { type: 'unheard-of' },
    ];
    const known = new ReadableStream<UIMessageChunk>({
      start(controller) {
        for (const part of parts.slice(0, -1)) controller.enqueue(part as UIMessageChunk);
        controller.close();
      },
    });
    let message: UIMessage | undefined;
    for await (const each of readUIMessageStream({ stream: known })) message = each;

    expect(plain(reduced(aiSdkUi(), parts))).toEqual(plain(message));
  });

  test('is the response of MCP, and of AG-UI an array', () => {
    const response = { jsonrpc: '2.0', id: 1, result: {} };

    expect(reduced(mcp(), [{ jsonrpc: '2.0', method: 'notifications/progress' }, response])).toBe(response);
    expect(reduced(mcp(), [])).toBeNull();
    expect(agUi().reduce).toBeUndefined();
  });
});
