import { expect, test } from '@jest/globals';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { LogEntry } from '../../src/engine/engine.js';
import { memoryEngine } from '../../src/engine/memory.js';
import { SseError } from '../../src/errors.js';
import { Batch } from '../../src/hub/batch.js';
import { Publisher } from '../../src/hub/publisher.js';
import { NOBODY } from '../../src/hub/signals.js';
import { TopicRegistry } from '../../src/topic/registry.js';
import { type Dialect, EVENT_STREAM, NAMING_EVENT_STREAM } from '../../src/wire/dialect.js';
import type { Random } from '../faults/support/random.mjs';
import { caseFailed, mutate, startFuzz, wellFormed } from './support/fuzz.js';

const PIECES = ['\r', '\n', '\r\n', '\0', '\u2028', ': ', 'id: x', 'data: y', 'event: z', 'retry: 1', ' ', '\ufeff'];
const ALPHABET = [...PIECES, '\ud800', '\udc00', 'é', '🦊', '', 'stream.', 'stream.end', '__proto__', 'a', '\u0085'];
const FIELDS = ['data', 'id', 'type', 'retry', 'comment'] as const;

function text(random: Random): string {
  const made = Array.from({ length: random.int(0, 6) }, () => random.pick(ALPHABET)).join('');
  return random.chance(0.3) ? mutate(made, random, ALPHABET) : made;
}

const circular: Record<string, unknown> = {};
circular.self = circular;
const deep = (depth: number): unknown => {
  let value: unknown = 'bottom';
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { value };
  return value;
};
/** More than JSON.stringify can take before Node 26, which takes any depth. */
const DEPTH = 50_000;
const bottomless: unknown = { toJSON: () => ({ bottomless }) };
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const answering = (answer: unknown, fails: boolean) => ({ toJSON: () => (fails ? fail() : answer) });
class Foreign {
  data = 1;
}

/** A value that nobody should publish, or should: every kind of value there is, and some that lie. */
function anyValue(random: Random, depth = 0): unknown {
  const nested = (): unknown => (depth > 3 ? text(random) : anyValue(random, depth + 1));
  switch (random.int(0, 26)) {
    case 0:
      return random.pick([undefined, null, true, false, NaN, Infinity, -0, 2 ** 53]);
    case 1:
      return random.pick([1n, Symbol('s'), Symbol.iterator, () => 'x', class {}]);
    case 2:
      return random.next() * 1e6;
    case 3:
      return Array.from({ length: random.int(0, 4) }, nested);
    case 4:
      return Object.fromEntries(Array.from({ length: random.int(0, 4) }, () => [text(random), nested()]));
    case 5:
      return new Uint8Array(Array.from({ length: random.int(0, 9) }, () => random.int(0, 256)));
    case 6:
      return random.pick([new Date(NaN), new Date(0), /x/g, new Map([[1, 2]]), new Set([1]), new Error('secret')]);
    case 7:
      return circular;
    case 8:
      return random.chance(0.02) ? random.pick([bottomless, deep(DEPTH)]) : deep(20);
    case 9:
      return answering(random.pick([undefined, 'plain', circular, text(random)]), random.chance(0.2));
    case 10:
      return { toString: fail, valueOf: fail, [Symbol.toPrimitive]: fail };
    case 11:
      return Object.defineProperty({}, 'secret', { get: fail, enumerable: true });
    case 12:
      return random.pick([
        new Float64Array(2),
        new DataView(new ArrayBuffer(2)),
        new ArrayBuffer(2),
        Buffer.from('ab'),
      ]);
    case 13:
      return new Proxy({ a: 1 }, { [random.pick(['get', 'ownKeys', 'getOwnPropertyDescriptor', 'has'])]: fail });
    case 14:
      return random.pick([new String('a\nb'), new Number(1), new Boolean(false), Object(1n), Object(Symbol('s'))]);
    case 15:
      return JSON.parse(`{"__proto__":${JSON.stringify(text(random))},"constructor":null}`);
    default:
      return text(random);
  }
}

/** An event, near to one, or nothing like one. Plain: what a field says does not depend on when it is asked. */
function anyEvent(random: Random): unknown {
  if (random.chance(0.05))
    return random.pick([revoked(), new Foreign(), [], null, 'event', Object.freeze([1]), new Map()]);
  const event: Record<string, unknown> = random.chance(0.1) ? Object.create(null) : {};
  if (random.chance(0.9)) event.data = anyValue(random);
  if (random.chance(0.5)) event.id = random.chance(0.8) ? text(random) : anyValue(random);
  if (random.chance(0.5)) event.type = random.chance(0.8) ? text(random) : anyValue(random);
  if (random.chance(0.3)) event.retry = random.chance(0.8) ? random.int(-2, 5_000) : anyValue(random);
  if (random.chance(0.3)) event.comment = random.chance(0.8) ? text(random) : anyValue(random);
  if (random.chance(0.03)) event[text(random)] = text(random);
  if (random.chance(0.02)) event.id = 'x'.repeat(random.int(1_020, 1_030));
  if (random.chance(0.02)) Object.defineProperty(event, random.pick(FIELDS), { get: fail, enumerable: true });
  if (random.chance(0.02)) return Object.setPrototypeOf(event, { type: 'inherited' });
  if (random.chance(0.02)) return new Proxy(event, { [random.pick(['get', 'ownKeys', 'getPrototypeOf'])]: fail });
  return event;
}

/** What the client's listener is to be given for an event that was accepted, and what else is to be in the stream. */
function expected(event: Record<string, any>, id: string, dialect: Dialect): unknown {
  const asText = (value: string): string => wellFormed(value).replace(/\r\n?/g, '\n');
  const { data, type, retry, comment } = event;
  let wire: string | undefined;
  if (typeof data === 'string') wire = asText(data);
  else if (data instanceof Uint8Array) wire = Buffer.from(data).toString('base64');
  else if ('data' in event) wire = JSON.stringify(data);
  return {
    events: wire === undefined ? [] : [{ data: wire, event: type || undefined, id }],
    retries: retry === undefined ? [] : [retry],
    comments: [
      ...(dialect === NAMING_EVENT_STREAM ? ['topic t'] : []),
      ...(comment === undefined ? [] : asText(comment).split('\n')),
    ],
    others: [],
  };
}

/** What a foreign parser makes of the bytes that every client of a dialect gets for a stored event. */
function readBack(entry: LogEntry, dialect: Dialect = EVENT_STREAM) {
  const events: EventSourceMessage[] = [];
  const [retries, comments, others]: [number[], string[], unknown[]] = [[], [], []];
  const parser = createParser({
    onEvent: ({ data, event, id }) => events.push({ data, event, id }),
    onRetry: (retry) => retries.push(retry),
    onComment: (comment) => comments.push(comment),
    onError: (error) => others.push(String(error)),
  });
  parser.feed(new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Batch('aaaaaa', [entry]).frame(dialect).plain));
  return { events, retries, comments, others };
}

function startPublisher() {
  const engine = memoryEngine();
  const topics = new TopicRegistry();
  const history = { maxEvents: 1, maxBytes: Infinity, maxAgeMs: Infinity };
  const ignored = (): undefined => undefined;
  const beginnings = { storing: ignored, stored: ignored };
  const finalEnds = { has: () => false, end: async () => undefined };
  const hub = {
    health: { succeeded: ignored, failed: ignored },
    beginnings,
    finalEnds,
    pressure: ignored,
    signals: NOBODY,
  };
  const publisher = new Publisher(engine, topics, history, hub);
  let appended = 0;
  const append = engine.append.bind(engine);
  engine.append = async (request) => {
    appended++;
    return append(request);
  };
  const newest = async (): Promise<LogEntry> => {
    const { entries } = await engine.read({ topics: ['t'], after: undefined, maxEntries: 9, maxBytes: Infinity });
    return entries[entries.length - 1] as LogEntry;
  };
  return { engine, publisher, newest, appended: () => appended };
}

test('an event is refused with an SseError, or read back by a foreign parser as what it was and nothing more', async () => {
  const fuzz = startFuzz('publish');
  const { random } = fuzz;
  const { engine, publisher, newest, appended } = startPublisher();
  let stored = 0;
  for (let n = 0; n < fuzz.cases; n++) {
    const event = anyEvent(random);
    let failure: Error | undefined;
    try {
      await publisher.publish('t', event);
      stored++;
    } catch (error) {
      failure = error as Error;
    }
    if (appended() !== stored) throw caseFailed(fuzz, n, 'was refused and stored', describe(event));
    if (failure !== undefined) {
      if (!SseError.is(failure)) throw caseFailed(fuzz, n, `rejects with ${failure.name}`, describe(event));
      if (/secret/.test(failure.message)) throw caseFailed(fuzz, n, failure.message, describe(event));
      continue;
    }
    const entry = await newest();
    for (const dialect of [EVENT_STREAM, NAMING_EVENT_STREAM]) {
      const got = JSON.stringify(readBack(entry, dialect));
      const wanted = JSON.stringify(expected(event as object, idOf(entry), dialect));
      if (got !== wanted) throw caseFailed(fuzz, n, `${wanted} is read back as ${got}`, describe(event));
    }
  }
  await engine.close();

  expect(stored).toBeGreaterThan(fuzz.cases / 20);
  expect(stored).toBeLessThan(fuzz.cases);
}, 120_000);

const idOf = (entry: LogEntry): string => new Batch('aaaaaa', [entry]).idOf(entry);

/** Each of these says one thing when it is checked and another when it is written. */
const turncoats = FIELDS.filter((name) => name !== 'data').flatMap((name) => {
  const good: Record<string, unknown> = { id: 'fine', type: 'fine', retry: 1, comment: 'fine' };
  const evil: Record<string, unknown> = { id: 'a\ndata: x', type: 'a\ndata: x', retry: '1\ndata: x', comment: {} };
  return [1, 2, 3, 4, 5].flatMap((after) => [
    [`getter of ${name}`, after, () => asGetter(name, good[name], evil[name], after)] as const,
    [`proxy of ${name}`, after, () => asProxy(name, good[name], evil[name], after)] as const,
  ]);
});

test.each(turncoats)('a %s that changes its answer after %i times adds no field to the stream', async (_, __, make) => {
  const { engine, publisher, newest } = startPublisher();

  const outcome = await publisher.publish('t', make()).catch((error: unknown) => error);
  const entry = await newest();
  await engine.close();

  if (entry === undefined) expect(outcome).toMatchObject({ name: 'SseError' });
  else expect(readBack(entry)).toMatchObject({ events: [{ data: 'data' }], others: [] });
});

test.each<[string, () => unknown]>([
  ['an event whose getter throws', () => Object.defineProperty({}, 'data', { get: fail, enumerable: true })],
  ['an event that is a revoked proxy', revoked],
  ['a proxy whose traps throw', () => new Proxy({ data: 1 }, { getPrototypeOf: fail })],
  ['an id that is a revoked proxy', () => ({ data: 1, id: revoked() })],
  ['data that is a revoked proxy', () => ({ data: revoked() })],
  ['data that has no end', () => ({ data: bottomless })],
])('%s is refused with an SseError', async (_, make) => {
  const { engine, publisher } = startPublisher();

  await expect(publisher.publish('t', make())).rejects.toMatchObject({ name: 'SseError', code: 'invalid-event' });
  await engine.close();
});

test('data of great depth is stored whole, or refused with an SseError', async () => {
  const { engine, publisher, newest } = startPublisher();

  const outcome: unknown = await publisher.publish('t', { data: deep(DEPTH) }).catch((error: unknown) => error);
  const entry = await newest();
  await engine.close();

  if (entry === undefined) expect(outcome).toMatchObject({ name: 'SseError', code: 'invalid-event' });
  else expect(readBack(entry).events[0]?.data).toHaveLength(DEPTH * 6 + '"bottom"'.length);
});

test('U+2028 and U+0085 break no line, in whichever field they are', async () => {
  const { engine, publisher, newest } = startPublisher();
  const odd = 'a\u2028b\u0085c';

  await publisher.publish('t', { data: odd, id: odd, type: odd, comment: odd });
  const read = readBack(await newest());
  await engine.close();

  expect(read).toEqual({ events: [{ data: odd, event: odd, id: odd }], retries: [], comments: [odd], others: [] });
});

test('Object.prototype that somebody has polluted adds nothing that was not checked', async () => {
  const { engine, publisher, newest } = startPublisher();
  const prototype = Object.prototype as Record<string, unknown>;
  prototype.type = 'a\ndata: x';
  try {
    const outcome = await publisher.publish('t', { data: 'data' }).catch((error: unknown) => error);
    const entry = await newest();

    if (entry === undefined) expect(outcome).toMatchObject({ name: 'SseError' });
    else expect(readBack(entry)).toMatchObject({ events: [{ data: 'data' }], others: [] });
  } finally {
    delete prototype.type;
  }
  await engine.close();
});

function asGetter(name: string, good: unknown, evil: unknown, after: number): object {
  let asked = 0;
  return Object.defineProperty({ data: 'data' }, name, {
    get: () => (++asked > after ? evil : good),
    enumerable: true,
  });
}

function asProxy(name: string, good: unknown, evil: unknown, after: number): object {
  let asked = 0;
  const get = (target: object, key: string | symbol): unknown => {
    if (key !== name) return Reflect.get(target, key);
    return ++asked > after ? evil : good;
  };
  return new Proxy({ data: 'data', [name]: good }, { get });
}

function describe(event: unknown): string {
  try {
    return String(JSON.stringify(event)).slice(0, 500);
  } catch {
    return 'an event without a JSON form';
  }
}

function fail(): never {
  throw new Error('secret');
}
