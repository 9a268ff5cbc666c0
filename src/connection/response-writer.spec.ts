import { describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { frame } from '../wire/chunk.js';
import { until } from '../../test/support/until.js';
import { ResponseWriter } from './response-writer.js';

const HTTP_1_1 = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const HTTP_1_0 = 'GET / HTTP/1.0\r\n\r\n';

/** One exchange over a real socket: the response on the server, the bytes at the client. */
async function exchange(request: string, prepare: (response: ServerResponse) => void = () => undefined) {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port);
  client.write(request);
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  prepare(response);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  const onDrain = jest.fn();
  const writer = new ResponseWriter({ raw: response, isGzip: false }, { drained: onDrain });
  writer.open(() => undefined);
  return {
    client,
    response,
    onDrain,
    writer,
    socketWrite: jest.spyOn(response.socket as Socket, 'write'),
    /** Everything behind the head, once the server has ended the response. */
    body: async () => {
      const all = await text(client);
      return all.slice(all.indexOf('\r\n\r\n') + 4);
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** The body without the chunk framing. */
function unchunk(body: string): string {
  const bytes = Buffer.from(body);
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

const chunk = (body: string) => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;

describe('a response writer', () => {
  it('writes a shared frame straight to the socket, between texts, all in order', async () => {
    await using http = await exchange(HTTP_1_1);
    const shared = frame(['data: ü\n\n']);
    http.writer.write(':\n');
    http.writer.writeFrame(shared);
    http.writer.write('data: 2\n\n');
    http.writer.writeFrame(shared);
    http.writer.end('bye');

    expect(http.socketWrite.mock.calls.filter(([data]) => data === (shared.chunked as unknown))).toHaveLength(2);
    expect(await http.body()).toBe(
      chunk(':\n') + chunk('data: ü\n\n') + chunk('data: 2\n\n') + chunk('data: ü\n\n') + chunk('bye') + '0\r\n\r\n',
    );
  });

  it('writes without chunks for HTTP/1.0', async () => {
    await using http = await exchange(HTTP_1_0);
    http.writer.write('a\n');
    http.writer.writeFrame(frame(['b\n']));
    http.writer.end('c\n');

    expect(await http.body()).toBe('a\nb\nc\n');
  });

  it('goes through a write that somebody has put in between, and has it flushed', async () => {
    const seen: string[] = [];
    const flush = jest.fn();
    await using http = await exchange(HTTP_1_1, (response) => {
      const write = response.write.bind(response) as (data: unknown) => boolean;
      response.write = ((data: string | Uint8Array) => {
        seen.push(Buffer.from(data as Uint8Array).toString());
        return write(data);
      }) as typeof response.write;
      Object.assign(response, { flush });
    });
    http.writer.writeFrame(frame(['x\n']));
    http.writer.write('y\n');
    http.writer.end('');

    expect(seen).toEqual(['x\n', 'y\n']);
    expect(flush).toHaveBeenCalledTimes(2);
    expect(await http.body()).toBe(chunk('x\n') + chunk('y\n') + '0\r\n\r\n');
  });

  it('tells the bytes that wait, and again when they have left', async () => {
    await using http = await exchange(HTTP_1_1);
    http.client.pause();
    const large = frame(['x'.repeat(4_000_000)]);
    expect(http.writer.isWritable).toBe(true);
    for (let n = 0; n < 4; n++) http.writer.writeFrame(large);
    http.writer.write('y'.repeat(100));
    expect(http.writer.isWritable).toBe(false);
    expect(http.writer.pendingBytes).toBeGreaterThan(1_000_000);
    expect(http.onDrain).not.toHaveBeenCalled();

    const drained = new Promise<void>((resolve) => http.onDrain.mockImplementation(() => resolve()));
    http.client.resume();
    await drained;
    expect(http.writer.isWritable).toBe(true);
    expect(http.onDrain).toHaveBeenCalledTimes(1);
  });

  it('a client that takes a part of something large has not stopped reading', async () => {
    await using http = await exchange(HTTP_1_1);
    http.client.pause();
    http.writer.writeFrame(frame(['x'.repeat(32_000_000)]));
    const blockedSince = http.writer.blockedSinceMs;
    const bytesBefore = http.writer.pendingBytes;

    http.client.on('data', () => {
      if (http.client.bytesRead > 8_000_000) http.client.pause();
    });
    http.client.resume();
    await until(() => http.writer.pendingBytes < bytesBefore - 8_000_000, 'a part to be taken');

    expect(http.writer.blockedSinceMs).toBeGreaterThan(blockedSince!);
    expect(http.writer.isWritable).toBe(false);
    expect(http.onDrain).not.toHaveBeenCalled();
  });

  it.each([
    ['HTTP/1.1', HTTP_1_1, unchunk],
    ['HTTP/1.0', HTTP_1_0, (body: string) => body],
  ])('over %s keeps the order when something follows what is being handed over', async (_, request, read) => {
    await using http = await exchange(request);
    const large = 'ü'.repeat(3_000_000);
    http.client.pause();
    http.writer.writeFrame(frame([large]));
    http.writer.write('1');
    http.writer.writeFrame(frame(['2']));
    http.writer.write(large);
    http.writer.write('3');
    http.writer.writeFrame(frame([large]));
    http.writer.end('4');
    http.writer.write('never');
    http.writer.end('never');
    expect(http.writer.isWritable).toBe(false);
    http.client.resume();

    expect(read(await http.body()) === `${large}12${large}3${large}4`).toBe(true);
  });

  it('writes nothing after its end, and takes a second end', async () => {
    await using http = await exchange(HTTP_1_1);
    http.writer.end('last');
    http.writer.end('more');
    http.writer.write('more');
    http.writer.writeFrame(frame(['more']));

    expect(http.writer.isWritable).toBe(false);
    expect(await http.body()).toBe(`${chunk('last')}0\r\n\r\n`);
  });

  it.each([false, true])(
    'writes nothing once somebody else has ended the response; with bytes that wait: %s',
    async (waits) => {
      await using http = await exchange(HTTP_1_1);
      http.writer.writeFrame(frame(['1']));
      if (waits) http.response.cork();
      http.response.end('last');
      http.writer.writeFrame(frame(['more']));
      if (waits) http.response.uncork();
      http.writer.writeFrame(frame(['more']));
      http.writer.write('more');

      expect(http.writer.isWritable).toBe(false);
      expect(await http.body()).toBe(`${chunk('1')}${chunk('last')}0\r\n\r\n`);
    },
  );

  it('knows of a response that had ended before it was opened', async () => {
    await using http = await exchange(HTTP_1_1, (response) => {
      response.writeHead(200);
      response.end('all');
      response.writeHead = () => response;
    });
    http.writer.writeFrame(frame(['more']));

    expect(http.writer.isWritable).toBe(false);
    expect(await http.body()).not.toContain('more');
  });

  it('cuts the connection when it is destroyed', async () => {
    await using http = await exchange(HTTP_1_1);
    http.response.on('error', () => undefined);
    http.writer.write('x');
    http.writer.destroy();

    await once(http.client.resume(), 'close');
    expect(http.response.destroyed).toBe(true);
  });

  it('lets go of the keep-alive connection once the response has been sent', async () => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    http.writer.end('last');
    http.writer.closeSocketWhenSent();

    expect(await http.body()).toBe(`${chunk('last')}0\r\n\r\n`);
  });
});
