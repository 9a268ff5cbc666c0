import { expect, test } from '@jest/globals';
import type { LogEntry } from '../../src/engine/engine.js';
import { memoryEngine } from '../../src/engine/memory.js';
import { readLastEventId } from '../../src/http/last-event-id.js';
import type { Batch } from '../../src/hub/batch.js';
import type { CursorSink } from '../../src/hub/cursor-sink.js';
import { Cursor } from '../../src/hub/cursor.js';
import { Hub } from '../../src/hub/hub.js';
import { Publisher } from '../../src/hub/publisher.js';
import type { HubSignals } from '../../src/hub/signals.js';
import { Signals } from '../../src/signals.js';
import { type Position, createEpoch, formatPosition, parsePosition } from '../../src/topic/position.js';
import { TopicRegistry } from '../../src/topic/registry.js';
import type { Random } from '../faults/support/random.mjs';
import { type Fuzz, caseFailed, mutate, startFuzz, wellFormed } from './support/fuzz.js';

const ALPHABET = [
  ...'.-+~, 0159azAZ_%\0\n\r\t',
  ...['é', 'ß', '٣', '０', '\ud800', '\ufeff', '😀', '__proto__', 'stream.end', '2gosa7pa2gw', '3w5e11264sgsg', '1e9'],
];

function anyPosition(random: Random): string {
  const number = (): number => Math.floor(random.next() ** 8 * Number.MAX_SAFE_INTEGER);
  return formatPosition({ epoch: createEpoch(random.next), seq: number(), at: number() });
}

function anyText(random: Random, from: string): string {
  if (random.chance(0.1)) return Array.from({ length: random.int(0, 40) }, () => random.pick(ALPHABET)).join('');
  let text = from;
  for (let times = random.int(0, 4); times > 0; times--) text = mutate(text, random, ALPHABET);
  return text;
}

test('any text is a position that is written the same again, or none, in header, query and parser', () => {
  const fuzz = startFuzz('position');
  const { random } = fuzz;
  let accepted = 0;
  for (let n = 0; n < fuzz.cases; n++) {
    const text = anyText(random, anyPosition(random));
    try {
      const position = parsePosition(text);
      if (position !== undefined) {
        accepted++;
        const { epoch, seq, at } = position;
        const isSound = /^[0-9a-z]{6}$/.test(epoch) && Number.isSafeInteger(seq) && Number.isSafeInteger(at);
        if (!isSound || seq < 0 || at < 0) throw new Error(`gave ${JSON.stringify(position)}`);
        if (formatPosition(position) !== text) throw new Error(`is written ${formatPosition(position)}`);
      }
      if (n % 8 === 0) {
        const latin1 = Buffer.from(text).toString('latin1');
        const claimed = readLastEventId({ headers: { 'last-event-id': latin1 } });
        if (claimed !== (wellFormed(text).trim() || undefined)) throw new Error(`is read as ${claimed}`);
        readLastEventId({ headers: {}, url: `/?lastEventId=${text}&lastEventId[]=%ff%` });
      }
    } catch (error) {
      throw caseFailed(fuzz, n, String(error), text);
    }
  }

  expect(accepted).toBeGreaterThan(fuzz.cases / 20);
});

test('what is no text at all is no position', () => {
  const hostile = [undefined, null, 0, 1n, Symbol('a'), [], {}, () => 'a', new Proxy({}, { get: () => fail() })];

  expect(hostile.map(parsePosition)).toEqual(hostile.map(() => undefined));
});

const TOPICS = ['a', 'b/1', 'b/2', 'elsewhere'];
const SELECTION = ['a', 'b/*'];
const KEPT = 20;
/** Events whose own id another one had before: of the same topic, and of another. */
const REUSED: Readonly<Record<number, number>> = { 155: 135, 160: 150 };

interface Published extends Position {
  readonly topic: string;
  readonly id: string;
}

/** All that one client got: resets and the sequences of its events, in order. */
class Reading implements CursorSink {
  readonly isWritable = true;
  readonly maxWriteBytes = 65_536;
  readonly onSlow = 'resume';
  readonly entries: LogEntry[] = [];
  readonly resets: { reason: string; topics: readonly string[]; before: number }[] = [];

  write(batch: Batch): boolean {
    this.entries.push(...batch.entries);
    return true;
  }
  reset(reason: string, topics: readonly string[]): void {
    this.resets.push({ reason, topics, before: this.entries.length });
  }
  position(): void {}
  ended(): void {}
  fellBehind(): void {}
  tooSlow(): void {}
}

/** A log in which every topic has lost its first events, with own ids here and there, some of them used twice. */
async function startHub() {
  let clock = 1_000;
  const engine = memoryEngine({ now: () => clock });
  const errors: unknown[] = [];
  const hub = new Hub(engine, {
    windowBytes: 2 ** 20,
    graceMs: 1_000,
    auditMs: 45_000,
    signals: errorsTo(errors),
  });
  const history = { maxEvents: KEPT, maxBytes: Infinity, maxAgeMs: Infinity };
  const publisher = new Publisher(engine, new TopicRegistry(), history, hub);
  const log: Published[] = [];
  const publish = async (n: number): Promise<void> => {
    clock += 10;
    const topic = TOPICS[(n * 7) % TOPICS.length] as string;
    const own = n % 5 === 0 ? `own-${REUSED[n] ?? n}` : undefined;
    const { id } = await publisher.publish(topic, { data: n, id: own });
    log.push({ epoch: '', seq: n, at: clock, topic, id });
  };
  for (let n = 1; n <= 160; n++) await publish(n);
  const epoch = parsePosition(log.find(({ id }) => !id.startsWith('own'))?.id)?.epoch ?? '';
  return { hub, log, epoch, errors, publish, close: () => hub.close().then(() => engine.close()) };
}

const isSelected = ({ topic }: { topic: string }): boolean => topic !== 'elsewhere';

/** Says what is wrong with what a client got for an id, worked out from the log alone. `undefined`: nothing. */
function problem(claim: string, reading: Reading, log: readonly Published[], epoch: string): string | undefined {
  const head = log[log.length - 1] as Published;
  const wanted = log.filter(isSelected);
  const retained = wanted.filter(
    ({ topic, seq }) => wanted.filter((other) => other.topic === topic && other.seq > seq).length < KEPT,
  );
  const owners = retained.filter(({ id }) => id === claim);
  const parsed = parsePosition(claim);
  let from: number | undefined;
  let reason: string | undefined;
  if (parsed === undefined) {
    const twice = wanted.filter(({ id, topic }) => id === claim && topic === owners[0]?.topic).length > 1;
    if (owners.length === 1 && !twice) from = owners[0]?.seq;
    else reason = 'unknown';
  } else if (parsed.epoch !== epoch) reason = 'epoch';
  else if (parsed.seq > head.seq) reason = 'ahead';
  else if (retained.some(({ seq, at }) => seq <= parsed.seq && at > parsed.at)) reason = 'diverged';
  else from = parsed.seq;

  const due = retained.filter(({ seq }) => seq > (from ?? 0)).map(({ seq }) => seq);
  const got = reading.entries.map(({ seq }) => seq);
  if (got.join() !== due.join()) return `got ${got.join()} in place of ${due.join()}`;
  const missing = wanted.filter((event) => event.seq > (from ?? 0) && !retained.includes(event));
  if (reason === undefined && missing.length > 0) reason = 'trimmed';
  const told = reading.resets.map((reset) => reset.reason).join();
  if (told !== (reason ?? '')) return `was told "${told}" in place of "${reason}"`;
  const [reset] = reading.resets;
  if (reset !== undefined && reset.before !== 0) return 'the reset came after events';
  const holes = [...new Set(missing.map(({ topic }) => topic))].sort().join();
  if (reason === 'trimmed' && [...(reset?.topics ?? [])].sort().join() !== holes) return `the holes are ${holes}`;
  return undefined;
}

test('every mutated id is an exact resume or a reset, never a crash and never a silent hole', async () => {
  const fuzz = startFuzz('resume');
  const { hub, log, epoch, errors, publish, close } = await startHub();
  const reasons: Record<string, number> = {};
  let number = log.length;
  for (let n = 0; n < fuzz.cases; n += 500) {
    const clients = Array.from({ length: Math.min(500, fuzz.cases - n) }, () => {
      const claim = anyClaim(fuzz, log, epoch);
      const reading = new Reading();
      const cursor = new Cursor(hub, SELECTION, reading);
      void cursor.open(claim);
      return { claim, reading, cursor };
    });
    // Few read the log at once, and a page ends where the list of topics was made that others have asked for.
    const seqOf = (cursor: Cursor): number => parsePosition(cursor.place ?? '')?.seq ?? 0;
    while (clients.some(({ cursor }) => seqOf(cursor) < number)) await turn();
    for (const [index, { claim, reading }] of clients.entries()) {
      const wrong = problem(claim, reading, log, epoch);
      if (wrong !== undefined) throw caseFailed(fuzz, n + index, wrong, claim);
      const reason = reading.resets[0]?.reason ?? 'none';
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    // All of them go on with what comes.
    await publish(++number);
    await turn();
    const isNew = isSelected(log[number - 1] as Published);
    for (const { claim, reading, cursor } of clients) {
      if (isNew && reading.entries.at(-1)?.seq !== number) throw caseFailed(fuzz, n, 'does not follow', claim);
      cursor.close();
    }
  }
  await close();

  expect(errors).toEqual([]);
  expect(Object.keys(reasons).sort()).toEqual(['ahead', 'diverged', 'epoch', 'none', 'trimmed', 'unknown']);
}, 120_000);

function anyClaim({ random }: Fuzz, log: readonly Published[], epoch: string): string {
  const { seq, at, id } = random.pick(random.chance(0.5) ? log.slice(-60) : log);
  if (id.startsWith('own') && random.chance(0.5)) return random.chance(0.5) ? id : anyText(random, id);
  const near = {
    epoch: random.chance(0.95) ? epoch : createEpoch(random.next),
    seq: Math.max(0, seq + (random.chance(0.3) ? random.int(-200, 200) : 0)),
    at: Math.max(0, at + (random.chance(0.3) ? random.int(-100, 100) : 0)),
  };
  const position = formatPosition(near);
  return random.chance(0.5) ? position : anyText(random, position);
}

/** Everything that waits for the memory engine goes on within microtasks, and what was published in the next turn. */
async function turn(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}

function fail(): never {
  throw new Error('This was read');
}

function errorsTo(errors: unknown[]): Signals<HubSignals> {
  const signals = new Signals<HubSignals>(() => undefined);
  signals.on('engine', ({ error }) => errors.push(error));
  return signals;
}
