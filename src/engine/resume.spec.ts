import { describe, expect, it } from '@jest/globals';
import { contradiction, isTrimmed } from './resume.js';

const head = { epoch: 'aaaaaa', seq: 100, at: 5_000 };

/** Point 6 of what an engine promises (docs/writing-an-engine.md). The first that fits is told. */
describe('the log contradicts a position', () => {
  it.each([
    ['of another epoch', { epoch: 'bbbbbb', seq: 50, at: 4_000 }, 4_000, 'epoch'],
    ['of another epoch before anything else', { epoch: 'bbbbbb', seq: 101, at: 0 }, 4_000, 'epoch'],
    ['beyond the head', { epoch: 'aaaaaa', seq: 101, at: 5_000 }, 4_000, 'ahead'],
    ['beyond the head before its time is looked at', { epoch: 'aaaaaa', seq: 101, at: 0 }, 4_000, 'ahead'],
    ['older than the entry at its place', { epoch: 'aaaaaa', seq: 50, at: 3_999 }, 4_000, 'diverged'],
    ['at the head but older than its entry', { epoch: 'aaaaaa', seq: 100, at: 4_999 }, 5_000, 'diverged'],
  ])('that is %s', (_, claimed, newestAtOrBefore, answer) => {
    expect(contradiction(claimed, head, newestAtOrBefore)).toBe(answer);
  });

  it.each([
    ['at the head', head, 5_000],
    ['of the time of the entry at its place', { epoch: 'aaaaaa', seq: 50, at: 4_000 }, 4_000],
    ['younger than the newest entry before it', { epoch: 'aaaaaa', seq: 50, at: 4_500 }, 4_000],
    ['of a place before which nothing is retained', { epoch: 'aaaaaa', seq: 50, at: 0 }, undefined],
    ['before the first event', { epoch: 'aaaaaa', seq: 0, at: 0 }, undefined],
    ['younger than the head, whose lane has been quiet', { epoch: 'aaaaaa', seq: 100, at: 9_000 }, 5_000],
  ])('never one that is %s', (_, claimed, newestAtOrBefore) => {
    expect(contradiction(claimed, head, newestAtOrBefore)).toBeUndefined();
  });
});

describe('entries beyond a place are gone', () => {
  it.each([
    ['when nothing is retained and the head is beyond', 9, 10, undefined],
    ['when the first retained entry has a predecessor beyond', 9, 20, { prev: 10 }],
    ['when the place is before the first event and that is gone', 0, 20, { prev: 1 }],
  ])('%s', (_, after, topicHead, first) => {
    expect(isTrimmed(after, topicHead, first)).toBe(true);
  });

  it.each([
    ['when the place is the head', 10, 10, undefined],
    ['when the place is beyond the head', 11, 10, undefined],
    ['when nothing was ever published', 0, 0, undefined],
    ['when the place is the predecessor of the first retained entry', 10, 20, { prev: 10 }],
    ['when the place is between the two', 11, 20, { prev: 10 }],
    ['when everything is retained', 0, 20, { prev: 0 }],
  ])('but not %s', (_, after, topicHead, first) => {
    expect(isTrimmed(after, topicHead, first)).toBe(false);
  });
});
