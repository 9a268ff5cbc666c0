import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import {
  HEARTBEAT,
  encodeComment,
  encodeCursor,
  encodeData,
  encodeEvent,
  encodeFields,
  encodeRetry,
} from './encode.js';

const invalidEvent = expect.objectContaining({ code: 'invalid-event' });

const circular: { self?: unknown } = {};
circular.self = circular;

describe('encodeData', () => {
  it.each<[string, unknown, string, string]>([
    ['a string as text', 'a"b', 'text', 'a"b'],
    ['a string with line breaks as it is', 'a\r\nb\rc\nd', 'text', 'a\r\nb\rc\nd'],
    ['NUL and U+2028 as they are', 'a\0b\u2028c', 'text', 'a\0b\u2028c'],
    ['lone surrogates as U+FFFD', '\ud800a\udc00🦊', 'text', '\ufffda\ufffd🦊'],
    ['null as JSON', null, 'json', 'null'],
    ['a number as JSON', 1.5, 'json', '1.5'],
    ['an object as JSON on one line', { a: 'x\ny', b: [1] }, 'json', '{"a":"x\\ny","b":[1]}'],
    ['a lone surrogate within JSON as an escape', ['\ud800'], 'json', '["\\ud800"]'],
    ['what toJSON returns', { toJSON: () => 'x' }, 'json', '"x"'],
    ['a Uint8Array as base64', Uint8Array.of(1, 2, 255), 'base64', 'AQL/'],
    ['a view into a larger buffer as base64', new Uint8Array([9, 1, 2, 255, 9]).subarray(1, 4), 'base64', 'AQL/'],
    ['a Buffer as base64', Buffer.from('hello'), 'base64', 'aGVsbG8='],
    ['bytes of another realm as base64', runInNewContext('Uint8Array.of(1, 2, 255)'), 'base64', 'AQL/'],
    ['no bytes as base64', new Uint8Array(), 'base64', ''],
  ])('writes %s', (_, data, kind, text) => {
    expect(encodeData(data)).toEqual({ kind, text });
  });

  it.each<[string, unknown]>([
    ['a circular object', circular],
    ['a BigInt inside', { n: 1n }],
    ['a throwing toJSON', { toJSON: () => JSON.parse('{') }],
  ])('refuses %s, with what was thrown as the cause', (_, data) => {
    expect(() => encodeData(data)).toThrow(
      expect.objectContaining({ code: 'invalid-event', cause: expect.anything() }),
    );
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a toJSON that returns undefined', { toJSON: () => undefined }],
  ])('refuses %s, which has no JSON form', (_, data) => {
    expect(() => encodeData(data)).toThrow(invalidEvent);
  });
});

describe('encodeFields', () => {
  it('writes comment, type, retry and data in this order, without the id', () => {
    const event = { id: '7', data: { n: 1 }, retry: 10, type: 'tick', comment: 'c' };
    expect(encodeFields(event)).toBe(': c\nevent: tick\nretry: 10\ndata: {"n":1}\n');
  });

  it.each<[string, string, string]>([
    ['empty text', '', 'data: \n'],
    ['a leading space', ' a', 'data:  a\n'],
    ['a leading colon', ':a', 'data: :a\n'],
    ['a trailing line break', 'a\n', 'data: a\ndata: \n'],
    ['a leading line break', '\na', 'data: \ndata: a\n'],
    ['only line breaks', '\n\r\n\r', 'data: \ndata: \ndata: \ndata: \n'],
    ['every kind of line break', 'a\r\nb\rc\nd', 'data: a\ndata: b\ndata: c\ndata: d\n'],
    ['a lone CR', 'a\revent: x', 'data: a\ndata: event: x\n'],
    ['LF before CR as two breaks', 'a\n\rb', 'data: a\ndata: \ndata: b\n'],
    ['U+2028 and NUL, which end no line', 'a\u2028b\0', 'data: a\u2028b\0\n'],
    ['a byte order mark', '\ufeffa', 'data: \ufeffa\n'],
    ['replacement patterns', "$&$'\n$1", "data: $&$'\ndata: $1\n"],
  ])('writes %s so that it arrives', (_, data, lines) => {
    expect(encodeFields({ data })).toBe(lines);
  });

  it.each<[string, string | undefined, string]>([
    ['no type', undefined, ''],
    ['an empty type', '', ''],
    ['the default type by name', 'message', 'event: message\n'],
    ['a type that EventSource uses itself', 'error', 'event: error\n'],
  ])('writes %s as given', (_, type, line) => {
    expect(encodeFields({ data: '', type })).toBe(`${line}data: \n`);
  });

  it('splits a comment so that it cannot end the event or add fields', () => {
    expect(encodeFields({ comment: 'a\r\n\r\ndata: x\rid: 1' })).toBe(': a\n: \n: data: x\n: id: 1\n');
  });
});

describe('encodeEvent', () => {
  it('writes the id last, and a blank line', () => {
    expect(encodeEvent({ data: 'x', id: '7', type: 't' })).toBe('event: t\ndata: x\nid: 7\n\n');
  });

  it('writes an empty id, which makes the client forget its position', () => {
    expect(encodeEvent({ data: 'x', id: '' })).toBe('data: x\nid: \n\n');
  });

  it('writes no blank line after a notice, which fetch-event-source would take for an empty message', () => {
    expect(encodeEvent({ comment: 'c', retry: 0 })).toBe(': c\nretry: 0\n');
  });

  it('writes the greatest retry in digits', () => {
    expect(encodeEvent({ retry: 3_600_000 })).toBe('retry: 3600000\n');
  });

  it.each([{ data: 1, id: 'a\nb' }, { data: 1, type: 'a\rb' }, { data: undefined }, { retry: 1.5 }])(
    'refuses %p',
    (event) => {
      expect(() => encodeEvent(event)).toThrow(invalidEvent);
    },
  );
});

describe('single lines', () => {
  it('beats with a comment and no blank line', () => {
    expect(HEARTBEAT).toBe(':\n');
  });

  it.each([
    ['', ': \n'],
    ['a b', ': a b\n'],
    ['a\r\nb\rc\nd', ': a\n: b\n: c\n: d\n'],
    ['\ud800', ': \ufffd\n'],
  ])('writes %j as a comment', (text, lines) => {
    expect(encodeComment(text)).toBe(lines);
  });

  it('moves the cursor with an id and a blank line', () => {
    expect(encodeCursor('e.1.2')).toBe('id: e.1.2\n\n');
  });

  it.each(['a\nb', 'a\rb', 'a\0b'])('refuses %j as a cursor', (id) => {
    expect(() => encodeCursor(id)).toThrow(invalidEvent);
  });

  it('writes a retry without a blank line', () => {
    expect(encodeRetry(3_000)).toBe('retry: 3000\n');
  });

  it.each([-1, 0.5, NaN, 2 ** 53])('refuses %p as a retry', (retryMs) => {
    expect(() => encodeRetry(retryMs)).toThrow(invalidEvent);
  });
});
