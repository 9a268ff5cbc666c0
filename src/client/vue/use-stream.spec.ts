import { afterEach, expect, it, jest } from '@jest/globals';
import { createSSRApp, defineComponent, effectScope, h, shallowRef } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { until } from '../../../test/support/until.js';
import { useStream } from './index.js';

afterEach(() => {
  jest.restoreAllMocks();
});

it('asks for nothing on a server, and shows what it begins with', async () => {
  const fetch = jest.spyOn(globalThis, 'fetch');
  const Reader = defineComponent(() => {
    const { state, data, stream } = useStream(() => 'https://stocks.example/AAPL', { initial: '7' });
    return () => h('p', `${state.value.phase} ${data.value} ${stream.value === undefined}`);
  });

  expect(await renderToString(createSSRApp(Reader))).toBe('<p>idle 7 true</p>');
  expect(fetch).not.toHaveBeenCalled();
});

it('follows its source, and getters of its options, but nothing that is read when it is opened; and ends with its scope', async () => {
  const asked: { url: string; token: string | null; signal: AbortSignal }[] = [];
  const fetch = async (url: string, { headers, signal }: RequestInit): Promise<Response> => {
    asked.push({ url, token: (headers as Headers).get('authorization'), signal: signal! });
    const start = (body: ReadableStreamDefaultController): void =>
      signal!.addEventListener('abort', () => body.error(signal!.reason));
    return new Response(new ReadableStream({ start }), { headers: { 'content-type': 'text/event-stream' } });
  };
  const [symbol, user, token] = [shallowRef('A'), shallowRef('alice'), shallowRef('t1')];
  const scope = effectScope();
  const { state } = scope.run(() =>
    useStream(() => `https://stocks.example/${symbol.value}`, {
      get key() {
        return user.value;
      },
      headers: () => ({ authorization: token.value }),
      fetch,
    }),
  )!;
  await until(() => state.value.phase === 'open', 'the stream to be open');

  token.value = 't2';
  symbol.value = 'B';
  await until(() => asked.length === 2, 'the second stream');
  token.value = 't3';
  user.value = 'bob';
  await until(() => asked.length === 3, 'the third stream');
  scope.stop();
  await until(() => asked.every(({ signal }) => signal.aborted), 'all to be closed');

  expect(asked.map(({ url, token }) => `${url} ${token}`)).toEqual([
    'https://stocks.example/A t1',
    'https://stocks.example/B t2',
    'https://stocks.example/B t3',
  ]);
});
