import { afterEach, describe, expect, it } from '@jest/globals';
import { transformSync } from 'esbuild';
import * as client from 'nestjs-event-stream/client';
import * as reactBinding from 'nestjs-event-stream/client/react';
import * as vueBinding from 'nestjs-event-stream/client/vue';
import * as main from 'nestjs-event-stream';
import { readFileSync } from 'node:fs';
import * as react from 'react';
import * as jsx from 'react/jsx-runtime';
import { renderToString } from 'react-dom/server';
import * as rxjs from 'rxjs';
import * as vue from 'vue';
import { compileScript, parse } from 'vue/compiler-sfc';
import { renderToString as renderVueToString } from 'vue/server-renderer';
import { until } from '../support/until.js';

/** What the recipes of docs/clients-frameworks.md import. */
const packages: Readonly<Record<string, unknown>> = {
  'nestjs-event-stream': main,
  'nestjs-event-stream/client': client,
  'nestjs-event-stream/client/react': reactBinding,
  'nestjs-event-stream/client/vue': vueBinding,
  react,
  'react/jsx-runtime': jsx,
  rxjs,
  vue,
};

interface Request {
  readonly url: string;
  readonly signal: AbortSignal;
  /** Nobody reads it any more. */
  isOver: boolean;
  say(text: string): void;
}

type Order = { readonly id: string; readonly status: string };

const page = readFileSync('docs/clients-frameworks.md', 'utf8');
const requests: Request[] = [];
const stops: (() => void)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await until(() => requests.every(({ isOver }) => isOver), 'the streams to be closed');
  requests.length = 0;
});

describe('the recipe for RxJS', () => {
  const { eventsOf } = recipe('// events-of.ts');

  it('gives the events, and closes the stream at once when nobody wants them any more', async () => {
    const events: string[] = [];
    const subscription = eventsOf('http://a.example/', { fetch: answer() }).subscribe((event: client.Received) =>
      events.push(event.data),
    );
    await until(() => requests.length === 1, 'a request');
    requests[0]!.say('data: 1\n\ndata: 2\n\n');
    await until(() => events.length === 2, 'two events');

    subscription.unsubscribe();

    expect(requests[0]!.signal.aborted).toBe(true);
    expect(events).toEqual(['1', '2']);
  });

  it('is needed: from() alone leaves the stream open', async () => {
    const stream = client.openStream('http://a.example/', { fetch: answer() });
    stops.push(() => stream.close());
    const subscription = rxjs.from(stream).subscribe();
    await until(() => stream.state.phase === 'open', 'the stream to be open');

    subscription.unsubscribe();
    await new Promise((resolve) => setImmediate(resolve));

    expect(stream.state.phase).toBe('open');
  });

  it('opens a stream for each subscriber, completes with it, and fails with it', async () => {
    const end = 'event: stream.end\ndata: {"reason":"complete","reconnect":false}\n\n';
    const completed = rxjs.lastValueFrom(eventsOf('http://a.example/', { fetch: answer() }), { defaultValue: 'none' });
    await until(() => requests.length === 1, 'a request');
    requests[0]!.say(end);
    await expect(completed).resolves.toBe('none');

    const failed = rxjs.lastValueFrom(eventsOf('http://a.example/', { fetch: answer(403) }));
    await expect(failed).rejects.toMatchObject({ name: 'StreamError', code: 'status' });
  });

  it('is subscribed to outside of a zone', () => {
    const { outside } = recipe('// outside.ts');
    const calls: string[] = [];
    const zone = {
      runOutsideAngular: <T>(run: () => T): T => {
        calls.push('out');
        const result = run();
        calls.push('in');
        return result;
      },
    };
    const source = rxjs.defer(() => {
      calls.push('subscribed');
      return rxjs.NEVER.pipe(rxjs.finalize(() => calls.push('over')));
    });

    outside(zone, source).subscribe().unsubscribe();

    expect(calls).toEqual(['out', 'subscribed', 'in', 'over']);
  });
});

describe('the recipe for TanStack Query', () => {
  it('changes what is loaded, and loads it again where something may be missing', async () => {
    const { followOrders } = recipe('// follow-orders.ts');
    let orders: Order[] | undefined;
    let isFetching = 0;
    let invalidated = 0;
    // Of the shape of a QueryClient.
    const queries = {
      setQueryData: (_key: unknown, update: (old?: Order[]) => Order[] | undefined) => (orders = update(orders)),
      invalidateQueries: async () => void invalidated++,
      isFetching: () => isFetching,
    };
    const stream: client.Stream = followOrders(queries, 'http://a.example/', { fetch: answer(), retryInterval: 1 });
    stops.push(() => stream.close());
    const changed = (status: string): void =>
      requests.at(-1)!.say(`event: changed\nid: 1\ndata: ${JSON.stringify({ id: 'b', status })}\n\n`);
    const told = async (type: string, tell: () => void): Promise<void> => {
      const heard = new Promise<void>((resolve) => stops.push(stream.on(type, () => resolve())));
      tell();
      await heard;
    };

    await until(() => invalidated === 1, 'it to be loaded behind the first connection');
    await told('changed', () => changed('before it is loaded'));
    expect(orders).toBeUndefined();

    orders = [
      { id: 'a', status: 'new' },
      { id: 'b', status: 'new' },
    ];
    await told('changed', () => changed('shipped'));
    expect(orders.map(({ status }) => status)).toEqual(['new', 'shipped']);

    isFetching = 1;
    await told('changed', () => changed('while it is loaded'));
    expect([orders[1]!.status, invalidated]).toEqual(['shipped', 2]);

    await told('stream.reset', () =>
      requests[0]!.say('event: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n'),
    );
    expect(invalidated).toBe(3);

    // What is resumed misses nothing.
    stream.reconnect();
    await until(() => requests.length === 2 && stream.state.phase === 'open', 'another connection');
    expect(invalidated).toBe(3);
  });
});

describe('the recipe for SWR', () => {
  const { subscribeToPrice } = recipe('// subscribe-to-price.ts');

  it('gives prices, and closes the stream', async () => {
    const prices: unknown[] = [];
    const next = (error: unknown, price?: number): unknown => prices.push(error ?? price);
    const dispose = subscribeToPrice('http://a.example/', { next }, { fetch: answer() });
    await until(() => requests.length === 1, 'a request');
    requests[0]!.say('event: tick\ndata: {"price":7}\n\nevent: other\ndata: 1\n\n');
    await until(() => prices.length > 0, 'a price');

    dispose();

    expect(prices).toEqual([7]);
    expect(requests[0]!.signal.aborted).toBe(true);
  });

  it('gives the error of a stream that is over', async () => {
    const error = await new Promise<unknown>((next) =>
      subscribeToPrice('http://a.example/', { next }, { fetch: answer(403) }),
    );
    expect(error).toMatchObject({ code: 'status' });
  });
});

describe('the store contract of Svelte', () => {
  it('is kept by a stream: it calls at once, then for each state, and not when that is ended', async () => {
    const stream = client.openStream('http://a.example/', { fetch: answer() });
    const [all, few]: string[][] = [[], []];
    const endAll = stream.subscribe(({ phase }) => all!.push(phase));
    const endFew = stream.subscribe(({ phase }) => few!.push(phase));
    const atOnce = all!.length;
    endFew();
    await until(() => stream.state.phase === 'open', 'the stream to be open');

    stream.close();
    endAll();

    expect(atOnce).toBe(1);
    expect(all).toEqual(['connecting', 'open', 'closed']);
    expect(few).toEqual(['connecting']);
  });
});

describe('the components', () => {
  it.each<[string, object, string]>([
    ['Room', { room: 'a' }, '<ul></ul>'],
    ['Room', { room: null }, '<ul></ul>'],
    ['Price', { symbol: 'A' }, '<b>…</b>'],
  ])('of React are rendered on a server: %s %o', (name, props, html) => {
    const component = recipe(`export function ${name}(`)[name];
    expect(renderToString(react.createElement(component, props))).toBe(html);
    expect(requests).toHaveLength(0);
  });

  it('of Vue is rendered on a server', async () => {
    const { descriptor } = parse(blocks().find((text) => text.startsWith('<script setup lang="ts">'))!);
    const { content } = compileScript(descriptor, { id: 'recipe', inlineTemplate: true });
    const component = run(content).default;

    expect(await renderVueToString(vue.createSSRApp(component, { symbol: 'A' }))).toContain('<b>0</b>');
  });
});

function blocks(): string[] {
  return [...page.matchAll(/^```\w+\n([^]*?)^```$/gm)].map(([, text]) => text!);
}

/** What the block of the page that has that text exports. */
function recipe(part: string): Record<string, any> {
  const block = blocks().find((text) => text.includes(part));
  if (block === undefined) throw new Error(`There is no recipe with "${part}"`);
  return run(block);
}

function run(code: string): Record<string, any> {
  const { code: script } = transformSync(code, { loader: 'tsx', format: 'cjs', jsx: 'automatic' });
  const module = { exports: {} };
  const require = (name: string): unknown => packages[name] ?? missing(name);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  new Function('module', 'exports', 'require', script)(module, module.exports, require);
  return module.exports;
}

function missing(name: string): never {
  throw new Error(`A recipe imports ${name}`);
}

function answer(status = 200): client.FetchLike {
  return async (url, init) => {
    const { signal } = init as { signal: AbortSignal };
    let body!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (body = controller),
      cancel: () => void (request.isOver = true),
    });
    const say = (text: string): void => body.enqueue(new TextEncoder().encode(text));
    const request: Request = { url, signal, isOver: false, say };
    signal.addEventListener('abort', () => {
      request.isOver = true;
      body.error(signal.reason);
    });
    if (status === 200) requests.push(request);
    return new Response(stream, { status, headers: { 'content-type': 'text/event-stream' } });
  };
}
