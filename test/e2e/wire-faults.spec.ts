import { describe, expect, test } from '@jest/globals';
import type { WireProfile } from 'nestjs-event-stream/ai';
import { until } from '../support/until.js';
import { fails, letters, otherOf, publish, startWired, topic } from '../support/wired.js';

describe('what a profile does wrong', () => {
  const nonsense = (() => ({ datum: 1 })) as never;

  test.each<[string, Partial<WireProfile>, string]>([
    ['encode throws', { encode: fails }, 'secret of the profile'],
    [
      'encode gives no event',
      { encode: nonsense },
      'The wire profile "wrong" has encoded an event as none that can be sent',
    ],
    [
      'encode is asynchronous, and rejects',
      { encode: (async () => fails()) as never },
      'The wire profile "wrong" has encoded',
    ],
  ])(
    '%s: each reader of a topic ends with an error, once, and those of another profile go on',
    async (_, wrong, message) => {
      const controllers = [otherOf('right', letters), otherOf('plain', undefined)];
      await using own = await startWired(
        topic,
        { wire: { name: 'wrong', error: letters.error, ...wrong } },
        { controllers },
      );
      const readers = await Promise.all(Array.from({ length: 100 }, () => own.app.open('/stream')));
      const [right, plain] = [await own.app.open('/right'), await own.app.open('/plain')];

      await publish(own.app, 1);
      const bodies = await Promise.all(readers.map((reader) => reader.body()));

      for (const body of bodies) {
        expect(body).toMatch(
          /event: oops\ndata: \{"code":"(failed|invalid-event)","message":"The stream was ended by an error on the server"\}\n\n$/,
        );
        expect(body).not.toContain('secret');
      }
      expect([(await right.next())?.data, (await plain.next())?.data]).toEqual(['A', '1']);
      await until(() => own.closed.length === 100, 'all to be closed');
      expect(own.errors).toHaveLength(100);
      expect(new Set(own.errors.map((error) => (error as Error).message.includes(message)))).toEqual(new Set([true]));
      expect(own.app.streams.connections.count).toBe(2);
    },
  );

  test('encode throws: a source ends, and its client is told', async () => {
    let isLeft = false;
    const source = async function* (): AsyncGenerator<number> {
      try {
        yield 1;
        await new Promise(() => undefined);
      } finally {
        isLeft = true;
      }
    };
    await using own = await startWired(source, { wire: { ...letters, name: 'wrong', encode: fails } });

    expect(await (await own.app.open('/stream')).body()).toContain('event: oops');
    await until(() => isLeft, 'the source to be left');
    expect(own.errors.map(String)).toEqual(['Error: secret of the profile']);
  });

  test.each<[string, Partial<WireProfile>]>([
    ['end throws', { end: fails }],
    ['end gives no events', { end: nonsense }],
    ['end gives what is none', { end: () => [{ datum: 1 } as never] }],
    ['end is asynchronous, and rejects', { end: (async () => fails()) as never }],
  ])('%s: the stream ends with an error in place of its end', async (_, wrong) => {
    await using own = await startWired(() => [1], { wire: { ...letters, ...wrong } });

    const body = await (await own.app.open('/stream')).body();

    expect(body).toMatch(/^:\ndata: A\n\nevent: oops\n[^\n]*\n\n$/);
    await until(() => own.closed.length === 1, 'the stream to be closed');
    expect([own.closed, own.errors.length]).toEqual([['failed'], 1]);
  });

  test.each<[string, Partial<WireProfile>]>([
    ['error throws', { error: fails }],
    ['error gives no events', { error: nonsense }],
    ['error is asynchronous, and rejects', { error: (async () => fails()) as never }],
    ['both error and end throw', { error: fails, end: fails }],
  ])('%s: the connection is cut, so that nothing looks complete', async (_, wrong) => {
    const failing = async function* (): AsyncGenerator<number> {
      yield 1;
      throw new Error('of the source');
    };
    await using own = await startWired(failing, { wire: { ...letters, ...wrong } });

    const stream = await own.app.open('/stream');
    await stream.body();

    expect(stream.error).toBeDefined();
    expect(':\ndata: A\n\n').toMatch(new RegExp(`^${stream.text}`));
    await until(() => own.closed.length === 1, 'the stream to be closed');
    expect(own.errors).toHaveLength(2);
    expect(own.errors.map(String)).toContain('Error: of the source');
  });

  test.each<[string, Partial<WireProfile>]>([
    ['throws', { prime: fails }],
    ['gives no event', { prime: nonsense }],
  ])('prime %s: the stream ends with an error', async (_, wrong) => {
    await using own = await startWired(topic, { wire: { ...letters, ...wrong } });
    await publish(own.app, 1);

    const body = await (await own.app.open('/stream')).body();

    expect(body).toMatch(/event: oops\n[^\n]*\n\n$/);
    expect(own.errors).toHaveLength(1);
  });

  test('error throws when events are missing: the connection is cut', async () => {
    await using own = await startWired(topic, { wire: { ...letters, error: fails } });

    const stream = await own.app.open('/stream', { headers: { 'x-behind': 'nobody' } });
    await stream.body();

    expect(stream.error).toBeDefined();
    await until(() => own.closed.length === 1, 'the stream to be closed');
    expect(own.errors.map(String)).toEqual(['Error: secret of the profile']);
  });

  test.each<[string, WireProfile['cursor']]>([
    ['throws', fails],
    ['gives what is no place', () => ({ events: -1 })],
    ['is asynchronous, and rejects', (async () => fails()) as never],
  ])('cursor %s: the request is answered with 500', async (_, cursor) => {
    await using own = await startWired(topic, { wire: { ...letters, cursor } });

    const answer = await own.app.open('/stream');

    expect(answer.status).toBe(500);
    expect(await answer.body()).not.toContain('secret');
    expect(own.app.streams.connections.count).toBe(0);
  });
});
