import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { EventSource as PackageEventSource } from 'eventsource';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { EventSource as UndiciEventSource } from 'undici';
import { streamHeaders } from '../http/headers.js';
import { encodeEvent } from './encode.js';
import type { SseEvent } from './event.js';
import { createStreamParser, type ParsedEvent } from './parse.js';

type SentEvent = SseEvent & { readonly id: string };

type EventSourceClass = new (url: string) => {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
};

const TYPES = ['message', 'update', 'ça va: oui', '状態'];

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\ufeff', '\0', ':', ' ', 'data: ', 'id: 9', '\u2028', '\ud800', '🦊'),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join(''));
const long = fc.nat({ max: 20_000 }).map((length) => 'ü\n'.repeat(length));
const data = fc.oneof({ weight: 6, arbitrary: text }, { weight: 3, arbitrary: fc.jsonValue() }, fc.uint8Array(), long);
const sentEvent: fc.Arbitrary<SentEvent> = fc.record({
  data,
  id: fc.stringMatching(/^[^\r\n\0]{1,20}$/u).filter((id) => id.trim() === id),
  type: fc.constantFrom(undefined, '', ...TYPES),
  retry: fc.option(fc.nat({ max: 3_600_000 }), { nil: undefined }),
  comment: fc.option(text, { nil: undefined }),
});
const cuts = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 20 });

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

function expected({ data, type, id }: SentEvent): ParsedEvent {
  return { data: expectedData(data), type: type || 'message', lastEventId: id };
}

function expectedData(data: unknown): string {
  if (typeof data === 'string') return Buffer.from(data).toString().replace(/\r\n?/g, '\n');
  return data instanceof Uint8Array ? Buffer.from(data).toString('base64') : JSON.stringify(data);
}

describe('events that are encoded, cut anywhere and parsed', () => {
  const streams = fc.array(sentEvent, { minLength: 1, maxLength: 8 });
  const encode = (events: readonly SentEvent[]) => Buffer.from(events.map(encodeEvent).join(''));

  it('are the same with our parser', () => {
    fc.assert(
      fc.property(streams, cuts, (events, sizes) => {
        const received: ParsedEvent[] = [];
        const parser = createStreamParser({ onEvent: (event) => received.push(event) });

        cut(encode(events), sizes).forEach((chunk) => parser.push(chunk));

        expect(received).toEqual(events.map(expected));
      }),
      { numRuns: 300 },
    );
  });

  it('are the same at several MiB', () => {
    const events = ['x', 'ü', '🦊\n', '\r'].map((text, id) => ({ data: text.repeat(2 ** 21), id: String(id) }));
    const received: ParsedEvent[] = [];
    const parser = createStreamParser({ onEvent: (event) => received.push(event) });

    cut(encode(events), [65_536, 1]).forEach((chunk) => parser.push(chunk));

    expect(received.map(({ data }) => data.length)).toEqual(events.map(({ data }) => data.length));
    expect(received.every(({ data }, at) => data === expectedData(events[at]!.data))).toBe(true);
  });

  it('are the same with eventsource-parser', () => {
    fc.assert(
      fc.property(streams, cuts, (events, sizes) => {
        const received: unknown[] = [];
        const decoder = new TextDecoder();
        const parser = createParser({
          onEvent: ({ event: type = 'message', data, id: lastEventId }) => received.push({ type, data, lastEventId }),
          onError: (error) => received.push(error),
        });

        cut(encode(events), sizes).forEach((chunk) => parser.feed(decoder.decode(chunk, { stream: true })));

        expect(received).toEqual(events.map(expected));
      }),
      { numRuns: 300 },
    );
  });
});

describe('events over HTTP', () => {
  it.each<[string, EventSourceClass]>([
    ['undici', UndiciEventSource],
    ['eventsource', PackageEventSource],
  ])("are the same with %s's EventSource", async (_, EventSource) => {
    const seed = 20_260_101;
    const events = fc.sample(sentEvent, { numRuns: 150, seed });
    const last: SentEvent = { data: 'end', type: 'end', id: 'end' };
    const chunks = cut(
      Buffer.from([...events, last].map(encodeEvent).join('')),
      fc.sample(cuts, { numRuns: 1, seed })[0]!,
    );
    const server = createServer((_request, response) => {
      response.writeHead(200, streamHeaders({ http2: false }));
      response.socket?.setNoDelay();
      void (async () => {
        for (const chunk of chunks) await new Promise((written) => response.write(chunk, written));
      })();
    }).listen(0);
    await once(server, 'listening');

    const received: ParsedEvent[] = [];
    const source = new EventSource(`http://localhost:${(server.address() as AddressInfo).port}`);
    for (const type of TYPES) {
      source.addEventListener(type, ({ data, lastEventId }) => received.push({ type, data, lastEventId }));
    }
    await new Promise((ended) => source.addEventListener('end', ended));
    source.close();
    server.closeAllConnections();
    server.close();

    expect(received).toEqual(events.map(expected));
  });
});
