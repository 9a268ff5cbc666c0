import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { cleanError, secretsOf } from './clean-error.js';

const CANARY = 'c4n4ry/§';

function grep(error: Error): string {
  return [
    inspect(error, { depth: Infinity, showHidden: true }),
    JSON.stringify(error),
    error.message,
    error.stack,
  ].join('\n');
}

test('what a driver attaches is left out, and what says why stays', () => {
  const cause = Object.assign(new Error('WRONGPASS invalid username-password pair'), {
    name: 'ReplyError',
    command: { name: 'auth', args: [CANARY] },
    code: 'WRONGPASS',
  });
  const error = Object.assign(new TypeError('Could not connect', { cause }), { input: `redis://:${CANARY}@db` });

  const told = cleanError(error);

  expect(grep(told)).not.toContain(CANARY);
  expect(told).toMatchObject({ name: 'TypeError', message: 'Could not connect' });
  expect(told.cause).toMatchObject({ name: 'ReplyError', code: 'WRONGPASS', message: cause.message });
  expect(told.stack).toBe(error.stack);
});

test('secrets are taken out of messages, stacks, codes, causes and the errors of an AggregateError', () => {
  const inner = Object.assign(new Error(`no ${CANARY}`), { code: CANARY });
  const error = new AggregateError([inner, `text ${CANARY}`], `all ${CANARY}`, { cause: { password: CANARY } });

  const told = cleanError(error, [CANARY]);

  expect(grep(told)).not.toContain(CANARY);
  expect(told).toMatchObject({
    message: 'all ***',
    errors: [{ message: 'no ***', code: '***' }, { message: 'text ***' }],
  });
});

test('an error that is its own cause is cut', () => {
  const error = new Error('round');
  error.cause = error;

  expect(() => inspect(cleanError(error), { depth: Infinity })).not.toThrow();
});

test('secrets of an address are its password, encoded and not, and the whole', () => {
  expect(secretsOf('redis://user:p%40ss@db:6379/0')).toEqual(['redis://user:p%40ss@db:6379/0', 'p%40ss', 'p@ss']);
  expect(secretsOf('redis://db:6379')).toEqual([]);
  expect(secretsOf('redis:/user:p@ss@db:port')).toContain('p@ss');
  expect(secretsOf('postgres://user:pass@db:port/x')).toContain('pass');
});
