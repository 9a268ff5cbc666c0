import { describe, expect, test } from '@jest/globals';
import { Controller, Param, RequestMethod } from '@nestjs/common';
import { SseStream } from 'nestjs-event-stream';
import { type RunProducer, RunService, SseRunsModule } from 'nestjs-event-stream/runs';
import { type Adapter, type TestApp, adapters, startApp } from '../support/app.js';
import { until } from '../support/until.js';

const LONG = 60_000;
const JSON_ONLY = { headers: { accept: 'application/json' } };

let producer: RunProducer;

@Controller('runs')
class RunsController {
  constructor(private readonly runs: RunService) {}

  @SseStream(':key', { method: RequestMethod.POST, respond: 'negotiate', commit: { waitMs: LONG } })
  start(@Param('key') key: string) {
    return this.runs.start(key, producer);
  }

  @SseStream(':key', { none: 204, respond: 'negotiate', commit: { waitMs: LONG } })
  watch(@Param('key') key: string) {
    return this.runs.watch(key);
  }
}

const startWith = (adapter: Adapter, given: RunProducer): Promise<TestApp> => {
  producer = given;
  return startApp(adapter, { controllers: [RunsController], imports: [SseRunsModule.forRoot()] });
};

const started = { method: 'POST', headers: { accept: 'text/event-stream' } };

describe.each(adapters)('a run on $name', (adapter) => {
  test('that there is none of is answered as the route says', async () => {
    await using app = await startWith(adapter, () => []);

    expect((await app.open('/runs/a')).status).toBe(204);
  });

  test('that fails before its first event has the status of its failure, in a stream and in a document', async () => {
    const error = Object.assign(new Error('sk-secret'), { status: 429, headers: { 'retry-after': '7' } });
    await using app = await startWith(adapter, () => Promise.reject(error));

    const [stream, document] = [
      await app.open('/runs/a', started),
      await app.open('/runs/b', { ...started, ...JSON_ONLY }),
    ];

    expect([stream.status, document.status]).toEqual([429, 429]);
    expect([stream, document].map(({ headers }) => headers.get('retry-after'))).toEqual(['7', '7']);
    expect((await stream.body()) + (await document.body())).not.toContain('secret');
  });

  test('is waited for by whoever wants a document, who may leave without ending it', async () => {
    let end = (): void => undefined;
    await using app = await startWith(adapter, async function* () {
      yield { n: 1 };
      await new Promise<void>((resolve) => (end = resolve));
      yield { n: 2 };
    });
    const stream = await app.open('/runs/a', started);
    const leaving = new AbortController();
    const left = app.open('/runs/a', { ...JSON_ONLY, signal: leaving.signal }).catch(() => undefined);
    await until(() => app.streams.connections.count === 2, 'the wait');
    leaving.abort();
    await left;
    const asked = app.open('/runs/a', JSON_ONLY);
    await until(() => app.streams.connections.count === 2, 'the second wait');

    end();
    const document = await asked;

    expect(JSON.parse(await document.body())).toEqual([{ n: 1 }, { n: 2 }]);
    expect(document.headers.get('x-run-id')).toBe(stream.headers.get('x-run-id'));
    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['{"n":1}', '{"n":2}']);
  });

  test('that was stopped is no document: a part would be taken for the whole', async () => {
    await using app = await startWith(adapter, async function* ({ signal }) {
      yield 1;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    const stream = await app.open('/runs/a', started);
    await stream.next();

    await app.nest.get(RunService).stop('a');

    expect((await app.open('/runs/a', JSON_ONLY)).status).toBe(409);
  });
});
