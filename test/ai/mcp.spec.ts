import { describe, expect, test } from '@jest/globals';
import { Body, Controller, HttpException, RequestMethod } from '@nestjs/common';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpError } from '@modelcontextprotocol/sdk/types.js';
import { Connection, EventStreamService, type SseConnection, SseStream, asData } from 'nestjs-event-stream';
import { mcp } from 'nestjs-event-stream/ai';
import { type TestApp, adapters } from '../support/app.js';
import { until } from '../support/until.js';
import { SECRET, failing, serve, slowly } from './support/app.js';
import { Bytewise } from './support/bytewise.js';

interface Message {
  readonly id: number;
  readonly method: string;
  readonly params?: { readonly protocolVersion?: string; readonly _meta?: { readonly progressToken?: number } };
}

/** What a call of the tool is answered with, and by what it is streamed. */
type Call = (messages: readonly object[], connection: SseConnection, streams: EventStreamService) => unknown;

function serverOf(call: Call) {
  @Controller('mcp')
  class McpController {
    constructor(private readonly streams: EventStreamService) {}

    @SseStream({ method: RequestMethod.POST, wire: mcp() })
    post(@Body() message: Message, @Connection() connection: SseConnection) {
      if (message.id === undefined) throw new HttpException('', 202);
      if (message.method === 'initialize') return [initialized(message)];
      return call(messagesOf(message), connection, this.streams);
    }

    @SseStream({ wire: mcp() })
    get(@Connection() connection: SseConnection) {
      if (connection.lastEventId === undefined) throw new HttpException('', 405);
      return this.streams.topic('call');
    }
  }
  return McpController;
}

const initialized = ({ id, params }: Message): object => {
  const { protocolVersion } = params ?? {};
  return {
    jsonrpc: '2.0',
    id,
    result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } },
  };
};

function messagesOf({ id, params }: Message): readonly object[] {
  const progress = (done: number): object => ({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: params?._meta?.progressToken, progress: done, total: 4 },
  });
  const result = { content: [{ type: 'text', text: 'Grüß Gott' }] };
  return [progress(1), progress(2), progress(3), progress(4), { jsonrpc: '2.0', id, result }];
}

/** A client that has said hello, what has gone wrong on its way, and how far its call is. */
class Caller implements AsyncDisposable {
  readonly errors: string[] = [];
  readonly progress: number[] = [];
  readonly #client = new Client({ name: 'c', version: '1' });
  readonly #transport: StreamableHTTPClientTransport;

  constructor(app: TestApp, wire: Bytewise) {
    this.#transport = new StreamableHTTPClientTransport(new URL(`${app.url}/mcp`), { fetch: wire.fetch });
    this.#client.onerror = ({ message }) => this.errors.push(message);
  }

  async call(signal?: AbortSignal): Promise<unknown> {
    await this.#client.connect(this.#transport);
    const onprogress = ({ progress }: { progress: number }): void => void this.progress.push(progress);
    return this.#client.callTool({ name: 'greet' }, undefined, { onprogress, ...(signal && { signal }) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

const greeting = { content: [{ type: 'text', text: 'Grüß Gott' }] };

describe.each(adapters)('on $name', (adapter) => {
  test('every message arrives, and answers the request', async () => {
    using wire = new Bytewise();
    await using app = await serve(adapter, [serverOf((messages) => slowly(wire, messages))]);
    await using caller = new Caller(app, wire);

    expect(await caller.call()).toEqual(greeting);
    expect(caller.progress).toEqual([1, 2, 3, 4]);
    expect(caller.errors).toEqual([]);
  });

  test('a failure is an error of the request, which says nothing of it', async () => {
    using wire = new Bytewise();
    await using app = await serve(adapter, [serverOf((messages) => failing(wire, messages.slice(0, 2)))]);
    await using caller = new Caller(app, wire);

    const calling = caller.call();

    await expect(calling).rejects.toBeInstanceOf(McpError);
    await expect(calling).rejects.toMatchObject({ code: -32_603 });
    expect(caller.progress).toEqual([1, 2]);
    expect(wire.text).not.toContain(SECRET);
  });

  test('a source that cannot be resumed has an error of the request when the server closes', async () => {
    using wire = new Bytewise();
    const server = serverOf((messages, connection) =>
      (async function* () {
        yield messages[0];
        connection.close({ reason: 'shutdown' });
      })(),
    );
    await using app = await serve(adapter, [server]);
    await using caller = new Caller(app, wire);

    await expect(caller.call()).rejects.toThrow('The server is shutting down');
  });

  test.each(['is cut', 'is closed by the server'])('a call whose stream %s goes on by GET', async (how) => {
    using wire = new Bytewise();
    const publish = async (streams: EventStreamService, messages: readonly object[]): Promise<void> => {
      for (const message of messages) await streams.publish('call', asData(message));
    };
    const server = serverOf((messages, connection, streams) => {
      void (async () => {
        await publish(streams, messages.slice(0, 2));
        await until(() => wire.text.includes('"progress":2'), 'the first half');
        if (how === 'is cut') wire.cut();
        else connection.close({ reason: 'lifetime' });
        await publish(streams, messages.slice(2));
        await streams.topic('call').complete({ final: true });
      })();
      return streams.topic('call').from('start');
    });
    await using app = await serve(adapter, [server]);
    await using caller = new Caller(app, wire);

    expect(await caller.call()).toEqual(greeting);
    expect(caller.progress).toEqual([1, 2, 3, 4]);
    expect(caller.errors.filter((error) => !error.includes('disconnected'))).toEqual([]);
  });
});
