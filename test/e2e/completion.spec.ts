import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { EventSource as NodeEventSource } from 'eventsource';
import { of } from 'rxjs';
import { EventSource as UndiciEventSource } from 'undici';
import { adapters, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

/** What the two clients have in common. */
interface Client {
  readonly readyState: number;
  onmessage: unknown;
  close(): void;
}
type ClientClass = new (url: string) => Client;

const clients: readonly [name: string, client: ClientClass][] = [
  ['eventsource', NodeEventSource],
  ['undici', UndiciEventSource],
];
const CLOSED = 2;

describe.each(adapters)('on $name', (adapter) => {
  test.each(clients)('the EventSource of %s gets a source once, comes back once, and stops', async (_, EventSource) => {
    let handled = 0;
    let requests = 0;
    const handler = () => {
      handled++;
      return of('a', 'b');
    };
    await using app = await startApp(adapter, {
      controllers: [streamOf(handler, { retryMs: 10 })],
      configure: (nest) => nest.use((_: unknown, __: unknown, next: () => void) => void (requests++, next())),
    });
    const received: unknown[] = [];
    const source = new EventSource(`${app.url}/stream`);
    source.onmessage = ({ data }: { data: unknown }) => received.push(data);

    await until(() => source.readyState === CLOSED, 'the client to stop');
    // Many times the 10 ms after which it would have come back.
    await delay(150);

    expect(received).toEqual(['a', 'b']);
    expect([requests, handled]).toEqual([2, 1]);
    source.close();
  });

  test.each(clients)('the EventSource of %s comes back by itself and misses nothing', async (_, EventSource) => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: { retryMs: 10 } });
    const received: unknown[] = [];
    const source = new EventSource(`${app.url}/topic`);
    source.onmessage = ({ data }: { data: unknown }) => received.push(data);
    await until(() => app.streams.connections.count === 1, 'the client to come');

    for (let n = 0; n < 30; n++) {
      await app.streams.publish('topic', { data: n });
      if (n % 10 !== 5) continue;
      await until(() => received.length === n + 1, 'what was published so far');
      for (const open of app.streams.connections.list()) open.close({ reason: 'lifetime' });
    }
    await until(() => received.length >= 30, 'all events');

    expect(received).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
    source.close();
    await until(() => app.streams.connections.count === 0, 'the client to leave');
  });
});

describe.each(transports)('on $name', (adapter) => {
  test.each([
    ['header', '/stream', { 'last-event-id': 'stream.end' }],
    ['query', '/stream?lastEventId=stream.end', {}],
  ])(
    'a client that comes back after the end, as its %s says, gets 204 without the handler',
    async (_, path, headers) => {
      let handled = 0;
      await using app = await startApp(adapter, { controllers: [streamOf(() => of(handled++))] });

      const answer = await app.open(path, { headers: headers as Record<string, string> });

      expect(answer.status).toBe(204);
      expect(await answer.body()).toBe('');
      expect(handled).toBe(0);
      expect(app.streams.connections.count).toBe(0);
    },
  );
});
