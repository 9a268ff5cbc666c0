import { expect, it, jest } from '@jest/globals';
import { ReceivedEvent, type TextOf } from './events.js';

const event = (type: string, text: string, texts: TextOf): ReceivedEvent =>
  new ReceivedEvent(type, text, 'p', undefined, texts);

it.each<[string, TextOf, unknown]>([
  ['untyped', undefined, '5'],
  ['of a type that is text', ['message'], '5'],
  ['of any other', ['other'], 5],
  ['where no type is text', [], 5],
])('gives the data of an event %s', (_, texts, data) => {
  expect(event('message', '5', texts).data).toBe(data);
});

it('has the events of the stream itself as JSON, whatever is said to be text', () => {
  expect(event('stream.reset', '{"reason":"trimmed"}', ['stream.reset']).data).toEqual({ reason: 'trimmed' });
});

it('parses when it is asked, and once', () => {
  const parse = jest.spyOn(JSON, 'parse');
  const tick = event('tick', '{"price":1}', []);
  expect(parse).not.toHaveBeenCalled();
  const value = tick.data;

  expect(tick.data).toBe(value);
  expect(tick.json()).toBe(value);
  expect(parse).toHaveBeenCalledTimes(1);
  parse.mockRestore();
});

it('throws where what is no JSON is read, and has its text all the same', () => {
  const broken = event('tick', '{', []);

  expect(() => broken.data).toThrow(SyntaxError);
  expect(() => broken.json()).toThrow(SyntaxError);
  expect(broken.text).toBe('{');
});
