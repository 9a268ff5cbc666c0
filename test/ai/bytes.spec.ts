import { expect, test } from '@jest/globals';
import { throwError } from 'rxjs';
import { asData } from 'nestjs-event-stream';
import {
  type WireProfile,
  agUi,
  aiSdkUi,
  anthropicMessages,
  mcp,
  openaiChat,
  openaiResponses,
} from 'nestjs-event-stream/ai';
import { adapters } from '../support/app.js';
import { POST, routeOf, serve } from './support/app.js';

interface Case {
  readonly wire: WireProfile;
  readonly values: readonly object[];
  /** The body of the question. */
  readonly body?: object;
  readonly complete: string;
  readonly failed: string;
  readonly expired: string;
}

const GENERAL = 'The stream was ended by an error on the server';
const EXPIRED = 'What let the client in has expired';

const cases: readonly Case[] = [
  {
    wire: openaiChat(),
    values: [{ object: 'chat.completion.chunk', choices: [] }],
    complete: 'data: {"object":"chat.completion.chunk","choices":[]}\n\ndata: [DONE]\n\n',
    failed: `data: {"error":{"message":"${GENERAL}","type":"server_error","param":null,"code":"failed"}}\n\n`,
    expired: `data: {"error":{"message":"${EXPIRED}","type":"server_error","param":null,"code":"expired"}}\n\n`,
  },
  {
    wire: openaiResponses(),
    values: [{ type: 'response.completed', sequence_number: 0 }],
    complete: 'event: response.completed\ndata: {"type":"response.completed","sequence_number":0}\n\n',
    failed: `event: error\ndata: {"type":"error","code":"failed","message":"${GENERAL}","param":null}\n\n`,
    expired: `event: error\ndata: {"type":"error","code":"expired","message":"${EXPIRED}","param":null}\n\n`,
  },
  {
    wire: anthropicMessages(),
    values: [{ type: 'message_stop' }, { type: 'ping', data: {} }],
    complete: 'event: message_stop\ndata: {"type":"message_stop"}\n\nevent: ping\ndata: {"type":"ping"}\n\n',
    failed: `event: error\ndata: {"type":"error","error":{"type":"api_error","message":"${GENERAL}"}}\n\n`,
    expired: `event: error\ndata: {"type":"error","error":{"type":"authentication_error","message":"${EXPIRED}"}}\n\n`,
  },
  {
    wire: aiSdkUi(),
    values: [{ type: 'start' }, { type: 'data-x', id: '1', data: 2 }, { type: 'data-y', data: 3, transient: true }],
    complete:
      'data: {"type":"start"}\n\ndata: {"type":"data-x","id":"1","data":2}\n\n' +
      'data: {"type":"data-y","data":3,"transient":true}\n\ndata: [DONE]\n\n',
    failed: `data: {"type":"error","errorText":"${GENERAL}"}\n\n`,
    expired: `data: {"type":"error","errorText":"${EXPIRED}"}\n\n`,
  },
  {
    wire: agUi(),
    values: [{ type: 'RUN_FINISHED', threadId: 't', runId: 'r' }],
    complete: 'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r"}\n\n',
    failed: `data: {"type":"RUN_ERROR","message":"${GENERAL}","code":"failed"}\n\n`,
    expired: `data: {"type":"RUN_ERROR","message":"${EXPIRED}","code":"expired"}\n\n`,
  },
  {
    wire: mcp(),
    values: [{ jsonrpc: '2.0', id: 'a', result: {} }],
    body: { jsonrpc: '2.0', id: 'a', method: 'x' },
    complete: 'data: {"jsonrpc":"2.0","id":"a","result":{}}\n\n',
    failed: `data: {"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"${GENERAL}"}}\n\n`,
    expired: `data: {"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"${EXPIRED}"}}\n\n`,
  },
];

test.each(cases.map((each) => [each.wire.name, each] as const))('%s, byte by byte', async (_, each) => {
  const { wire, values, body = {}, complete, failed, expired } = each;
  const controllers = [
    routeOf('complete', { ...POST, wire }, () => values),
    routeOf('failed', { ...POST, wire }, () => throwError(() => new Error('secret'))),
    routeOf('expired', { ...POST, wire }, ({ connection }) => {
      connection.close({ reason: 'expired' });
      return values;
    }),
  ];
  await using app = await serve(adapters[0]!, controllers, { heartbeatMs: false, retryMs: 3_000 });
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const read = async (path: string): Promise<string> => (await app.open(path, asked)).body();

  expect(await read('/complete')).toBe(`retry: 3000\n${complete}`);
  expect(await read('/failed')).toBe(`retry: 3000\n${failed}`);
  expect(await read('/expired')).toBe(`retry: 3000\n${expired}`);
});

test.each([
  ['openaiChat', openaiChat],
  ['mcp', mcp],
] as const)('%s gives a place before there is an event of the topic', async (name, profile) => {
  const route = routeOf('topic', { wire: profile() }, ({ streams }) => streams.topic('t'));
  await using app = await serve(adapters[0]!, [route], { heartbeatMs: false, retryMs: false });
  await app.streams.publish('t', asData({ before: true }));

  const stream = await app.open('/topic');
  await stream.receive(/id: .*\n\n/);

  const place = String.raw`id: \w+\.1\.\w+\n\n`;
  expect(stream.text).toMatch(new RegExp(`^:\\n${name === 'mcp' ? 'data: \\n' : ''}${place}$`));
});

test.each([openaiChat, openaiResponses, anthropicMessages, aiSdkUi, agUi, mcp])(
  '%p without options is one object, so that routes share bytes; and refuses an option that there is not',
  (profile) => {
    expect(profile()).toBe(profile());
    expect(Object.isFrozen(profile())).toBe(true);
    expect(profile({})).not.toBe(profile());
    expect(() => profile({ descripe: String } as object)).toThrow(`${profile().name}(): there is no option "descripe"`);
  },
);

test.each([openaiResponses, anthropicMessages])(
  '%p refuses what has no name, which its clients would skip',
  (profile) => {
    expect(() => profile().encode?.({ data: { text: 'a' } })).toThrow(/must be an object with a type, got an object/);
    expect(() => profile().encode?.({ data: 'a', type: 'b' })).toThrow(/must be an object with a type, got "a"/);
  },
);
