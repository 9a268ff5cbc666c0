import { createGunzip } from 'node:zlib';
import { request } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import compression from 'compression';
import { adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { until } from '../support/until.js';

describe.each(adapters)('on $name', (adapter) => {
  test.each([
    ['with its defaults', {}],
    ['made to compress event streams', { filter: () => true }],
  ])('the compression middleware %s holds nothing back', async (_, settings) => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      configure: (nest) => nest.use(compression(settings)),
    });
    await using client = await openGzip(`${app.url}/topic`);
    await until(() => client.text.includes('id: '), 'the first chunk');

    await app.streams.publish('topic', { data: 'first' });
    await until(() => client.text.includes('data: first'), 'the first event');
    await app.streams.publish('topic', { data: 'second' });
    await until(() => client.text.includes('data: second'), 'the second event');

    expect(client.text).toMatch(
      /^retry: 3000\n: heartbeat 15000\nid: \S+\n\nid: \S+\ndata: first\n\nid: \S+\ndata: second\n\n$/,
    );
  });
});

/** A client that unpacks what it gets as it comes. */
async function openGzip(url: string): Promise<{ text: string } & AsyncDisposable> {
  const sent = request(url, { headers: { 'accept-encoding': 'gzip' } });
  const client = {
    text: '',
    [Symbol.asyncDispose]: async () => {
      sent.destroy();
    },
  };
  sent.on('error', () => undefined);
  sent.on('response', (response) => {
    const isPacked = response.headers['content-encoding'] === 'gzip';
    const body = isPacked ? response.pipe(createGunzip()) : response;
    body.on('error', () => undefined).on('data', (chunk: Buffer) => (client.text += chunk.toString()));
  });
  sent.end();
  return client;
}
