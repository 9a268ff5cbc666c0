import { describe, expect, it } from '@jest/globals';
import { endingOf } from './ending.js';
import { ReceivedEvent } from './events.js';

const said = (type: string, text: string): ReceivedEvent => new ReceivedEvent(type, text, '', undefined, undefined);

describe('stream.end', () => {
  it.each(['lifetime', 'shutdown', 'expired', 'slow-consumer'])('with %s is a planned end', (reason) => {
    const text = JSON.stringify({ reason, reconnect: true });
    expect(endingOf(said('stream.end', text), true)).toEqual({ reason, isPlanned: true });
  });

  it.each(['complete', 'revoked', 'closed', 'something-new'])('with %s is the end', (reason) => {
    const text = JSON.stringify({ reason, reconnect: false });
    expect(endingOf(said('stream.end', text), true)).toEqual({ closes: reason });
  });

  it.each(['', 'x', '5', '"x"', 'null', '[]', '{}'])(
    'of another server, with the data %j, is a planned end',
    (text) => {
      expect(endingOf(said('stream.end', text), true)).toEqual({ reason: 'closed', isPlanned: true });
    },
  );
});

describe('stream.error', () => {
  it('is a failure after which the stream is asked for again', () => {
    expect(endingOf(said('stream.error', '{"message":"broken"}'), true)).toMatchObject({
      reason: 'error',
      error: { code: 'failed', message: 'broken' },
    });
  });

  it.each([
    ['{"message":"broken","reconnect":false}', true],
    ['{"message":"broken","reconnect":true}', false],
  ])('with %s ends one that may be repeated: %s', (text, isRepeatable) => {
    expect(endingOf(said('stream.error', text), isRepeatable)).toMatchObject({
      closes: 'failed',
      error: { code: 'failed', message: 'broken' },
    });
  });

  it.each(['', 'x', 'null'])('of another server, with the data %j, says that the stream failed', (text) => {
    expect(endingOf(said('stream.error', text), true).error).toMatchObject({ message: 'The stream failed' });
  });
});
