import { describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { asData } from 'nestjs-event-stream';
import { type WireProfile, openaiChat } from 'nestjs-event-stream/ai';
import { adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { chatChunks } from './support/answers.js';
import { POST, routeOf, serve } from './support/app.js';
import { Bytewise, beats } from './support/bytewise.js';

describe.each(adapters)('on $name', (adapter) => {
  test('two clients watch one answer: its chunks are encoded once, and who comes back has what it has missed', async () => {
    let encoded = 0;
    const profile = openaiChat();
    const wire: WireProfile = { ...profile, encode: (event) => (encoded++, profile.encode!(event)) };
    await using app = await serve(adapter, [
      routeOf('chat/completions', { ...POST, wire }, ({ streams }) => streams.topic('answer')),
      routeOf('again', { wire }, ({ streams }) => streams.topic('answer')),
    ]);
    const publish = async (from: number, to: number): Promise<void> => {
      for (const chunk of chatChunks.slice(from, to)) await app.streams.publish('answer', asData(chunk));
    };
    using one = new Bytewise();
    using other = new Bytewise();
    const reading = [one, other].map(async ({ fetch }) => {
      const client = new OpenAI({ baseURL: app.url, apiKey: 'none', maxRetries: 0, fetch });
      return client.chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion();
    });

    await until(() => app.streams.connections.count === 2, 'both to be there');
    await publish(0, 3);
    await until(beats(one), 'a sign of life');
    await publish(3, chatChunks.length);
    await app.streams.topic('answer').complete({ final: true });
    const [first, second] = await Promise.all(reading);

    expect(first?.choices[0]?.message).toMatchObject({
      content: 'Grüß Gott 👋',
      tool_calls: [{ function: { name: 'rain', arguments: '{"at":"Wien"}' } }],
    });
    expect(second).toEqual(first);
    expect(encoded).toBe(chatChunks.length);
    const third = [...one.text.matchAll(/^id: (.*)\ndata/gm)][2]?.[1];
    const again = await app.open('/again', { headers: { 'last-event-id': third! } });
    const rest = (await again.rest()).map(({ data }) => data);
    expect(rest).toEqual([...chatChunks.slice(3).map((chunk) => JSON.stringify(chunk)), '[DONE]']);
  });
});
