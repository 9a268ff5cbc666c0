import { describe, expect, it } from '@jest/globals';
import { SseError } from '../../errors.js';
import { cleanError } from './clean-error.js';
import { EngineFailures } from './failure.js';

const failures = new EngineFailures('Redis', (error) => cleanError(error, ['canary']));

describe('what an engine rejects with', () => {
  it('says what could not be done and why, and nothing that must not be told', () => {
    const failed = failures.failed('read', new Error('AUTH canary', { cause: new Error('canary') }));

    expect(failed).toMatchObject({ code: 'engine-failed', message: 'The Redis engine could not read: AUTH ***' });
    expect([failed.cause, (failed.cause as Error).cause]).toEqual([new Error('AUTH ***'), new Error('***')]);
    expect(failures.failed('read', undefined, 'there is no server').message).toMatch(/read: there is no server$/);
  });

  it('says that something may have been stored', () => {
    const uncertain = failures.uncertain(new Error('canary'));

    expect(uncertain).toMatchObject({ code: 'engine-uncertain', cause: new Error('***') });
    expect(uncertain.message).toBe('The Redis engine cannot tell whether the event was stored: ***');
  });

  it('is what says so itself, unless something else is to be told', () => {
    const missing = new SseError('invalid-options', 'npm install redis');

    expect(failures.failed('read', missing)).toBe(missing);
    expect(failures.failed('subscribe', missing, 'not now').message).toBe(
      'The Redis engine could not subscribe: not now',
    );
    expect(failures.uncertain(missing).code).toBe('engine-uncertain');
  });

  it('tells what is too large from what an engine cannot do', () => {
    const request = { topic: 'a', data: new Uint8Array(5), retention: { maxEvents: 1, maxBytes: 1, maxAgeMs: 1 } };

    expect(() => failures.checkSize(request, 5)).not.toThrow();
    expect(() => failures.checkSize(request, 4)).toThrow(
      expect.objectContaining({
        code: 'invalid-event',
        message: 'The Redis engine takes events of at most 4 bytes; this one has 5',
      }),
    );
  });
});
