import { afterEach, expect, it, jest } from '@jest/globals';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { useStream } from './index.js';

afterEach(() => {
  jest.restoreAllMocks();
});

it('asks for nothing on a server, and shows what it begins with', () => {
  const fetch = jest.spyOn(globalThis, 'fetch');
  const Reader = () => {
    const { state, data, stream } = useStream('https://stocks.example/AAPL', { initial: '7' });
    return createElement('p', null, `${state.phase} ${data} ${stream === undefined}`);
  };

  expect(renderToString(createElement(Reader))).toBe('<p>idle 7 true</p>');
  expect(fetch).not.toHaveBeenCalled();
});
