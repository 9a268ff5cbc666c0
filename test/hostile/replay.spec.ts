import { describe, expect, test } from '@jest/globals';
import { type Socket, connect } from 'node:net';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { LoopWatch } from '../support/loop-watch.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const TOPICS = 400;
const EVENTS = 100;
const NEWEST = `data: ${TOPICS * EVENTS - 1}\n`;
/** Well above the slices of some ms, and below all of it at once: from 0.8 to 8 s. */
const MOMENT_MS = 500;

/** An application with a hub route and as many topics, each with as many events. */
async function startFull(adapter: (typeof adapters)[number]): Promise<TestApp> {
  const app = await startApp(adapter, { options: { hub: { path: 'events' }, authorize: 'public' } });
  for (let n = 0; n < TOPICS * EVENTS; n++) {
    const topic = n % TOPICS;
    await app.streams.publish(`p/${topic % 20}/${topic}`, { data: n });
  }
  return app;
}

const get = (patterns: readonly string[]) => [
  `GET /events?${patterns.map((pattern) => `topic=${encodeURIComponent(pattern)}`).join('&')} HTTP/1.1`,
  'Host: x',
  'Last-Event-ID: made-up',
];

/** A client that keeps the end only of what it was sent: twenty whole answers would hold the event loop up themselves. */
class Tail {
  readonly socket: Socket;
  text = '';

  constructor(port: number, lines: readonly string[]) {
    this.socket = connect(port, '127.0.0.1').setEncoding('latin1');
    this.socket.on('data', (chunk: string) => (this.text = (this.text + chunk).slice(-500)));
    this.socket.write([...lines, '', ''].join('\r\n'));
  }
}

describe.each(adapters)('on $name', (adapter) => {
  test.each([
    ['one pattern of all topics', ['p/**']],
    [
      'as many patterns as there may be',
      Array.from({ length: 100 }, (_, n) => `p/${n % 20}/${n < 20 ? '*' : `**/${n}`}`),
    ],
    [
      'patterns made to be costly',
      Array.from({ length: 100 }, (_, n) => `**/${'*/'.repeat(n % 28)}**/${n % 2 ? '*' : 'p'}/**`),
    ],
  ])(
    'a made-up id over %s holds the event loop for no longer than a moment',
    async (_, patterns) => {
      await using app = await startFull(adapter);
      using watch = new LoopWatch();
      await using client = await openRaw(app.port, ...get(patterns));

      await until(() => client.text.slice(-2_000).includes(NEWEST), 'the newest event', 30_000);
      const { longestMs } = watch;

      expect(client.text).toContain('"reason":"unknown"');
      expect(client.text.match(/^data: \d+$/gm)).toHaveLength(TOPICS * EVENTS);
      expect(longestMs).toBeLessThan(MOMENT_MS);
    },
    60_000,
  );

  test('twenty such clients at once hold nobody up either', async () => {
    await using app = await startFull(adapter);
    using watch = new LoopWatch();
    const clients = Array.from({ length: 20 }, (_, n) => new Tail(app.port, get(['p/**', `q/${n}`])));

    await until(() => clients.every(({ text }) => text.includes(NEWEST)), 'all to have all', 60_000);
    const { longestMs } = watch;
    for (const { socket } of clients) socket.destroy();

    expect(longestMs).toBeLessThan(MOMENT_MS);
  }, 90_000);
});
