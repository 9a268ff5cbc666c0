import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineTopic, isTopicDefinition } from './define.js';
import { type } from './events.js';

/** Calls {@link defineTopic} as JavaScript may: with whatever it has. */
function define(options: unknown): unknown {
  return defineTopic('stocks/:symbol', options as object);
}

describe('a topic definition', () => {
  it('needs nothing but a path', () => {
    expect(defineTopic('orders')).toEqual({
      path: 'orders',
      events: undefined,
      history: undefined,
      onSlow: undefined,
      authorize: undefined,
      authorizePattern: undefined,
    });
  });

  it('holds what it was given', () => {
    const events = { tick: type<number>(), halt: z.string() };
    const [authorize, authorizePattern] = [() => true, () => false];
    const options = { events, history: { maxEvents: 500 }, onSlow: 'skip', authorize, authorizePattern } as const;
    expect(defineTopic('stocks/:symbol', options)).toEqual({ path: 'stocks/:symbol', ...options });
  });

  it('takes undefined options as absent ones', () => {
    const options = { events: undefined, history: undefined, onSlow: undefined, authorize: undefined };
    expect(defineTopic('orders', options)).toEqual(defineTopic('orders'));
  });

  it('does not change when the options do', () => {
    const events: Record<string, ReturnType<typeof type>> = { tick: type() };
    const history = { maxEvents: 1 };
    const definition = defineTopic('stocks/:symbol', { events, history });
    events['late'] = type();
    history.maxEvents = -1;
    expect(Object.keys(definition.events ?? {})).toEqual(['tick']);
    expect(definition.history).toEqual({ maxEvents: 1 });
    expect(Object.isFrozen(definition)).toBe(true);
  });

  it.each([
    ['no history', { history: false }],
    ['history without bounds', { history: { maxEvents: Infinity, maxBytes: Infinity, maxAgeMs: Infinity } }],
    ['the least history', { history: { maxEvents: 0, maxBytes: 0, maxAgeMs: 0.001 } }],
    ['history with absent bounds', { history: { maxEvents: undefined } }],
    ['schemas that are functions', { events: { tick: Object.assign(() => undefined, type()) } }],
    ['event types that objects have by birth', { events: { constructor: type(), toString: type() } }],
  ])('may have %s', (_, options) => {
    expect(() => define(options)).not.toThrow();
  });

  it.each([
    ['options that are no object', 'skip', 'options must be an object; got a text'],
    ['null for options', null, 'options must be an object; got null'],
    ['an unknown option', { onSlov: 'skip' }, 'there is no option "onSlov"'],
    ['an unknown bound', { history: { maxEvent: 1 } }, 'there is no option "history.maxEvent"'],
    ['a bound that objects have by birth', { history: { constructor: 1 } }, 'no option "history.constructor"'],
    ['history switched on', { history: true }, 'history must be an object or false; got true'],
    ['null for history', { history: null }, 'history must be an object or false; got null'],
    ['a negative count', { history: { maxEvents: -1 } }, 'history.maxEvents must be a whole number'],
    ['half an event', { history: { maxEvents: 1.5 } }, 'history.maxEvents must be a whole number'],
    ['a count in a string', { history: { maxEvents: '5' } }, 'got "5"'],
    ['a count of NaN', { history: { maxEvents: NaN } }, 'got NaN'],
    ['negative bytes', { history: { maxBytes: -1 } }, 'history.maxBytes must be a number of 0 or more; got -1'],
    ['bytes of NaN', { history: { maxBytes: NaN } }, 'history.maxBytes'],
    ['an age of 0', { history: { maxAgeMs: 0 } }, 'history.maxAgeMs must be a number above 0; got 0'],
    ['an age in a date', { history: { maxAgeMs: new Date() } }, 'history.maxAgeMs'],
    ['a policy that does not exist', { onSlow: 'drop' }, `onSlow must be 'resume', 'disconnect' or 'skip'; got "drop"`],
    ['null for the policy', { onSlow: null }, 'onSlow must be'],
    ['a fixed answer for authorize', { authorize: true }, 'authorize must be a function; got true'],
    [
      'a fixed answer for authorizePattern',
      { authorizePattern: true },
      'authorizePattern must be a function; got true',
    ],
    ['null for authorizePattern', { authorizePattern: null }, 'authorizePattern must be a function; got null'],
    ['a list of patterns', { authorizePattern: ['*'] }, 'authorizePattern must be a function; got an array of 1'],
    ['a list of events', { events: ['tick'] }, 'events must be an object; got an array of 1'],
    ['an event without a schema', { events: { tick: {} } }, 'events.tick must be type<T>() or a Standard Schema'],
    ['type without its brackets', { events: { tick: type } }, 'events.tick must be type<T>()'],
    ['null for a schema', { events: { tick: null } }, 'events.tick must be'],
    ['a schema of another version', { events: { tick: { '~standard': { version: 2 } } } }, 'events.tick must be'],
    ['an event type with a line feed', { events: { 'a\nid: 1': type() } }, 'must be one line'],
    ['an event type with NUL', { events: { 'a\0': type() } }, 'must be one line'],
    ['an empty event type', { events: { '': type() } }, 'not empty'],
    ['a reserved event type', { events: { 'stream.end': type() } }, "not begin with 'stream.'"],
  ])('is refused with %s', (_, options, problem) => {
    expect(() => define(options)).toThrow(expect.objectContaining({ code: 'invalid-definition' }));
    expect(() => define(options)).toThrow(problem);
  });

  it('names its path when it is refused', () => {
    expect(() => define({ onSlow: 1 })).toThrow('defineTopic("stocks/:symbol"): ');
  });
});

describe('telling a topic definition', () => {
  it('knows what defineTopic made', () => {
    expect(isTopicDefinition(defineTopic('orders'))).toBe(true);
  });

  it('knows what another copy of this package made', () => {
    const brand = Symbol.for('nestjs-event-stream.topic-definition');
    expect(isTopicDefinition({ path: 'orders', [brand]: true })).toBe(true);
  });

  it.each([[undefined], [null], ['orders'], [{ path: 'orders' }], [Object.create(defineTopic('orders'))]])(
    'does not take %p for one',
    (value) => {
      expect(isTopicDefinition(value)).toBe(false);
    },
  );
});
