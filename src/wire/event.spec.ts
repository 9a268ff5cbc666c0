import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import {
  asData,
  asEvent,
  checkEvent,
  checkPublishable,
  checkSourceEvent,
  isEvent,
  readEvent,
  toEvent,
} from './event.js';

const invalid = (message: string) =>
  expect.objectContaining({ code: 'invalid-event', message: expect.stringContaining(message) });

class Order {
  data = 1;
}

describe('isEvent', () => {
  it.each([
    ['data', { data: 1 }],
    ['undefined data, which is then refused as an event', { data: undefined }],
    ['every field', { data: 'x', type: 't', id: '1', retry: 1, comment: 'c' }],
    ['only a comment', { comment: 'c' }],
    ['only a retry', { retry: 1, id: undefined, type: undefined }],
    ['no prototype', Object.assign(Object.create(null), { data: 1 })],
    ['the prototype of another realm', runInNewContext('({ data: 1 })')],
  ])('takes an object with %s for an event', (_, value) => {
    expect(isEvent(value)).toBe(true);
    expect(toEvent(value)).toEqual(value);
  });

  it.each([
    ['a string', 'data'],
    ['null', null],
    ['undefined', undefined],
    ['an array', [{ data: 1 }]],
    ['bytes', new Uint8Array(1)],
    ['an empty object', {}],
    ['an object with a foreign field', { data: 1, userId: 2 }],
    ['a type alone', { type: 'x' }],
    ['a comment with an id', { comment: 'c', id: '1' }],
    ['a comment that is undefined', { comment: undefined }],
    ['an instance of a class', new Order()],
    ['inherited data', Object.create({ data: 1 })],
  ])('takes %s for data', (_, value) => {
    expect(isEvent(value)).toBe(false);
    expect(toEvent(value)).toEqual({ data: value });
  });
});

describe('toEvent', () => {
  it.each([7, 0, -1, 7.5])('makes text of the id %d, as of a row', (id) => {
    expect(toEvent({ id, data: 'x' })).toEqual({ id: String(id), data: 'x' });
  });

  it.each([[NaN], [Infinity], [7n], [null], [{}]])('leaves the id %p as it is, to be refused', (id) => {
    expect(() => checkSourceEvent(toEvent({ id, data: 'x' }))).toThrow(invalid('id must be a string'));
  });

  it('leaves what it was given as it is', () => {
    const row = Object.freeze({ id: 7, data: 'x' });

    expect([toEvent(row), row.id]).toEqual([{ id: '7', data: 'x' }, 7]);
  });
});

describe('an event that was read', () => {
  const read = () => readEvent({ type: 'tick', data: 1 }, 'i', 'prices/AAPL');

  it('has its topic and its id', () => {
    expect(read()).toEqual({ type: 'tick', data: 1, id: 'i', topic: 'prices/AAPL' });
  });

  it.each<[string, unknown]>([
    ['itself', read()],
    ['a copy with other data', { ...read(), data: 2 }],
    ['a copy of a copy', { ...{ ...read() }, type: 'x' }],
    ['a copy with another topic', { ...read(), topic: 'other' }],
    ['a notice', readEvent({ comment: 'c' }, 'i', 'prices/AAPL')],
  ])('is an event wherever it goes, its topic notwithstanding: %s', (_, value) => {
    expect(isEvent(value)).toBe(true);
    expect(() => checkPublishable(value)).not.toThrow();
    expect(asEvent(value as never)).toEqual(value);
  });

  it.each<[string, unknown]>([
    ['a row that looks like one', { id: 'i', data: 1, topic: 'prices/AAPL' }],
    ['one that has been through JSON', JSON.parse(JSON.stringify(read()))],
    ['a copy with a field that no event has', { ...read(), unit: 'ms' }],
  ])('is not %s', (_, value) => {
    expect(isEvent(value)).toBe(false);
    expect(toEvent(value)).toEqual({ data: value });
    expect(() => checkPublishable(value)).toThrow(invalid("An event's fields are data, type, id, retry, comment, got"));
  });
});

describe('asEvent and asData', () => {
  it('take an event for an event, and refuse what is none', () => {
    expect(asEvent({ type: 'tick', data: 1 })).toEqual({ type: 'tick', data: 1 });
    expect(asEvent({ comment: 'c' })).toEqual({ comment: 'c' });
    expect(() => asEvent({ type: 'tick', price: 1 } as never)).toThrow(invalid('got "price"'));
    expect(() => asEvent({ type: 'tick' } as never)).toThrow(invalid('got only "type"'));
    expect(() => asEvent({ type: 'stream.end', data: 1 })).toThrow(invalid('is reserved'));
  });

  it.each([[{ data: 1 }], [{ comment: 'c' }], [{ id: 7, data: 'x' }], ['text'], [null]])(
    'take %j for data',
    (value) => {
      expect(toEvent(asData(value))).toEqual({ data: value });
    },
  );
});

describe('checkEvent', () => {
  it.each<[string, unknown]>([
    ['null data', { data: null }],
    ['empty data', { data: '' }],
    ['an event type that EventSource uses itself', { data: 1, type: 'error' }],
    ['the default type by name', { data: 1, type: 'message' }],
    ['an empty type', { data: 1, type: '' }],
    ['U+2028 in an id, which ends no line', { data: 1, id: 'a\u2028b' }],
    ['U+2028 in a type', { data: 1, type: 'a\u2028b' }],
    ['an emoji in an id', { data: 1, id: '🦊' }],
    ['an empty id', { data: 1, id: '' }],
    ['retry 0', { data: 1, retry: 0 }],
    ['retry 1', { data: 1, retry: 1 }],
    ['a retry of an hour', { retry: 3_600_000 }],
    ['white space within an id', { data: 1, id: 'a b' }],
    ['white space around a type', { data: 1, type: ' a ' }],
    ['line breaks and NUL in a comment', { comment: 'a\r\nb\rc\nd\0e\u2028f' }],
    ['fields that are undefined', { data: 1, type: undefined, id: undefined, retry: undefined, comment: undefined }],
  ])('accepts %s', (_, event) => {
    expect(() => checkEvent(event)).not.toThrow();
  });

  it.each<[string, unknown, string]>([
    ['a string', 'data', 'plain object'],
    ['null', null, 'plain object, got null'],
    ['an array', [], 'plain object, got an array of 0'],
    ['an instance of a class', new Order(), 'plain object'],
    ['an empty object', {}, 'must have data, or only a comment or retry, got an object without a field.'],
    [
      'a type without data',
      { type: 'x', comment: 'c' },
      'must have data, or only a comment or retry, got only "type" and "comment".',
    ],
    ['an id without data', { id: '1', retry: 1 }, 'must have data'],
    ['an unknown field', { data: 1, event: 'x' }, 'got "event"'],
    ['undefined data', { data: undefined }, 'use null'],
    ['undefined data beside a comment', { data: undefined, comment: 'c' }, 'use null'],
    ['a function as data', { data: () => 1 }, 'got a function'],
    ['a symbol as data', { data: Symbol('s') }, 'got Symbol(s)'],
    ['a comment that is no string', { comment: 1 }, 'comment must be a string, got 1'],
  ])('refuses %s', (_, event, message) => {
    expect(() => checkEvent(event)).toThrow(invalid(message));
  });

  it.each(['a\rb', 'a\nb', 'a\r\nb', '\n', 'a\0b', 'a\ud800b', '\udc00'])(
    'refuses %j in an id and in a type, so that no caller can add fields',
    (text) => {
      expect(() => checkEvent({ data: 1, id: text })).toThrow(invalid('id must not contain a line break, NUL'));
      expect(() => checkEvent({ data: 1, type: text })).toThrow(invalid('type must not contain a line break, NUL'));
    },
  );

  it.each([' a', 'a ', '\ta', 'a\u00a0', '\ufeffa', 'a\u2028', ' ', ' stream.end'])(
    'refuses %j as an id, which would not come back as it is',
    (id) => {
      expect(() => checkEvent({ data: 1, id })).toThrow(invalid('id must not begin or end with white space'));
    },
  );

  it.each([1, 0, null, true, 1n, {}, ['a'], Symbol('s'), { toString: () => 'a' }].map((value) => [value]))(
    'refuses %p as an id and as a type',
    (value) => {
      expect(() => checkEvent({ data: 1, id: value })).toThrow(invalid('id must be a string, got '));
      expect(() => checkEvent({ data: 1, type: value })).toThrow(invalid('type must be a string, got '));
    },
  );

  it.each(
    [-1, 1.5, NaN, Infinity, -Infinity, 3_600_001, 2 ** 53 - 1, 2 ** 53, '1', '1\ndata: x', null, 1n, {}].map(
      (value) => [value],
    ),
  )('refuses %p as a retry', (retry) => {
    expect(() => checkEvent({ data: 1, retry })).toThrow(invalid('retry must be a whole number of milliseconds'));
  });
});

describe('checkSourceEvent', () => {
  it('accepts an empty id, which makes the client forget its position', () => {
    expect(() => checkSourceEvent({ data: 1, id: '' })).not.toThrow();
  });

  it.each([
    { data: 1, type: 'stream.reset' },
    { data: 1, id: 'stream.' },
  ])('refuses the reserved prefix in %p', (event) => {
    expect(() => checkSourceEvent(event)).toThrow(invalid('must not begin with "stream."'));
  });

  it('refuses what no event may have', () => {
    expect(() => checkSourceEvent({ data: 1, id: 'a\nb' })).toThrow(invalid('line break'));
  });
});

describe('checkPublishable', () => {
  it.each<[string, unknown]>([
    ['no id', { data: 1 }],
    ['a comment alone', { comment: 'c' }],
    ['the reserved prefix further on', { data: 1, type: 'up.stream.x', id: 'x.stream.' }],
    ['an id of 1,024 bytes', { data: 1, id: 'é'.repeat(512) }],
  ])('accepts %s', (_, event) => {
    expect(() => checkPublishable(event)).not.toThrow();
  });

  it.each<[string, unknown, string]>([
    ['an empty id', { data: 1, id: '' }, 'must not be empty'],
    ['an id of 1,025 characters', { data: 1, id: 'a'.repeat(1025) }, 'at most 1024 bytes'],
    ['an id of 1,026 bytes in 513 characters', { data: 1, id: 'é'.repeat(513) }, 'at most 1024 bytes'],
    ['a reserved type', { data: 1, type: 'stream.x' }, 'is reserved'],
    ['a reserved id', { data: 1, id: 'stream.x' }, 'is reserved'],
    ['a line break in a type', { data: 1, type: 'a\nb' }, 'line break'],
  ])('refuses %s', (_, event, message) => {
    expect(() => checkPublishable(event)).toThrow(invalid(message));
  });
});
