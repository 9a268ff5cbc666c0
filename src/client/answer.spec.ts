import { describe, expect, it } from '@jest/globals';
import { judge } from './answer.js';
import type { StreamOptions } from './options.js';

const TYPE = { 'content-type': 'text/event-stream' };

function answered(status: number, headers: Record<string, string> = TYPE): Response {
  return new Response(status === 204 ? null : 'x', { status, headers });
}

function judgeOf(response: Response, retryOn?: StreamOptions['retryOn'], canRepeat = true, canAskAgain = false) {
  return judge(response, retryOn, canRepeat, canAskAgain);
}

it.each(['text/event-stream', 'text/event-stream;charset=utf-8', 'TEXT/Event-Stream ; charset=utf-8'])(
  'reads an answer of the type %s',
  (type) => {
    expect(judgeOf(answered(200, { 'content-type': type }))).toBeUndefined();
  },
);

it.each(['text/html', 'text/event-streams', 'application/json; text/event-stream', ''])(
  'refuses an answer of the type %j, and gives it',
  (type) => {
    const response = answered(200, { 'content-type': type });
    expect(judgeOf(response)).toMatchObject({
      closes: 'refused',
      status: 200,
      error: { name: 'StreamError', code: 'content-type', response },
    });
  },
);

it('refuses an answer whose body cannot be streamed', () => {
  const response = { status: 200, headers: new Headers(TYPE), body: null } as Response;
  expect(judgeOf(response)).toMatchObject({ closes: 'refused', error: { code: 'no-body' } });
});

it('takes 204 as the end', () => {
  expect(judgeOf(answered(204), () => true)).toEqual({ closes: 'complete', status: 204 });
});

const FOR_NOW = [408, 425, 429, 500, 502, 503, 504, 507, 599];
const FOR_GOOD = [301, 400, 401, 403, 404, 405, 406, 410, 418, 501, 505];

it.each(FOR_NOW)('waits after %i', (status) => {
  expect(judgeOf(answered(status))).toEqual({ reason: 'status', status, leastMs: 0 });
});

it.each(FOR_GOOD)('refuses after %i', (status) => {
  expect(judgeOf(answered(status))).toMatchObject({ closes: 'refused', status, error: { code: 'status' } });
});

it.each(FOR_NOW)('refuses after %i what may not be repeated, and gives the answer', (status) => {
  const response = answered(status);
  expect(judgeOf(response, undefined, false)).toMatchObject({
    closes: 'refused',
    error: { code: 'status', response },
  });
});

it('waits as long as the answer asks', () => {
  expect(judgeOf(answered(429, { 'retry-after': '7' }))).toMatchObject({ leastMs: 7_000 });
});

it('asks again at once after 401 where another token can be had', () => {
  expect(judgeOf(answered(401), undefined, true, true)).toEqual({ reason: 'unauthorized', status: 401, isAgain: true });
});

describe('retryOn', () => {
  it.each(FOR_GOOD)('has %i tried again', (status) => {
    expect(judgeOf(answered(status), () => true)).toMatchObject({ reason: 'status', status });
  });

  it.each([...FOR_NOW, 401])('has %i refused, also where another token can be had', (status) => {
    expect(judgeOf(answered(status), () => false, true, true)).toMatchObject({ closes: 'refused', status });
  });

  it('says after how many ms, whatever the answer asks', () => {
    expect(judgeOf(answered(503, { 'retry-after': '7' }), () => 20)).toEqual({
      reason: 'status',
      status: 503,
      exactMs: 20,
    });
  });

  it('is given the status and the answer, and is not asked about one that is fine', () => {
    const asked: unknown[] = [];
    const response = answered(418);
    judgeOf(response, (answer) => void asked.push(answer));
    judgeOf(answered(200), (answer) => void asked.push(answer));

    expect(asked).toEqual([{ status: 418, response }]);
  });
});
