import { afterEach, describe, expect, test } from '@jest/globals';
import { Hub } from '../../src/hub/hub.js';
import { RevocationLog } from '../../src/nest/revocation-log.js';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import { SharedLog, ShakyEngine } from './support/shaky-engine.js';

const KEEP_MS = 40;
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function startNode(log: SharedLog): Promise<RevocationLog> {
  const engine = new ShakyEngine(log, createRandom(1));
  const hub = new Hub(engine, { windowBytes: 1e6, graceMs: 50, auditMs: 45_000, onEngineState: () => undefined });
  const revocations = new RevocationLog(hub, engine, () => undefined, KEEP_MS);
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
    const one = await startNode(log);
    await one.revoke({ principalId: 'ann' }, 60_000);
    await one.revoke({ principalId: 'bob', topic: 'b' }, 60_000);
    await one.revoke({ principalId: 'cid' }, 60_000);
    await one.reinstate({ principalId: 'cid' });
    const told = log.entries.length;
    await until(() => log.entries.length > told + 1, 'them to be told again, twice');
    log.trim(told);

    const later = await startNode(log);

    expect([denies(later, 'ann'), denies(later, 'bob'), denies(later, 'bob', 'b'), denies(later, 'cid')]).toEqual([
      ...[true, false, true, false],
    ]);
  });

  test('but not their time, and nobody tells again what was taken back', async () => {
    const log = new SharedLog();
    const [one, other] = [await startNode(log), await startNode(log)];
    await one.revoke({ principalId: 'ann' }, 100);
    await one.revoke({ principalId: 'bob' }, 60_000);
    await until(() => denies(other, 'bob'), 'the other node to hear of it');
    await other.reinstate({ principalId: 'bob' });
    await until(() => !denies(one, 'ann') && !denies(one, 'bob'), 'both to be over');
    const { length } = log.entries;
    await one.revoke({ principalId: 'cid' }, 60_000);
    await until(() => log.entries.length > length + 2, 'what holds to be told again');
    log.trim(length);

    const later = await startNode(log);

    expect([denies(later, 'ann'), denies(later, 'bob'), denies(later, 'cid')]).toEqual([false, false, true]);
  });
});
