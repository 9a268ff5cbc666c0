import { describe, expect, it } from '@jest/globals';
import { ConflictException, HttpException } from '@nestjs/common';
import { retryAfterOf, toUpstreamException } from './upstream-exception.js';

const errorWith = (fields: object): Error => Object.assign(new Error('sk-secret at 10.0.0.7'), fields);

describe('an error of an upstream client', () => {
  it.each([
    [{ status: 429 }, 429, 'Too Many Requests'],
    [{ statusCode: 401 }, 401, 'Unauthorized'],
    [{ status: 503, statusCode: 400 }, 503, 'Service Unavailable'],
    [{ status: 'failed', statusCode: 404 }, 404, 'Not Found'],
    [{ status: 529 }, 529, 'The upstream server has failed'],
  ])('with %j has that status, and nothing of its own text', (fields, status, message) => {
    const error = errorWith(fields);
    const exception = toUpstreamException(error) as HttpException;
    expect(exception).toBeInstanceOf(HttpException);
    expect([exception.getStatus(), exception.message, exception.cause]).toEqual([status, message, error]);
    expect(JSON.stringify(exception.getResponse())).not.toContain('secret');
  });

  it.each([
    new ConflictException('own text'),
    errorWith({}),
    errorWith({ status: 200 }),
    errorWith({ status: 600 }),
    errorWith({ status: 404.5 }),
    errorWith({ status: '429' }),
    errorWith({ status: 409, getStatus: () => 409 }),
    'text',
    null,
    undefined,
    429,
  ])('is left as it is when it is none: %p', (error) => {
    expect(toUpstreamException(error)).toBe(error);
  });
});

describe('Retry-After', () => {
  it.each([
    [{ 'retry-after': '12' }, '12'],
    [{ 'Retry-After': 7 }, '7'],
    [new Headers({ 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }), 'Wed, 21 Oct 2026 07:28:00 GMT'],
  ])('of %p is %j', (headers, value) => {
    expect(retryAfterOf(errorWith({ headers }))).toBe(value);
  });

  it.each([
    undefined,
    null,
    'retry-after: 1',
    {},
    new Headers(),
    { 'retry-after': '1\r\nSet-Cookie: a=b' },
    { 'retry-after': 'ä' },
    { 'retry-after': '' },
    { 'retry-after': ['1'] },
    { 'retry-after': '9'.repeat(41) },
  ])('is not taken from %p', (headers) => {
    expect(retryAfterOf(errorWith({ headers }))).toBeUndefined();
    expect(retryAfterOf(headers)).toBeUndefined();
  });
});
