import { once } from 'node:events';
import { type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../../test/support/until.js';
import { frame } from './chunk.js';
import { closeSocketBehind, destroyResponse } from './raw-response.js';
import { ResponseWriter } from './response-writer.js';

const HTTP_1_1 = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const HTTP_1_0 = 'GET / HTTP/1.0\r\n\r\n';

/** One exchange over a real socket: the response on the server, the bytes at the client. */
async function exchange(request: string, prepare: (response: ServerResponse) => void = () => undefined) {
  // The mark of Node 22 and later, also on 20.
  const server = createServer({ highWaterMark: 65_536 }).listen(0);
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port);
  client.write(request);
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  prepare(response);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  const [onDrain, onFailed] = [jest.fn(), jest.fn()];
  const writer = new ResponseWriter({ raw: response, isGzip: false }, { drained: onDrain, writeFailed: onFailed });
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

/** A body that has no chunks. */
function asIs(body: string): string {
  return body;
}

/** Puts a `write` in between, as a compression middleware does. */
function addMiddleware(response: ServerResponse): void {
  const write = response.write.bind(response);
  response.write = ((...given: Parameters<typeof write>) => write(...given)) as typeof response.write;
}

const tick = () => new Promise<void>((resolve) => process.nextTick(resolve));

const LARGE = 'data: ü and more\n'.repeat(12_000);

/** What is written in each way that there is. */
const TEXTS: Readonly<Record<string, string>> = {
  text: 'data: a\n\n',
  wide: 'data: 日本\n\n',
  'long text': `data: ${'x'.repeat(20_000)}\n\n`,
  'large text': `1${LARGE}`,
  lone: ':\n',
  frame: 'data: ü\n\n',
  'large frame': `2${LARGE}`,
};

const [shared, largeShared] = [frame([TEXTS.frame!]), frame([TEXTS['large frame']!])];

const KINDS: Readonly<Record<string, (writer: ResponseWriter) => void>> = {
  text: (writer) => writer.write(TEXTS.text!),
  wide: (writer) => writer.write(TEXTS.wide!),
  'long text': (writer) => writer.write(TEXTS['long text']!),
  'large text': (writer) => writer.write(TEXTS['large text']!),
  lone: (writer) => writer.writeNow(TEXTS.lone!),
  frame: (writer) => writer.writeFrame(shared),
  'large frame': (writer) => writer.writeFrame(largeShared),
};

/** All ways to put three of them, or fewer, behind each other. */
function ordersOf(kinds: readonly string[]): string[] {
  const pairs = kinds.flatMap((one) => kinds.map((other) => `${one}, ${other}`));
  return [...pairs, ...pairs.flatMap((pair) => kinds.map((kind) => `${pair}, ${kind}`))];
}

/** The chunks of a piece: something large is sent in slices. */
function chunks(text: string): string {
  const bytes = Buffer.from(text);
  const slices: string[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) {
    const slice = bytes.subarray(at, at + 65_536);
    slices.push(`${slice.length.toString(16)}\r\n${slice.toString('latin1')}\r\n`);
  }
  return Buffer.from(slices.join(''), 'latin1').toString();
}

const chunk = (body: string) => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;

describe('a response writer', () => {
  it('writes a shared frame straight to the socket, without a copy', async () => {
    await using http = await exchange(HTTP_1_1);
    const shared = frame(['data: ü\n\n']);
    http.writer.write(':\n');
    http.writer.writeFrame(shared);
    http.writer.writeFrame(shared);
    http.writer.end('bye');

    expect(http.socketWrite.mock.calls.filter(([data]) => data === (shared.chunked as unknown))).toHaveLength(2);
    expect(await http.body()).toBe(
      chunk(':\n') + chunk('data: ü\n\n') + chunk('data: ü\n\n') + chunk('bye') + '0\r\n\r\n',
    );
  });

  // Node 24 began to keep back what is written to a response, so that frames for its socket overtook it. Whatever a later
  // Node does with what it is given: the bytes are these.
  it.each(ordersOf(Object.keys(KINDS)))(
    'sends %s of one turn in their order, each a chunk of its own',
    async (order) => {
      await using http = await exchange(HTTP_1_1);
      const kinds = order.split(', ');
      for (const kind of kinds) KINDS[kind]!(http.writer);
      http.writer.end('end');

      const expected = kinds.map((kind) => chunks(TEXTS[kind]!)).join('') + chunk('end') + '0\r\n\r\n';
      expect((await http.body()) === expected).toBe(true);
    },
  );

  it.each([
    ['HTTP/1.1', HTTP_1_1, unchunk, undefined],
    ['HTTP/1.0', HTTP_1_0, asIs, undefined],
    ['HTTP/1.1 through a middleware', HTTP_1_1, unchunk, addMiddleware],
  ])('over %s keeps any order of turns, microtasks and kinds', async (_, request, read, prepare) => {
    const pause = fc.constantFrom(undefined, () => Promise.resolve(), tick, turn);
    const step = fc.tuple(fc.constantFrom(...Object.keys(KINDS)), pause);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using http = await exchange(request, prepare);
        const body = http.body();
        for (const [kind, wait] of steps) {
          KINDS[kind]!(http.writer);
          await wait?.();
        }
        http.writer.end('end');

        expect(read(await body) === `${steps.map(([kind]) => TEXTS[kind]).join('')}end`).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('makes one write of the texts and frames of one turn', async () => {
    await using http = await exchange(HTTP_1_1);
    const writes = jest.spyOn(http.response.socket as Socket & { _writev: () => void }, '_writev');
    http.writer.write('1');
    await Promise.resolve();
    http.writer.writeFrame(frame(['2']));
    http.writer.write('3');
    expect(http.response.socket?.writableLength).toBeGreaterThan(0);
    await turn();

    expect(http.response.socket?.writableLength).toBe(0);
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['HTTP/1.1', HTTP_1_1],
    ['HTTP/1.0', HTTP_1_0],
  ])('over %s lets others have a turn after each 256 KiB of a source that never waits', async (_, request) => {
    await using http = await exchange(request);
    http.client.resume();
    let turns = 0;
    let immediate = setImmediate(function count() {
      turns++;
      immediate = setImmediate(count);
    });

    for (let n = 0; n < 1_600; n++) {
      await http.writer.whenWritable();
      http.writer.write('x'.repeat(1_016));
    }
    clearImmediate(immediate);

    expect(turns).toBeGreaterThanOrEqual(5);
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
    // How many chunks it makes of them is the response's affair.
    expect(unchunk(await http.body())).toBe('x\ny\n');
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

  it.each([
    ['HTTP/1.1', HTTP_1_1],
    ['HTTP/1.0', HTTP_1_0],
  ])('over %s asks for no more with 16 KiB waiting, whatever Node would take', async (_, request) => {
    await using http = await exchange(request);
    http.client.pause();
    while (http.writer.isWritable) {
      http.writer.writeFrame(frame(['x'.repeat(1_000)]));
      await turn();
    }

    expect(http.writer.pendingBytes).toBeGreaterThanOrEqual(16_384);
    expect(http.writer.pendingBytes).toBeLessThan(16_384 + 2_000);
  });

  it('asks for nothing more once its socket is destroyed, before anybody hears of that', async () => {
    await using http = await exchange(HTTP_1_1);
    http.response.socket?.destroy();
    http.writer.write('1');
    await tick();

    expect(http.writer.isWritable).toBe(false);
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
    // What the kernel holds for the client left before it was looked at.
    await until(() => http.writer.pendingBytes < bytesBefore - 4_000_000, 'a part to be taken');

    expect(http.writer.blockedSinceMs).toBeGreaterThan(blockedSince!);
    expect(http.writer.isWritable).toBe(false);
    expect(http.onDrain).not.toHaveBeenCalled();
  });

  it.each([
    ['HTTP/1.1', HTTP_1_1, unchunk],
    ['HTTP/1.0', HTTP_1_0, asIs],
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
      // Of the socket: an end that finds the response itself corked comes before its last bytes on Node 22.23.
      if (waits) http.response.socket?.cork();
      http.response.end('last');
      http.writer.writeFrame(frame(['more']));
      if (waits) http.response.socket?.uncork();
      http.writer.writeFrame(frame(['more']));
      http.writer.write('more');

      expect(http.writer.isWritable).toBe(false);
      expect(await http.body()).toBe(`${chunk('1')}${chunk('last')}0\r\n\r\n`);
    },
  );

  it('keeps its framing when somebody else writes to the response, or ends it, within something large', async () => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    http.client.pause();
    http.writer.write(LARGE);
    http.response.write('theirs\n');
    http.writer.write('ours\n');
    http.writer.writeFrame(frame(['x'.repeat(32_000_000)]));
    http.response.end('last');
    let received = '';
    http.client.setEncoding('latin1').on('data', (text: string) => (received += text));
    http.client.resume();
    await until(() => received.endsWith('0\r\n\r\n'), 'the end');

    const body = unchunk(Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1').toString());
    expect(body.replace(/x+/, '').replace('theirs\n', '') === `${LARGE}ours\nlast`).toBe(true);
    expect(body.match(/theirs/g)).toHaveLength(1);
  });

  it('listens once for the `drain` of a middleware, however often it is blocked', async () => {
    const heard: string[] = [];
    await using http = await exchange(HTTP_1_1, (response) => {
      addMiddleware(response);
      const on = response.on.bind(response);
      response.on = ((event: string, listener: () => void) => {
        heard.push(event);
        return on(event, listener);
      }) as typeof response.on;
    });
    http.client.resume();
    for (let n = 0; n < 5; n++) {
      http.writer.write('x'.repeat(200_000));
      expect(http.writer.isWritable).toBe(false);
      await http.writer.whenWritable();
    }

    expect(heard.filter((event) => event === 'drain')).toHaveLength(1);
  });

  it('sends what was written in the turn in which somebody else ends the response, before that end', async () => {
    await using http = await exchange(HTTP_1_1);
    http.writer.write('1');
    http.writer.writeFrame(frame(['2']));
    http.writer.write('3');
    http.response.end('last');
    http.writer.write('more');

    expect(await http.body()).toBe(`${chunk('1')}${chunk('2')}${chunk('3')}${chunk('last')}0\r\n\r\n`);
  });

  it('leaves the next response on its connection alone', async () => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { socket } = http.response;
    http.writer.write('1');
    http.writer.end('last');
    socket?.cork();
    await turn();

    expect(socket?.writableCorked).toBe(1);
  });

  it.each([0, 3_000_000])('ends the response once, also when its last %i bytes wait', async (bytes) => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const end = jest.spyOn(http.response, 'end');
    http.client.pause();
    http.writer.writeFrame(frame(['x'.repeat(8_000_000)]));
    http.writer.writeFrame(frame(['y'.repeat(bytes)]));
    http.writer.end('last');
    http.client.resume();
    await once(http.response, 'finish');
    await turn();
    await turn();

    expect(end.mock.calls).toEqual([['last']]);
  });

  it('hands over nothing of what waited to the next response, when somebody else has ended its own', async () => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    http.client.pause();
    http.writer.writeFrame(frame(['x'.repeat(32_000_000)]));
    http.response.end();
    http.client.resume();
    await once(http.response, 'finish');
    const written = http.socketWrite.mock.calls.length;
    await turn();
    await turn();

    expect(http.socketWrite.mock.calls.length).toBe(written);
  });

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
    destroyResponse(http.response);

    await once(http.client.resume(), 'close');
    expect(http.response.destroyed).toBe(true);
  });

  it('lets go of the keep-alive connection once the response has been sent', async () => {
    await using http = await exchange('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    http.writer.end('last');
    closeSocketBehind(http.response);

    expect(await http.body()).toBe(`${chunk('last')}0\r\n\r\n`);
  });
});
