import { afterEach, describe, expect, it } from '@jest/globals';
import { memoryEngine } from '../engine/memory.js';
import type { StreamRequest } from '../http/stream-request.js';
import { Hub } from '../hub/hub.js';
import { defineTopic } from '../topic/define.js';
import { TopicRegistry } from '../topic/registry.js';
import { Access } from './access.js';
import type { AccessOptions } from './access.js';
import { TicketUsed, identityOf } from './identity.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The door of a process, without an application around it. */
function start(options: Partial<AccessOptions> = {}) {
  const engine = memoryEngine();
  const hub = new Hub(engine, { windowBytes: 1e6, graceMs: 10_000, auditMs: 45_000 });
  const registry = new TopicRegistry([defineTopic('rooms/:id', { onSlow: 'skip', authorize: (who) => who !== null })]);
  const lines: string[] = [];
  const revoked: string[] = [];
  const log = { log: (_level: string, line: string) => void lines.push(line) };
  const parts = {
    hub,
    engine,
    registry,
    log,
    report: () => undefined,
    onRevoked: (id: string) => void revoked.push(id),
  };
  const limits = { topicsPerConnection: 10, patternsPerConnection: 2 };
  const access = new Access(parts, { authenticate: undefined, authorize: 'public', ...limits, ...options });
  closing.push(async () => {
    access.close();
    await hub.close();
    await engine.close();
  });
  return { access, lines, revoked };
}

const request = (url = '/', headers: Record<string, string> = {}): StreamRequest => ({ url, headers });
const ann = { principal: { id: 'ann' }, grantedTopics: undefined };

describe('the door', () => {
  it('makes out who asks, and notes it on the request', async () => {
    const { access } = start({ authenticate: ({ headers }) => ({ id: String(headers['x-user']) }) });
    const asked = request('/', { 'x-user': 'ann' });

    expect([access.knows(asked), await access.identify(asked)]).toEqual([true, undefined]);
    expect(identityOf(asked)).toEqual({
      principal: { id: 'ann' },
      topics: undefined,
      isExpired: false,
      ticket: undefined,
    });
  });

  it('knows nobody without a ticket and a rule', async () => {
    const { access } = start();
    const asked = request();

    expect(access.knows(asked)).toBe(false);
    expect(await access.identify(asked)).toEqual({ principal: null, why: '`authenticate` gave nobody' });
    expect(identityOf(asked)).toBeUndefined();
  });

  it('refuses what is no principal', async () => {
    const { access } = start({ authenticate: () => ({}) as never });

    await expect(access.identify(request())).rejects.toMatchObject({ code: 'invalid-options' });
  });

  it.each([
    ['for a while', 'when it comes back', { 'last-event-id': 'x' }, -30_000, undefined],
    ['not', 'when it comes anew', {}, -30_000, { why: '`expiresAt` is over' }],
    ['not', 'long after', { 'last-event-id': 'x' }, -90_000, { why: '`expiresAt` is over' }],
  ])('lets someone whose time is over in %s, %s', async (_how, _when, headers, leftMs, stranger) => {
    const expiresAt = Date.now() + leftMs;
    const { access } = start({ authenticate: () => ({ id: 'ann', expiresAt }) });
    const asked = request('/', headers);
    const found = await access.identify(asked);

    expect(found === undefined ? undefined : { why: found.why }).toEqual(stranger);
    expect(identityOf(asked)?.isExpired).toBe(stranger === undefined ? true : undefined);
  });

  it('lets the bearer of a ticket in once, of two who were found at the same time', async () => {
    const { access, lines } = start();
    const url = `/?ticket=${access.issueTicket({ id: 'ann' }, { topics: ['a'] })}`;
    const both = [request(url), request(url)];
    for (const one of both) await access.identify(one);

    expect(both.map((one) => identityOf(one)?.topics)).toEqual([['a'], ['a']]);
    expect(await access.redeem(both[0]!)).toBe(true);
    await expect(access.redeem(both[1]!)).rejects.toBeInstanceOf(TicketUsed);
    expect(lines).toEqual([expect.stringContaining('its ticket was used by another request meanwhile')]);
  });

  it('asks the rule of a definition, and otherwise that of the module', async () => {
    const asked: unknown[] = [];
    const { access } = start({ authorize: (who, topic) => asked.push([who?.id, topic]) > 0 && topic !== 'secret' });
    const nobody = { principal: null, grantedTopics: undefined };

    await access.authorize(ann, 'rooms/1');
    await access.authorize(ann, 'open');
    await expect(access.authorize(nobody, 'rooms/1')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(access.authorize(ann, 'secret')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(access.authorize({ ...ann, grantedTopics: ['a'] }, 'open')).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(asked).toEqual([
      ['ann', 'open'],
      ['ann', 'secret'],
    ]);
    expect([access.onSlowOf('rooms/1'), access.onSlowOf('open')]).toEqual(['skip', 'resume']);
  });

  it('is closed to who was revoked, until that is taken back', async () => {
    const { access, revoked } = start();
    await access.revoke({ principalId: 'ann', topic: 'a' }, 60_000);

    expect(revoked).toEqual(['ann']);
    expect([access.isRevoked(ann, ['a']), access.isRevoked(ann, ['b'])]).toEqual([true, false]);
    expect(() => access.checkRevoked(ann, ['a', 'b'])).toThrow(expect.objectContaining({ code: 'forbidden' }));
    await access.reinstate({ principalId: 'ann', topic: 'a' });
    expect(access.isRevoked(ann, ['a'])).toBe(false);
  });
});
