import { describe, expect, test } from '@jest/globals';
import { type BaseEvent, HttpAgent } from '@ag-ui/client';
import { agUi } from 'nestjs-event-stream/ai';
import { type TestApp, adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { agUiEvents } from './support/answers.js';
import { POST, SECRET, type Asked, failing, routeOf, serve, slowly } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

describe.each(adapters)('on $name', (adapter) => {
  const agent = async (
    wire: Bytewise,
    handler: (asked: Asked) => unknown,
  ): Promise<{ app: TestApp; own: HttpAgent; events: BaseEvent[] }> => {
    const app = await serve(adapter, [routeOf('agent', { ...POST, wire: agUi() }, handler)]);
    const own = new HttpAgent({ url: `${app.url}/agent`, threadId: 'th', fetch: wire.fetch });
    const events: BaseEvent[] = [];
    own.subscribe({ onEvent: ({ event }) => void events.push(event) });
    return { app, own, events };
  };

  test('every event arrives, and makes messages and state', async () => {
    using wire = new Bytewise();
    const { app, own, events } = await agent(wire, () => slowly(wire, agUiEvents));
    await using _ = app;

    await own.runAgent({ runId: 'run' });

    expect(events).toMatchObject(agUiEvents);
    expect(own.messages).toMatchObject([
      {
        role: 'assistant',
        content: 'Grüß Gott',
        toolCalls: [{ function: { name: 'rain', arguments: '{"at":"Wien"}' } }],
      },
    ]);
    expect(own.state).toEqual({ rain: 4 });
  });

  test('a failure is RUN_ERROR, which says nothing of it', async () => {
    using wire = new Bytewise();
    const { app, own, events } = await agent(wire, () => failing(wire, agUiEvents.slice(0, 4)));
    await using _ = app;

    await own.runAgent({ runId: 'run' }).catch(() => undefined);

    const failure = { type: 'RUN_ERROR', code: 'failed', message: 'The stream was ended by an error on the server' };
    expect(events.at(-1)).toMatchObject(failure);
    expect(wire.text).not.toContain(SECRET);
  });

  test('who aborts ends the source', async () => {
    using wire = new Bytewise();
    let signal: AbortSignal | undefined;
    const { app, own, events } = await agent(wire, ({ connection }) => {
      signal = connection.signal;
      return (async function* () {
        yield* agUiEvents.slice(0, 4);
        await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      })();
    });
    await using _ = app;

    const running = own.runAgent({ runId: 'run' }).catch(() => undefined);
    await until(() => events.length >= 4, 'some events');
    own.abortRun();
    await running;

    await until(() => signal?.aborted, 'the signal to be aborted');
  });
});
