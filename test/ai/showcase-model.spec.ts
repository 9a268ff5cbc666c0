import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OpenAiModel } from '../../examples/showcase/answers/openai-model.js';

const TURNS = [
  { role: 'user', text: 'Hello?' },
  { role: 'assistant', text: 'Hello.' },
  { role: 'user', text: 'And now?' },
] as const;

let server: Server;
let asked: Promise<[IncomingMessage, ServerResponse]>;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  asked = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  await once(server, 'listening');
});
afterEach(() => server.close().closeAllConnections());

function modelOf(): OpenAiModel {
  const { port } = server.address() as AddressInfo;
  return new OpenAiModel({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: undefined, model: 'tiny' });
}

/** Answers with pieces, and keeps the answer open. */
async function answer(pieces: readonly string[]): Promise<[IncomingMessage, ServerResponse]> {
  const [request, response] = await asked;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const content of pieces)
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
  return [request, response];
}

test('the showcase asks a model what was said, and hands on what it writes', async () => {
  const pieces = modelOf().write(TURNS, { signal: new AbortController().signal, isToFail: false });
  const first = pieces.next();
  const [request, response] = await answer(['It ', 'works.']);
  const body: unknown = JSON.parse((await request.toArray()).join(''));

  expect(await first).toEqual({ value: 'It ', done: false });
  response.end('data: [DONE]\n\n');
  expect([await pieces.next(), await pieces.next()]).toEqual([
    { value: 'works.', done: false },
    { value: undefined, done: true },
  ]);
  expect([request.url, body]).toEqual([
    '/v1/chat/completions',
    {
      model: 'tiny',
      stream: true,
      messages: [
        { role: 'user', content: 'Hello?' },
        { role: 'assistant', content: 'Hello.' },
        { role: 'user', content: 'And now?' },
      ],
    },
  ]);
});

test('the model is told when nobody wants the rest', async () => {
  const stop = new AbortController();
  const pieces = modelOf().write(TURNS, { signal: stop.signal, isToFail: false });
  const first = pieces.next();
  const [, response] = await answer(['It ']);
  await first;
  const closed = once(response, 'close');

  stop.abort();

  await closed;
  expect(await pieces.next().catch((error: Error) => error)).toMatchObject({ done: true });
});

test('the model fails in the middle when it is to fail', async () => {
  const pieces = modelOf().write(TURNS, { signal: new AbortController().signal, isToFail: true });
  const first = pieces.next();
  await answer(Array.from({ length: 30 }, (_, n) => `${n} `));
  await first;

  const rest = (async () => {
    for await (const _ of pieces);
  })();

  await expect(rest).rejects.toMatchObject({ status: 529 });
});
