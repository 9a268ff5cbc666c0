import { afterEach, describe, expect, test } from '@jest/globals';
import { RevocationLog } from '../../src/access/revocation-log.js';
import { TicketLog } from '../../src/access/ticket-log.js';
import { Tickets } from '../../src/access/tickets.js';
import { Hub } from '../../src/hub/hub.js';
import { packEvent } from '../../src/wire/payload.js';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import { SharedLog, ShakyEngine } from './support/shaky-engine.js';

const KEEP_MS = 40;
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function startHub(log: SharedLog): { engine: ShakyEngine; hub: Hub } {
  const engine = new ShakyEngine(log, createRandom(1));
  const hub = new Hub(engine, { windowBytes: 1e6, graceMs: 50, auditMs: 45_000 });
  return { engine, hub };
}

async function startNode(log: SharedLog, keepMs?: number): Promise<RevocationLog> {
  const { engine, hub } = startHub(log);
  const revocations = new RevocationLog(hub, engine, () => undefined, keepMs);
  closing.push(
    () => revocations.close(),
    () => hub.close(),
  );
  await revocations.ready();
  return revocations;
}

const denies = ({ current }: RevocationLog, id: string, topic = 'a'): boolean =>
  current.denies({ id }, [topic], Date.now());

describe('revocations outlive the entries that told them', () => {
  test('on a node that is started when those are gone from the log', async () => {
    const log = new SharedLog();
    const one = await startNode(log, KEEP_MS);
    await one.revoke({ principalId: 'ann' }, 60_000);
    await one.revoke({ principalId: 'bob', topic: 'b' }, 60_000);
    await one.revoke({ principalId: 'cid' }, 60_000);
    await one.reinstate({ principalId: 'cid' });
    const told = log.entries.length;
    await until(() => log.entries.length > told + 1, 'them to be told again, twice');
    log.trim(told);

    const later = await startNode(log, KEEP_MS);

    expect([denies(later, 'ann'), denies(later, 'bob'), denies(later, 'bob', 'b'), denies(later, 'cid')]).toEqual([
      ...[true, false, true, false],
    ]);
  });

  test('but not their time, and nobody tells again what was taken back', async () => {
    const log = new SharedLog();
    const [one, other] = [await startNode(log, KEEP_MS), await startNode(log, KEEP_MS)];
    await one.revoke({ principalId: 'ann' }, 100);
    await one.revoke({ principalId: 'bob' }, 60_000);
    await until(() => denies(other, 'bob'), 'the other node to hear of it');
    await other.reinstate({ principalId: 'bob' });
    await until(() => !denies(one, 'ann') && !denies(one, 'bob'), 'both to be over');
    const { length } = log.entries;
    await one.revoke({ principalId: 'cid' }, 60_000);
    await until(() => log.entries.length > length + 2, 'what holds to be told again');
    log.trim(length);

    const later = await startNode(log, KEEP_MS);

    expect([denies(later, 'ann'), denies(later, 'bob'), denies(later, 'cid')]).toEqual([false, false, true]);
  });
});

/** The server goes away, and comes back with an older state. */
function putBack(log: SharedLog, entries: SharedLog['entries']): void {
  for (const node of log.nodes) node.break();
  log.rollBack(log.entries.length - entries.length);
  for (const node of log.nodes) node.restore();
}

describe('after the log was put back to an older state, who knows better tells it again', () => {
  test('what was revoked and taken back since', async () => {
    const log = new SharedLog();
    const [one, other] = [await startNode(log), await startNode(log)];
    await one.revoke({ principalId: 'bob' }, 60_000);
    await one.revoke({ principalId: 'dan' }, 60_000);
    const older = [...log.entries];
    await one.revoke({ principalId: 'ann' }, 60_000);
    await other.revoke({ principalId: 'ann', topic: 'x' }, 60_000);
    await one.reinstate({ principalId: 'bob' });
    await one.revoke({ principalId: 'last' }, 60_000);
    await until(() => denies(other, 'last'), 'the other node to hear of it all');
    await other.revoke({ principalId: 'very last' }, 60_000);
    await until(() => denies(one, 'very last'), 'the one to hear of it all');

    putBack(log, older);
    const later = await startNode(log);

    await until(() => denies(later, 'ann') && !denies(later, 'bob'), 'the new node to know as well');
    expect([denies(later, 'dan'), denies(one, 'bob'), denies(other, 'bob')]).toEqual([true, false, false]);
  });

  test('which tickets were used since', async () => {
    const log = new SharedLog();
    const startTickets = async (): Promise<Tickets> => {
      const { engine, hub } = startHub(log);
      const ticketLog = new TicketLog(hub, engine, (error) => {
        throw error;
      });
      const tickets = new Tickets(ticketLog);
      ticketLog.connect(tickets);
      closing.push(
        () => ticketLog.close(),
        () => hub.close(),
      );
      await tickets.find('none');
      return tickets;
    };
    const [one, other] = [await startTickets(), await startTickets()];
    const [used, fresh] = [one.issue({ id: 'ann' }), one.issue({ id: 'bob' })];
    await until(() => log.entries.length === 2, 'both to be issued');
    const older = [...log.entries];
    await other.find(used);
    expect(await other.redeem(used)).toMatchObject({ principal: { id: 'ann' } });

    putBack(log, older);
    const later = await startTickets();
    await until(() => log.entries.length > older.length, 'its use to be told again');
    await later.find('none');

    expect(await later.redeem(used)).toBeUndefined();
    expect(await one.redeem(used)).toBeUndefined();
    expect(await later.redeem(fresh)).toMatchObject({ principal: { id: 'bob' } });
  }, 20_000);
});

test('what was announced, and is not in the log, is not believed', async () => {
  const log = new SharedLog();
  const one = await startNode(log);
  const forged = packEvent({ data: { op: 'revoke', principalId: 'ann', forMs: 60_000 } });
  for (const seq of [1, 2, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    const entry = { topic: '/revocations', seq, prev: 0, at: Date.now(), data: forged };
    for (const node of log.nodes) node.deliver(log.epoch, entry);
  }
  // What is in the log is heard behind all of it.
  await one.revoke({ principalId: 'bob' }, 60_000);
  const other = await startNode(log);
  await other.revoke({ principalId: 'cid' }, 60_000);
  await until(() => denies(one, 'cid'), 'what the log has to be heard');

  expect([denies(one, 'ann'), denies(one, 'bob')]).toEqual([false, true]);
});
