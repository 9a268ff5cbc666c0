import { describe, expect, it } from '@jest/globals';
import { acceptance } from './accept.js';

const EVENTS = 'text/event-stream';

describe('how gladly a client takes text/event-stream', () => {
  it.each<[accept: string | undefined, weight: number]>([
    [undefined, 1],
    ['', 1],
    ['*/*', 1],
    ['text/*', 1],
    [EVENTS, 1],
    ['Text/Event-Stream', 1],
    ['application/json', 0],
    ['text/html, application/xhtml+xml', 0],
    ['text/event-stream;q=0.5', 0.5],
    ['text/event-stream ; Q = 0.5', 0.5],
    ['text/event-stream;charset=utf-8;q=0.25', 0.25],
    ['text/event-stream;q=0', 0],
    ['text/event-stream;q=0.000', 0],
    ['text/event-stream;q=1.000', 1],
    ['application/json, */*;q=0.1', 0.1],
    ['text/*;q=0.3, */*;q=0.9', 0.3],
    ['*/*, text/*;q=0.4, text/event-stream;q=0.2', 0.2],
    ['text/event-stream;q=0, */*', 0],
    ['text/event-stream;q=0.2, text/event-stream;q=0.7', 0.7],
    // What is no weight takes its range with it.
    ['text/event-stream;q=', 0],
    ['text/event-stream;q=2', 0],
    ['text/event-stream;q=-1', 0],
    ['text/event-stream;q=high', 0],
    [',;,=;q', 0],
    ['text/event-stream-2', 0],
  ])('%j: %d', (accept, weight) => {
    expect(acceptance(accept, EVENTS)).toBe(weight);
  });

  it('is found in as long a header as Node takes without delay', () => {
    const accept = `${',;q=0'.repeat(3_000)}, ${EVENTS};q=0.5`;
    expect(acceptance(accept, EVENTS)).toBe(0.5);
  });
});
