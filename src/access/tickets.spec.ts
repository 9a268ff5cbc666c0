import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Principal } from '../topic/principal.js';
import { type TicketOptions, Tickets } from './tickets.js';

const ann: Principal = { id: 'ann', role: 'reader' };

class User {
  readonly id = 'ann';
  get isBanned(): boolean {
    return true;
  }
}
const circular: Record<string, unknown> = {};
circular.self = circular;

describe('tickets', () => {
  let tickets: Tickets;

  beforeEach(() => {
    jest.useFakeTimers();
    tickets = new Tickets();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('are 256 bits, URL-safe, and never the same', () => {
    const codes = Array.from({ length: 1_000 }, () => tickets.issue(ann));

    for (const code of codes) expect(code).toMatch(/^[\w-]{43}$/);
    expect(new Set(codes).size).toBe(1_000);
  });

  it('stand for their principal and topics once', async () => {
    const code = tickets.issue(ann, { topics: ['a', 'news/*'] });

    expect(await tickets.redeem(code)).toMatchObject({ principal: ann, topics: ['a', 'news/*'] });
    expect(await tickets.redeem(code)).toBeUndefined();
  });

  it('keep their own list of topics, whatever becomes of the one they were issued with', async () => {
    const topics = ['a'];
    const code = tickets.issue(ann, { topics });
    topics.push('secret');

    expect((await tickets.redeem(code))?.topics).toEqual(['a']);
  });

  it('with no topics let read none, which is not the same as any', async () => {
    expect((await tickets.redeem(tickets.issue(ann, { topics: [] })))?.topics).toEqual([]);
    expect((await tickets.redeem(tickets.issue(ann)))?.topics).toBeUndefined();
  });

  it('can be used until their time is over, 30 seconds unless told', async () => {
    const [early, late, short] = [tickets.issue(ann), tickets.issue(ann), tickets.issue(ann, { ttlMs: 10 })];
    jest.advanceTimersByTime(10);
    expect(await tickets.redeem(short)).toBeUndefined();
    jest.advanceTimersByTime(29_989);
    expect(await tickets.redeem(early)).toBeDefined();
    jest.advanceTimersByTime(1);

    expect(await tickets.redeem(late)).toBeUndefined();
  });

  it.each(['', 'x', '__proto__', 'a'.repeat(100_000), '\u0000'])('are not what was never issued (%#)', async (code) => {
    tickets.issue(ann);

    expect(await tickets.redeem(code)).toBeUndefined();
  });

  it('of one app are nothing to another', async () => {
    expect(await new Tickets().redeem(tickets.issue(ann))).toBeUndefined();
  });

  it('are at most 100,000: the oldest go first', async () => {
    const codes = Array.from({ length: 100_001 }, () => tickets.issue(ann));

    expect(await tickets.redeem(codes[0]!)).toBeUndefined();
    expect(await tickets.redeem(codes[1]!)).toBeDefined();
    expect(await tickets.redeem(codes[100_000]!)).toBeDefined();
  });

  it('are issued for whatever JSON gives back, and say what it does not', () => {
    const shared = ['a'];
    const claims = { roles: shared, also: shared, deep: { n: [1, { b: true, none: null, not: undefined }] } };
    const bare = Object.assign(Object.create(null) as object, { id: 'ann' });

    expect(() => tickets.issue({ ...ann, ...claims, expiresAt: new Date(9e12), issuedAt: 0 })).not.toThrow();
    expect(() => tickets.issue(bare as Principal)).not.toThrow();
    expect(() => tickets.issue({ ...ann, deep: { list: [1, { at: new Date(0) }] } })).toThrow(
      'principal.deep.list[1].at is',
    );
  });

  it.each([
    ['no principal', null, {}, 'invalid-options'],
    ['a principal without an id', {}, {}, 'invalid-options'],
    ['an id that is no string', { id: 7 }, {}, 'invalid-options'],
    ['an instance of a class, whose getters JSON leaves out', new User(), {}, 'invalid-options'],
    [
      'a getter',
      {
        id: 'ann',
        get isBanned() {
          return true;
        },
      },
      {},
      'invalid-options',
    ],
    [
      'a value that is not enumerable',
      Object.defineProperty({ id: 'ann' }, 'role', { value: 'x' }),
      {},
      'invalid-options',
    ],
    ['an instance of a class in a claim', { id: 'ann', user: new User() }, {}, 'invalid-options'],
    ['a Map', { id: 'ann', roles: new Map() }, {}, 'invalid-options'],
    ['a date in a claim, which would be text', { id: 'ann', born: new Date(0) }, {}, 'invalid-options'],
    ['a BigInt', { id: 'ann', account: 1n }, {}, 'invalid-options'],
    ['a function', { id: 'ann', may: () => true }, {}, 'invalid-options'],
    ['a number that JSON has not', { id: 'ann', limits: [1, Infinity] }, {}, 'invalid-options'],
    ['a circle', { id: 'ann', circular }, {}, 'invalid-options'],
    ['a toJSON', { id: 'ann', role: { toJSON: () => 'admin' } }, {}, 'invalid-options'],
    ['an expiry that is no time', { id: 'ann', expiresAt: Infinity }, {}, 'invalid-options'],
    ['a date that is none', { id: 'ann', issuedAt: new Date('never') }, {}, 'invalid-options'],
    ...[0, -1, Number.NaN, Infinity, 3_600_001, '30', null].map(
      (ttlMs) => [`ttlMs ${String(ttlMs)}`, ann, { ttlMs }, 'invalid-options'] as const,
    ),
    ['a bad topic', ann, { topics: ['a//b'] }, 'invalid-topic'],
    ['a topic that is no string', ann, { topics: [7] }, 'invalid-topic'],
  ] as const)('are not issued for %s', (_, principal, options, code) => {
    expect(() => tickets.issue(principal as unknown as Principal, options as unknown as TicketOptions)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
