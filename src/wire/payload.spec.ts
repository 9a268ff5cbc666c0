import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { COMPLETE, controlOf, fieldsOf, packEvent, packFailure, unpackEvent } from './payload.js';
import type { SseEvent, SseNotice } from './event.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const invalidEvent = expect.objectContaining({ code: 'invalid-event' });

describe('packEvent', () => {
  it.each<[string, SseEvent | SseNotice, string]>([
    ['text', { data: 'a\nb' }, 'tdata: a\ndata: b\n'],
    ['JSON', { data: { a: 1 }, type: 't' }, 'jevent: t\ndata: {"a":1}\n'],
    ['bytes', { data: Uint8Array.of(255) }, 'bdata: /w==\n'],
    ['a notice', { comment: 'c', retry: 5 }, 'n: c\nretry: 5\n'],
    ['an event without its id', { data: 'a', id: '7' }, 'tdata: a\n'],
  ])('writes %s', (_, event, payload) => {
    expect(textOf(packEvent(event))).toBe(payload);
  });

  it('refuses an event that cannot go on the wire', () => {
    expect(() => packEvent({ data: 1, type: 'a\nb' })).toThrow(invalidEvent);
  });
});

describe('unpackEvent', () => {
  it.each<[string, SseEvent | SseNotice]>([
    ['the default type by name', { data: 'a', type: 'message' }],
    ['null', { data: null }],
    ['a string that looks like JSON', { data: '{"a":1}' }],
    ['empty text', { data: '' }],
    ['text that looks like fields', { data: ': x\nevent: y\n\n', comment: 'data: x\n' }],
    ['a comment alone', { comment: '' }],
    ['retry 0', { data: false, retry: 0 }],
    ['__proto__ in the data', { data: JSON.parse('{"__proto__":1}') }],
  ])('gives back %s', (_, event) => {
    expect(unpackEvent(packEvent(event))).toEqual(event);
  });

  it('gives back bytes as a Uint8Array', () => {
    const { data } = unpackEvent(packEvent({ data: Buffer.from([0, 1, 255]) })) as SseEvent<Uint8Array>;
    expect([...data]).toEqual([0, 1, 255]);
  });

  it('gives back any event, with LF for every line break of text', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        fc.constantFrom('\n', '\r', '\r\n', ':', ' '),
      ),
    });
    const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const retry = optional(fc.nat({ max: 3_600_000 }));
    fc.assert(
      fc.property(
        fc.oneof(text, fc.jsonValue()),
        fc.record({ type: optional(fc.stringMatching(/^[^\r\n\0]{1,20}$/u)), retry, comment: optional(text) }),
        (data, rest) => {
          const lf = (value: unknown) => (typeof value === 'string' ? value.replace(/\r\n?/g, '\n') : value);
          const sent = JSON.parse(JSON.stringify({ data: lf(data), ...rest, comment: lf(rest.comment) }));
          expect(unpackEvent(packEvent({ data, ...rest }))).toEqual(sent);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each<[string, Uint8Array]>([
    ['an empty payload', new Uint8Array()],
    ['an unknown kind', bytesOf('zdata: a\n')],
    ['a completion', COMPLETE],
    ['a failure', packFailure()],
    ['text without data', bytesOf('tevent: x\n')],
    ['cut JSON', bytesOf('jdata: {"a"\n')],
    ['broken base64', bytesOf('bdata: /w=\n')],
    ['bytes that are no UTF-8', Uint8Array.of(0x74, 0xff)],
    ['a character cut short', Uint8Array.of(0x74, 0xf0, 0x9f)],
  ])('refuses %s, and reads the next', (_, payload) => {
    expect(() => unpackEvent(payload)).toThrow(invalidEvent);
    expect(unpackEvent(packEvent({ data: 'next' }))).toEqual({ data: 'next' });
  });
});

describe('control entries', () => {
  it.each<[string, Uint8Array, string | undefined]>([
    ['a completion', COMPLETE, 'complete'],
    ['a failure', packFailure(), 'failed'],
    ['an event', packEvent({ data: 'complete' }), undefined],
    ['a notice', packEvent({ comment: 'c' }), undefined],
    ['an empty payload', new Uint8Array(), undefined],
    ['an unknown payload', bytesOf('?'), undefined],
  ])('tells what %s is', (_, payload, control) => {
    expect(controlOf(payload)).toBe(control);
  });

  it('puts nothing on the wire', () => {
    expect([fieldsOf(COMPLETE).length, fieldsOf(packFailure()).length]).toEqual([0, 0]);
  });
});

describe('fieldsOf', () => {
  it('is a view of the lines as they go on the wire', () => {
    const payload = packEvent({ data: 'a' });
    const fields = fieldsOf(payload) as Uint8Array;
    expect(textOf(fields)).toBe('data: a\n');
    expect(fields.buffer).toBe(payload.buffer);
  });
});
