import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { chunkOf, frame } from './chunk.js';

it('writes parts as one chunk', () => {
  const { plain, chunked } = frame(['data: é', Uint8Array.of(10), '', '\n']);
  expect(chunked.toString()).toBe('a\r\ndata: é\n\n\r\n');
  expect(plain.toString()).toBe('data: é\n\n');
});

it('writes the length in hexadecimal', () => {
  expect(frame(['x'.repeat(0x1abc)]).chunked.toString('latin1', 0, 6)).toBe('1abc\r\n');
});

it('writes the same chunk as text, where all of it is ASCII', () => {
  const parts = ['id: 1\n', 'data: x\n', '\n'];
  expect(chunkOf(parts)).toBe(frame(parts).chunked.toString());
});

it.each([
  ['text that is not ASCII', ['data: é\n']],
  ['a half of a pair', ['data: \ud83e\n']],
  ['bytes', [Uint8Array.of(65)]],
  ['nothing', ['']],
])('writes no text of %s', (_, parts) => {
  expect(chunkOf(parts)).toBeUndefined();
});

it('copies nothing for the plain view', () => {
  const { plain, chunked } = frame(['a']);
  expect(plain.buffer).toBe(chunked.buffer);
});

it.each([[[]], [['']], [['', new Uint8Array()]]])('makes nothing of %p, where a chunk would end the body', (parts) => {
  const { plain, chunked } = frame(parts);
  expect([plain.length, chunked.length]).toEqual([0, 0]);
});

it("is decoded by Node's HTTP client", async () => {
  const bodies = ['data: ü🦊\n\n', '', ':\n', `data: ${'x'.repeat(100_000)}\n\n`];
  const server = createServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    bodies.forEach((body) => socket.write(frame([body]).chunked));
    socket.end('0\r\n\r\n');
  }).listen(0);
  await once(server, 'listening');

  const request = get({ port: (server.address() as AddressInfo).port, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const received = await text(response);
  server.close();

  expect(received).toBe(bodies.join(''));
});
