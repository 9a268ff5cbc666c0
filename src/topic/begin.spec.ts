import { describe, expect, it } from '@jest/globals';
import { checkBegin, recentProblem } from './begin.js';
import { defineTopic } from './define.js';

const recents = ['now', 'start', { last: 0 }, { last: 50 }, { sinceMs: 0 }, { sinceMs: 0.5 }];
const wrong: readonly unknown[] = [
  undefined,
  null,
  7,
  {},
  [],
  { last: -1 },
  { last: 1.5 },
  { last: NaN },
  { last: Infinity },
  { last: '1' },
  { sinceMs: -1 },
  { sinceMs: Infinity },
  { last: 1, sinceMs: 1 },
  { first: 1 },
];

describe('where a stream begins', () => {
  it.each(recents)('may be %j, also for a definition', (value) => {
    expect(recentProblem('begin', value)).toBeUndefined();
    expect(() => checkBegin('from()', value)).not.toThrow();
    expect(defineTopic('a/:b', { begin: value as 'now' }).begin).toEqual(value);
  });

  it('may be an id, but not for a definition', () => {
    expect(() => checkBegin('from()', 'k3v09q.5.mwpbnd0o')).not.toThrow();
    expect(() => defineTopic('a', { begin: 'k3v09q.5.mwpbnd0o' as 'now' })).toThrow(/begin must be 'now', 'start'/);
  });

  it.each([...wrong, '', 'x'.repeat(1_025)])('is not %j', (value) => {
    expect(() => checkBegin('from()', value)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringMatching(/^from\(\): from must be/) }),
    );
  });

  it.each(wrong.slice(1))('is not %j for a definition', (value) => {
    expect(() => defineTopic('a', { begin: value as 'now' })).toThrow(
      expect.objectContaining({ code: 'invalid-definition', message: expect.stringContaining('begin must be') }),
    );
  });
});
