import { describe, expect, it } from '@jest/globals';
import { SseError } from '../errors.js';
import { EVENT_STREAM, NAMING_EVENT_STREAM } from './dialect.js';
import { packEvent } from './payload.js';
import type { RefusalReason } from './words.js';

describe('an event stream', () => {
  it.each<[number | false, number | false, string]>([
    [3_000, 15_000, 'retry: 3000\n: heartbeat 15000\n'],
    [0, 0.5, 'retry: 0\n: heartbeat 1\n'],
    [3_000, false, 'retry: 3000\n'],
    [false, 15_000.1, ': heartbeat 15001\n'],
    [false, false, ':\n'],
  ])(
    'begins with when to come back (%p ms) and how often it shows that it lives (%p ms)',
    (retryMs, heartbeatMs, said) => {
      expect(EVENT_STREAM.start(retryMs, heartbeatMs)).toBe(said);
    },
  );

  it('lives with a comment that says nothing', () => {
    expect(EVENT_STREAM.heartbeat).toBe(':\n');
  });

  it('has the id of an entry before its lines, and that of an own event behind them', () => {
    const parts: (string | Uint8Array)[] = [];
    EVENT_STREAM.entry(parts, 'p', packEvent({ type: 'tick', data: { n: 1 } }), 'a');

    expect(Buffer.concat(parts.map((part) => Buffer.from(part))).toString()).toBe(
      'id: p\nevent: tick\ndata: {"n":1}\n\n',
    );
    expect(EVENT_STREAM.event({ data: 'x' }, 'p', 'a')).toBe('id: p\ndata: x\n\n');
    expect(EVENT_STREAM.event({ data: 'x', id: 'own' })).toBe('data: x\nid: own\n\n');
    expect(EVENT_STREAM.place('p')).toBe('id: p\n\n');
  });

  it('says what is missing, and why it ends', () => {
    expect(EVENT_STREAM.reset('trimmed', ['a'])).toBe(
      'event: stream.reset\ndata: {"reason":"trimmed","topics":["a"]}\n\n',
    );
    expect(EVENT_STREAM.end({ reason: 'lifetime', reconnect: true, retryMs: 5, place: 'p' })).toBe(
      'retry: 5\nevent: stream.end\ndata: {"reason":"lifetime","reconnect":true}\nid: p\n\n',
    );
    expect(EVENT_STREAM.end({ reason: 'complete', reconnect: false, place: 'p' })).toBe(
      'event: stream.end\ndata: {"reason":"complete","reconnect":false}\nid: stream.end\n\n',
    );
  });

  it('says nothing of an error but the code of one of its own', () => {
    const message = '"message":"The stream was ended by an error on the server"';
    const failures = [new Error('secret'), new SseError('forbidden', 'secret'), undefined];

    expect(failures.map((error) => EVENT_STREAM.failure(error, true))).toEqual([
      `event: stream.error\ndata: {${message},"reconnect":true}\n\n`,
      `event: stream.error\ndata: {${message},"code":"forbidden","reconnect":true}\n\n`,
      `event: stream.error\ndata: {${message},"reconnect":true}\n\n`,
    ]);
    expect(EVENT_STREAM.failure(undefined, false, 'p')).toBe(
      `event: stream.error\ndata: {${message},"reconnect":false}\nid: p\n\n`,
    );
  });

  it.each<[RefusalReason, string]>([
    ['shutdown', 'retry: 5\nevent: stream.end\ndata: {"reason":"shutdown","reconnect":true}\n\n'],
    ['expired', 'retry: 5\nevent: stream.end\ndata: {"reason":"expired","reconnect":true}\n\n'],
    ['connections', 'retry: 5\n: too many streams are open\n'],
    ['unavailable', 'retry: 5\n: not available at the moment\n'],
  ])('that is not opened (%s) says when to come back', (reason, said) => {
    expect(EVENT_STREAM.refusal(reason, 5)).toBe(said);
  });
});

describe('an event stream that names topics', () => {
  it('has the name behind the id of an entry, and before a comment of its own', () => {
    const parts: (string | Uint8Array)[] = [];
    NAMING_EVENT_STREAM.entry(parts, 'p', packEvent({ type: 'tick', data: 1, comment: 'topic b' }), 'stocks/AAPL');
    NAMING_EVENT_STREAM.entry(parts, 'q', packEvent({ comment: 'c' }), 'a');

    expect(Buffer.concat(parts.map((part) => Buffer.from(part))).toString()).toBe(
      'id: p\n: topic stocks/AAPL\n: topic b\nevent: tick\ndata: 1\n\nid: q\n: topic a\n: c\n\n',
    );
    expect(NAMING_EVENT_STREAM.event({ data: 'x' }, 'p', 'a')).toBe('id: p\n: topic a\ndata: x\n\n');
  });

  it('names none for an event of a source, and says all else in the same words', () => {
    expect(NAMING_EVENT_STREAM.event({ data: 'x', id: 'own' })).toBe('data: x\nid: own\n\n');
    expect(NAMING_EVENT_STREAM).toMatchObject({
      ...EVENT_STREAM,
      entry: expect.any(Function),
      event: expect.any(Function),
    });
  });
});
