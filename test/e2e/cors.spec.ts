import { describe, expect, test } from '@jest/globals';
import { startApp, transports } from '../support/app.js';
import { TopicController } from '../support/controllers.js';

const ORIGIN = 'https://app.example.com';
const strangers = [
  'https://app.example.com.evil.test',
  'https://evilapp.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.example.com@evil.test',
  'null',
];
const only = (origin: unknown, done: (error: Error | null, allow?: boolean) => void) => done(null, origin === ORIGIN);

describe.each(transports)('on $name', (adapter) => {
  const options = {
    controllers: [TopicController],
    nest: { cors: { origin: only, credentials: true } },
  };

  test('the allowed origin reads the stream, with credentials', async () => {
    await using app = await startApp(adapter, options);

    const stream = await app.open('/topic', { headers: { origin: ORIGIN } });

    expect(stream.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(stream.headers.get('access-control-allow-credentials')).toBe('true');
    expect(stream.headers.get('vary')).toMatch(/origin/i);
    await stream.receive('id: ');
  });

  test('headers that a script of the allowed origin needs are exposed on the stream', async () => {
    const exposedHeaders = ['Retry-After', 'Content-Location'];
    await using app = await startApp(adapter, { ...options, nest: { cors: { origin: only, exposedHeaders } } });

    const stream = await app.open('/topic', { headers: { origin: ORIGIN } });

    expect(stream.headers.get('access-control-expose-headers')?.split(/, ?/)).toEqual(exposedHeaders);
  });

  test.each(strangers)('the origin %s is not let in', async (origin) => {
    await using app = await startApp(adapter, options);

    const stream = await app.open('/topic', { headers: { origin } });

    expect(stream.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('a preflight for Last-Event-ID is answered without a stream', async () => {
    await using app = await startApp(adapter, options);

    const answer = await app.open('/topic', {
      method: 'OPTIONS',
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'last-event-id',
      },
    });

    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(app.streams.connections.count).toBe(0);
  });
});
