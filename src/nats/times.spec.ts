import { expect, test } from '@jest/globals';
import { Subjects } from './subjects.js';
import { Times } from './times.js';

const LOG = new Subjects('sse', 'abc123');
const SEED = Date.now() % 1_000_000;

/** A stream that tells the time of a message a turn after it was asked. What has no time has an error. */
function streamOf(times: ReadonlyMap<number, number>) {
  const asked: { readonly seq: number; readonly deadline: number; readonly epoch: string }[] = [];
  const timeOf = async ({ epoch }: Subjects, seq: number, deadline: number): Promise<number> => {
    asked.push({ seq, deadline, epoch });
    await new Promise(setImmediate);
    const at = times.get(seq);
    if (at === undefined) throw new Error(`no time of ${seq}`);
    return at;
  };
  return { asked, times: new Times({ timeOf }) };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
const allAt = (count: number, at: (seq: number) => number) => new Map(upTo(count).map((seq) => [seq, at(seq)]));
const ask = (times: Times, seqs: readonly number[], deadline = 1_000) =>
  Promise.all(seqs.map((seq) => times.timeOf(LOG, seq, deadline)));

test.each([1, 2, 4])('%i are asked for each, at once', async (count) => {
  const { asked, times } = streamOf(allAt(count, (seq) => 100 + seq));
  expect(await ask(times, upTo(count))).toEqual(upTo(count).map((seq) => 100 + seq));
  expect(asked.map(({ seq }) => seq)).toEqual(upTo(count));
});

test('of many of one time, every sixteenth is asked for', async () => {
  const { asked, times } = streamOf(allAt(100, () => 7));
  expect(await ask(times, upTo(100))).toEqual(upTo(100).map(() => 7));
  expect(asked.map(({ seq }) => seq)).toEqual([1, 17, 33, 49, 65, 81, 97, 100]);
});

test(`each gets its own time, whatever the times and the order, with fewer questions (seed ${SEED})`, async () => {
  let state = SEED;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  let questions = 0;
  let wanted = 0;
  for (let round = 0; round < 200; round++) {
    const often = random();
    let at = 1_000;
    const stored = allAt(1 + Math.floor(random() * 300), () => (at += random() < often * 0.2 ? 1 : 0));
    const { asked, times } = streamOf(stored);
    const seqs = [...stored.keys()].filter(() => random() < 0.8).sort(() => random() - 0.5);
    expect(await ask(times, seqs)).toEqual(seqs.map((seq) => stored.get(seq)));
    expect(new Set(asked.map(({ seq }) => seq)).size).toBe(asked.length);
    questions += asked.length;
    wanted += seqs.length;
  }
  expect(questions).toBeLessThan(wanted * 0.6);
});

test('one that cannot be told spoils no other', async () => {
  const stored = allAt(40, () => 7);
  for (const seq of [1, 17, 30, 40]) stored.delete(seq);
  const { times } = streamOf(stored);
  const settled = await Promise.allSettled(upTo(40).map((seq) => times.timeOf(LOG, seq, 1_000)));
  expect(settled.flatMap(({ status }, n) => (status === 'rejected' ? [n + 1] : []))).toEqual([1, 17, 40]);
});

test('nobody waits for longer than until his own deadline for one that is asked for, and that one is asked for anew', async () => {
  const answers = new Map<string, (error: Error) => void>();
  const timeOf = (_: Subjects, seq: number, deadline: number): Promise<number> =>
    deadline === 9_000 && (seq === 1 || seq === 17 || seq === 20)
      ? Promise.resolve(7)
      : new Promise((_, reject) => answers.set(`${seq} until ${deadline}`, reject));
  const times = new Times({ timeOf });
  const hasty = upTo(20).map((seq) => times.timeOf(LOG, seq, seq === 5 ? 100 : 9_000));
  const settled = Promise.allSettled(hasty);
  await new Promise(setImmediate);
  expect([...answers.keys()]).toEqual(['1 until 100', '17 until 100', '20 until 100']);
  for (let turns = 0; turns < 20; turns++) {
    for (const reject of answers.values()) reject(new Error('late'));
    await new Promise(setImmediate);
  }

  expect((await settled)[4]).toMatchObject({ status: 'rejected' });
  expect(await Promise.all([hasty[0], hasty[16], hasty[19]])).toEqual([7, 7, 7]);
});

test('two logs are not mixed up', async () => {
  const { asked, times } = streamOf(allAt(50, () => 7));
  const other = new Subjects('sse', 'def456');
  await Promise.all(upTo(50).flatMap((seq) => [times.timeOf(LOG, seq, 1_000), times.timeOf(other, seq, 1_000)]));
  expect(asked.filter(({ epoch }) => epoch === 'def456').map(({ seq }) => seq)).toEqual([1, 17, 33, 49, 50]);
});
