import { describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import { defineTopic } from './define.js';
import { type } from './events.js';
import { validateEvent } from './validate.js';

const Order = z.object({ id: z.number(), lines: z.array(z.object({ sku: z.string() })) });
const orders = defineTopic('orders/:id', {
  events: {
    placed: Order,
    shipped: z.string().transform((carrier) => ({ carrier })),
    paid: z.number().refine(async (amount) => (await Promise.resolve(amount)) > 0, 'must be above 0'),
    seen: type<{ by: string }>(),
    broken: schemaOf(() => {
      throw new TypeError('bug in the schema');
    }),
    rejecting: schemaOf(() => Promise.reject(new TypeError('bug in the schema'))),
  },
});

const mismatch = expect.objectContaining({ name: 'SseError', code: 'schema-mismatch' });

describe('checking an event that is published', () => {
  it('lets every event pass where the definition names none', () => {
    const event = { type: 'anything', data: 1 };
    expect(validateEvent(defineTopic('free'), event)).toBe(event);
  });

  it('gives the event itself when its data stays what it was', () => {
    const event = { type: 'seen', data: { by: 'me' } };
    expect(validateEvent(orders, event)).toBe(event);
  });

  it('does not look at data that is declared by type only', () => {
    const event = { type: 'seen', data: Symbol('anything') };
    expect(validateEvent(orders, event)).toBe(event);
  });

  it('puts what the schema made in place of the data, and leaves the event alone', () => {
    const event = { type: 'shipped', data: 'dhl', id: '7', retry: 1, comment: 'c' };
    expect(validateEvent(orders, event)).toEqual({ ...event, data: { carrier: 'dhl' } });
    expect(event.data).toBe('dhl');
  });

  it('waits for a schema that is asynchronous, and only for that', async () => {
    const checked = validateEvent(orders, { type: 'paid', data: 5 });
    expect(checked).toBeInstanceOf(Promise);
    await expect(checked).resolves.toEqual({ type: 'paid', data: 5 });
  });

  it.each([{ data: 'hello' }, { type: undefined, data: 'hello' }, { type: '', data: 'hello' }])(
    'takes an event without a type for a message: %j',
    (event) => {
      expect(validateEvent(defineTopic('chat', { events: { message: z.string() } }), event)).toBe(event);
    },
  );

  it.each([
    ['that does not exist', 'cancelled', '"cancelled"'],
    ['that is absent where there is no message', undefined, '"message"'],
    ['that objects have by birth', 'constructor', '"constructor"'],
    ['__proto__', '__proto__', '"__proto__"'],
    ['that reads as an existing one', ['placed'], 'an array of 1'],
  ])('refuses an event type %s, and lists those there are', (_, type, told) => {
    const event = { type: type as string, data: 1 };
    expect(() => validateEvent(orders, event)).toThrow(mismatch);
    expect(() => validateEvent(orders, event)).toThrow(
      `The topic "orders/:id" has no event type ${told}, only "placed", "shipped", "paid", "seen"`,
    );
  });

  it('tells where the data does not fit', () => {
    const publish = () => validateEvent(orders, { type: 'placed', data: { id: 1, lines: [{ sku: 'a' }, { sku: 2 }] } });
    expect(publish).toThrow(mismatch);
    expect(publish).toThrow(/"placed" for the topic "orders\/:id" does not fit its schema: lines\.1\.sku: .*string/);
  });

  it('tells no path where the data as a whole does not fit', () => {
    expect(() => validateEvent(orders, { type: 'shipped', data: 1 })).toThrow(/schema: Invalid input/);
  });

  it('tells three issues, and how many there are beside them', () => {
    const data = { id: 1, lines: [{}, {}, {}, {}, {}] };
    expect(() => validateEvent(orders, { type: 'placed', data })).toThrow(
      /lines\.0\.sku: [^;]*; lines\.1\.sku: [^;]*; lines\.2\.sku: [^;]*; and 2 more$/,
    );
  });

  it('reads paths whose segments are objects or symbols', () => {
    const path = [{ key: 'a' }, 0, Symbol('s')];
    const schema = schemaOf(() => ({ issues: [{ message: 'no', path }] }));
    const definition = defineTopic('x', { events: { message: schema } });
    expect(() => validateEvent(definition, { data: 1 })).toThrow('a.0.Symbol(s): no');
  });

  it('rejects when an asynchronous schema refuses', async () => {
    const checked = Promise.resolve(validateEvent(orders, { type: 'paid', data: -5 }));
    await expect(checked).rejects.toThrow(mismatch);
    await expect(checked).rejects.toThrow('must be above 0');
  });

  it('tells a schema that throws from one that refuses, and keeps the cause', () => {
    const publish = () => validateEvent(orders, { type: 'broken', data: 1 });
    expect(publish).toThrow(mismatch);
    expect(publish).toThrow(expect.objectContaining({ cause: new TypeError('bug in the schema') }));
  });

  it('tells a schema that rejects from one that refuses, and keeps the cause', async () => {
    const checked = Promise.resolve(validateEvent(orders, { type: 'rejecting', data: 1 }));
    await expect(checked).rejects.toThrow(mismatch);
    await expect(checked).rejects.toMatchObject({ cause: new TypeError('bug in the schema') });
  });
});

function schemaOf(validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}
