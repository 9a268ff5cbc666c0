import { describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { startApp, transports } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { until } from '../support/until.js';

/** Hooks on the server underneath. */
const configure = (hook: (fastify: FastifyInstance) => void) => (nest: INestApplication) =>
  hook(nest.getHttpAdapter().getInstance() as FastifyInstance);

describe.each(transports.filter(({ isFastify }) => isFastify))('on $name', (adapter) => {
  test('what a hook has put in the place of methods of the response stays there', async () => {
    const given: string[] = [];
    let isKept: (() => boolean) | undefined;
    const patch = configure((fastify) =>
      fastify.addHook('onRequest', async (_, { raw }) => {
        const { setHeader } = raw;
        const on = (raw.on = raw.on.bind(raw));
        raw.setHeader = (name, value) => {
          given.push(name);
          return setHeader.call(raw, name, value);
        };
        const patched = raw.setHeader;
        isKept = () => raw.on === on && raw.setHeader === patched;
      }),
    );
    await using app = await startApp(adapter, { controllers: [TopicController], configure: patch });

    const stream = await app.open('/topic');
    await stream.receive('id: ');
    await app.streams.publish('topic', { data: 'a' });
    await stream.receive('data: a');

    expect(isKept?.()).toBe(true);
    expect(given).toContain('content-type');
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  });

  test('once the stream is open, the response has its own methods and the listeners of before, and the reply its headers', async () => {
    let reply: FastifyReply | undefined;
    let methods: unknown[] = [];
    const look = configure((fastify) =>
      fastify.addHook('onRequest', async (_, given) => {
        reply = given;
        methods = [given.raw.on, given.raw.setHeader];
      }),
    );
    await using app = await startApp(adapter, { controllers: [TopicController], configure: look });
    await (await app.open('/topic')).receive('id: ');
    const { raw } = reply!;

    expect(raw.listenerCount('finish')).toBe(adapter.isHttp2 ? 1 : 2);
    expect([raw.on, raw.setHeader]).toEqual(methods);
    expect(reply!.getHeader('content-type')).toBe('text/event-stream; charset=utf-8');
  });

  test('a hook may answer in the place of a stream', async () => {
    const answer = configure((fastify) =>
      fastify.addHook('onSend', async (_, reply, payload) => {
        reply.code(204);
        return payload;
      }),
    );
    await using app = await startApp(adapter, { controllers: [TopicController], configure: answer });

    const stream = await app.open('/topic');

    expect([stream.status, await stream.body()]).toEqual([204, '']);
    await until(() => app.streams.connections.count === 0, 'the stream to be freed');
  });
});
