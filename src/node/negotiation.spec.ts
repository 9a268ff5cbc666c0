import { describe, expect, it } from '@jest/globals';
import { NotAcceptable, chooseForm } from './negotiation.js';

const SSE = 'text/event-stream';
const JSON_TYPE = 'application/json';

describe('the form of an answer', () => {
  it.each<[method: string, accept: string | undefined, body: unknown, form: string]>([
    // Neither says anything.
    ['GET', undefined, undefined, 'stream'],
    ['GET', '*/*', undefined, 'stream'],
    ['GET', '*/*', {}, 'stream'],
    ['POST', undefined, undefined, 'stream'],
    ['POST', '*/*', null, 'stream'],
    ['POST', '*/*', 'text', 'stream'],
    ['POST', '*/*', {}, 'document'],
    ['POST', '*/*', { model: 'a' }, 'document'],
    ['POST', undefined, [], 'document'],
    ['POST', '*/*', { stream: null }, 'document'],
    ['POST', '*/*', { stream: 'true' }, 'document'],
    // The client likes one better.
    ['GET', SSE, undefined, 'stream'],
    ['GET', JSON_TYPE, undefined, 'document'],
    ['HEAD', JSON_TYPE, undefined, 'document'],
    ['POST', SSE, { model: 'a' }, 'stream'],
    ['GET', `${JSON_TYPE}, ${SSE};q=0.9`, undefined, 'document'],
    ['POST', `${JSON_TYPE};q=0.5, ${SSE}`, {}, 'stream'],
    ['GET', `${JSON_TYPE}, */*;q=0.1`, undefined, 'document'],
    ['GET', 'application/*;q=0.2, text/*;q=0.4', undefined, 'stream'],
    // It likes both.
    ['GET', `${JSON_TYPE}, ${SSE}`, undefined, 'stream'],
    ['POST', `${JSON_TYPE}, ${SSE}`, { jsonrpc: '2.0' }, 'document'],
    // The body says it, whatever the client library sends with it.
    ['POST', JSON_TYPE, { stream: true }, 'stream'],
    ['POST', SSE, { stream: false }, 'document'],
    ['POST', undefined, { stream: true }, 'stream'],
    ['POST', undefined, { stream: false }, 'document'],
  ])('of %s with Accept %j and the body %j is a %s', (method, accept, body, form) => {
    expect(chooseForm({ method, headers: { accept }, body })).toBe(form);
  });

  it.each([
    ['GET', JSON_TYPE, '/v1/responses/1?stream=true&starting_after=3', 'stream'],
    ['GET', SSE, '/v1/responses/1?stream=false', 'document'],
    ['GET', JSON_TYPE, '/v1/responses/1?stream=yes', 'document'],
    ['POST', JSON_TYPE, '/v1/responses?stream=true', 'document'],
  ])('of %s with Accept %j and %s is a %s', (method, accept, url, form) => {
    expect(chooseForm({ method, headers: { accept }, url })).toBe(form);
  });

  it.each([
    ['text/html', undefined],
    ['text/event-stream;q=0, application/json;q=0', undefined],
    ['*/*;q=0', { stream: true }],
    ['image/*', { stream: false }],
  ])('is none with Accept %j and the body %j', (accept, body) => {
    expect(() => chooseForm({ method: 'POST', headers: { accept }, body })).toThrow(NotAcceptable);
  });
});
