import { describe, expect, it } from '@jest/globals';
import type { LogEntry } from '../engine/engine.js';
import { Batch } from '../hub/batch.js';
import { EVENT_STREAM, NAMING_EVENT_STREAM } from '../wire/dialect.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { packEvent } from '../wire/payload.js';
import { type Step, encodeTransformed as encodeWith, transform } from './transform.js';

const encodeTransformed = (batch: Batch, steps: readonly Step[]) => encodeWith(batch, steps, EVENT_STREAM);

const batchOf = (...events: (SseEvent | SseNotice)[]): Batch => {
  const entries = events.map((event, n): LogEntry => {
    const id = 'id' in event ? event.id : undefined;
    return { topic: 'a', seq: n + 1, prev: n, at: 36, data: packEvent(event), id };
  });
  return new Batch('aaaaaa', entries);
};

const filter = (predicate: (event: any) => boolean): Step => ({ filter: predicate });
const map = (change: (event: any) => unknown): Step => ({ map: change });

describe('the steps of a selection', () => {
  it('get each event as it was published, with its topic and the id to resume from', () => {
    const seen: unknown[] = [];
    const batch = batchOf({ type: 't', data: { n: 1 }, comment: 'c', retry: 5 }, { data: 'x', id: 'own' });
    encodeTransformed(batch, [filter((event) => seen.push(event) > 0)]);

    expect(seen).toEqual([
      { type: 't', data: { n: 1 }, comment: 'c', retry: 5, id: 'aaaaaa.1.10', topic: 'a' },
      { data: 'x', id: 'own', topic: 'a' },
    ]);
  });

  it('run in their order, and a filter spares the steps behind it', () => {
    const calls: string[] = [];
    const steps = [
      map(({ data }) => (calls.push(`double ${data}`), data * 2)),
      filter(({ data }) => (calls.push(`filter ${data}`), data > 2)),
      map(({ data }) => (calls.push(`negate ${data}`), -data)),
    ];

    expect(encodeTransformed(batchOf({ data: 1 }, { data: 2 }), steps)).toBe('id: aaaaaa.2.10\ndata: -4\n\n');
    expect(calls).toEqual(['double 1', 'filter 2', 'double 2', 'filter 4', 'negate 4']);
  });

  it.each<[string, unknown, string]>([
    ['an event', { type: 'big', data: { n: 1 } }, 'event: big\ndata: {"n":1}\n'],
    [
      'an event with every field',
      { type: 'b', data: 'x', retry: 1, comment: 'c' },
      ': c\nevent: b\nretry: 1\ndata: x\n',
    ],
    ['an event with an id, which is ignored', { data: 'x', id: 'other' }, 'data: x\n'],
    ['an object that is no event, for it has a topic', { data: 'x', topic: 'b' }, 'data: {"data":"x","topic":"b"}\n'],
    ['a bare value', 7, 'data: 7\n'],
    ['null', null, 'data: null\n'],
    ['an object with further fields', { data: 1, user: 2 }, 'data: {"data":1,"user":2}\n'],
  ])('may make of an event %s', (_, result, fields) => {
    expect(encodeTransformed(batchOf({ data: 'x' }), [map(() => result)])).toBe(`id: aaaaaa.1.10\n${fields}\n`);
  });

  it('keep the id of the original for what they make', () => {
    const batch = batchOf({ data: 1 }, { data: 2, id: 'own' });

    const ids = [...transform(batch, [map((event) => ({ ...event, id: 'x' }))])].map(({ id }) => id);
    expect(ids).toEqual(['aaaaaa.1.10', 'own']);
  });

  it.each<[string, Step[]]>([
    ['none', []],
    ['a filter', [filter(() => true)]],
    ['a map to another event, with a topic of its own', [map((event) => ({ ...event, topic: 'other' }))]],
    ['a map to a bare value', [map(({ data }) => data)]],
  ])('have the topic of the original named where that is asked for: %s', (_, steps) => {
    const batch = batchOf({ data: 'x' }, { comment: 'c' });

    expect(encodeWith(batch, steps, NAMING_EVENT_STREAM)).toBe(
      'id: aaaaaa.1.10\n: topic a\ndata: x\n\nid: aaaaaa.2.10\n: topic a\n: c\n\n',
    );
  });

  it('keep the topic of the original for the steps behind, which is not sent', () => {
    const seen: unknown[] = [];
    const steps = [
      map((event) => ({ ...event, data: event.data + 1 })),
      map((event) => ({ ...event, type: event.topic, topic: 'other' })),
      map(({ data }) => data),
      filter(({ topic }) => seen.push(topic) > 0),
    ];

    expect(encodeTransformed(batchOf({ data: 1 }), steps.slice(0, 2))).toBe('id: aaaaaa.1.10\nevent: a\ndata: 2\n\n');
    expect(encodeTransformed(batchOf({ data: 1 }), steps)).toBe('id: aaaaaa.1.10\ndata: 2\n\n');
    expect(seen).toEqual(['a']);
  });

  it('leave out topics that are not wanted, their notices too, and ask nobody else of them', () => {
    const asked: unknown[] = [];
    const steps: Step[] = [{ wants: (topic) => topic !== 'a' }, filter((event) => asked.push(event) > 0)];

    expect(encodeTransformed(batchOf({ data: 1 }, { comment: 'hello' }), steps)).toBe('');
    expect(asked).toEqual([]);
    expect(encodeTransformed(batchOf({ data: 1 }), [{ wants: (topic) => topic === 'a' }])).toBe(
      'id: aaaaaa.1.10\ndata: 1\n\n',
    );
  });

  it('leave nothing of a batch that no event passes', () => {
    expect(encodeTransformed(batchOf({ data: 1 }, { data: 2 }), [filter(() => false)])).toBe('');
  });

  it.each<[string, unknown]>([
    ['a reserved type', { type: 'stream.end', data: 1 }],
    ['a line break in the type', { type: 'a\nb', data: 1 }],
    ['no data', undefined],
    ['data without a JSON form', 1n],
  ])('throw when they make of an event one with %s', (_, result) => {
    expect(() => encodeTransformed(batchOf({ data: 'x' }), [map(() => result)])).toThrow(
      expect.objectContaining({ code: 'invalid-event' }),
    );
  });

  it('throw what a step throws', () => {
    const error = new Error('mine');
    const fail = () => {
      throw error;
    };
    expect(() => encodeTransformed(batchOf({ data: 1 }), [filter(fail)])).toThrow(error);
    expect(() => encodeTransformed(batchOf({ data: 1 }), [map(fail)])).toThrow(error);
  });

  it('are not asked about a notice, which passes as it is: it has no data that they could look at', () => {
    const steps = [filter(({ data }) => data.price > 100), map(({ data }) => data.price)];

    const text = encodeTransformed(batchOf({ comment: 'hello' }, { data: { price: 101 } }), steps);
    expect(text).toBe('id: aaaaaa.1.10\n: hello\n\nid: aaaaaa.2.10\ndata: 101\n\n');
  });
});
