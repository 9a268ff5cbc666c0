import { describe, expect, it } from '@jest/globals';
import { NAMING_EVENT_STREAM } from './dialect.js';
import { encodeStart } from './encode.js';
import { createStreamParser } from './parse.js';
import { heartbeatOf, topicOf } from './words.js';

function commentsOf(stream: string): string[] {
  const comments: string[] = [];
  const parser = createStreamParser({ onEvent: () => undefined, onComment: (text) => comments.push(text) });
  parser.push(Buffer.from(stream));
  return comments;
}

describe('heartbeatOf', () => {
  it.each([1, 15_000, 2 ** 31 - 1])('reads the period of %p ms that a stream announces', (heartbeatMs) => {
    expect(commentsOf(encodeStart(3_000, heartbeatMs)).map(heartbeatOf)).toEqual([heartbeatMs]);
  });

  it('bounds a period', () => {
    expect(heartbeatOf(`heartbeat ${'9'.repeat(400)}`)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    '',
    'heartbeat',
    'heartbeat ',
    'heartbeat 0',
    'heartbeat -1',
    'heartbeat 1.5',
    'heartbeat 1e3',
    'heartbeat  1',
    'heartbeat 1 ',
    'heartbeat ٣',
    'heartbeats 1',
    'Heartbeat 1',
    ' heartbeat 1',
    'topic heartbeat 1',
  ])('reads none from %j', (comment) => {
    expect(heartbeatOf(comment)).toBeUndefined();
  });
});

describe('topicOf', () => {
  it.each(['a', 'stocks/AAPL', 'topic', 'with space', ' blank before', 'behind ', ': x', '状態/🦊', 'a\u2028b\u0085c'])(
    'reads the name %j that a stream gives',
    (topic) => {
      expect(commentsOf(NAMING_EVENT_STREAM.event({ data: 'x' }, 'p', topic)).map(topicOf)).toEqual([topic]);
    },
  );

  it.each(['', 'topic', 'topic ', 'topics a', 'Topic a', ' topic a', 'heartbeat 1'])(
    'reads none from %j',
    (comment) => {
      expect(topicOf(comment)).toBeUndefined();
    },
  );
});
