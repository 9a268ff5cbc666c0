import { afterEach, describe, expect, it } from '@jest/globals';
import { QueryClient, QueryObserver } from '@tanstack/react-query';
import * as client from 'nestjs-event-stream/client';
import * as react from 'react';
import { renderToString } from 'react-dom/server';
import * as rxjs from 'rxjs';
import { compile } from 'svelte/compiler';
import { render } from 'svelte/server';
import * as vue from 'vue';
import { compileScript, parse } from 'vue/compiler-sfc';
import { renderToString as renderVueToString } from 'vue/server-renderer';
import { until } from '../support/until.js';
import { recipes } from './recipes.js';
import { recipe, run } from './run-recipe.js';

interface Request {
  readonly url: string;
  readonly signal: AbortSignal;
  /** Nobody reads it any more. */
  isOver: boolean;
  say(text: string): void;
  end(): void;
}

type Order = { readonly id: string; readonly status: string };

const requests: Request[] = [];
const stops: (() => void)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await until(() => requests.every(({ isOver }) => isOver), 'the streams to be closed');
  requests.length = 0;
});

describe('the recipe for RxJS', () => {
  const { eventsOf } = recipe('events-of.ts');

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
    const { outside } = recipe('outside.ts');
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
  const { followOrders } = recipe('follow-orders.ts');

  it('changes what is loaded, and loads it again where something may be missing', async () => {
    const { load, changed, told, shown } = follow();
    load.answer([
      { id: 'a', status: 'new' },
      { id: 'b', status: 'new' },
    ]);
    await until(() => load.count === 2, 'it to be loaded again behind the first connection');
    load.answer([
      { id: 'a', status: 'new' },
      { id: 'b', status: 'paid' },
    ]);
    await until(() => shown() === 'new paid', 'what is loaded');

    await changed('shipped');
    await until(() => shown() === 'new shipped', 'the change');
    expect(load.count).toBe(2);

    await told('event: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n');
    expect(load.count).toBe(3);
    load.answer([{ id: 'b', status: 'returned' }]);
    await until(() => shown() === 'returned', 'what is loaded then');

    // What is resumed misses nothing.
    requests[0]!.end();
    await until(() => requests.length === 2, 'another connection');
    await changed('refunded');
    await until(() => shown() === 'refunded', 'the change on it');
    expect(load.count).toBe(3);
  });

  it('loads once more behind the answer that changes may have overtaken, however many they are', async () => {
    const { load, changed, shown, observer } = follow();
    // Of the first load, which TanStack Query does not begin anew.
    for (const status of ['paid', 'packed', 'shipped']) await changed(status);
    expect(load.count).toBe(1);
    load.answer([{ id: 'b', status: 'new' }]);
    await until(() => load.count === 2, 'a load behind it');
    load.answer([{ id: 'b', status: 'shipped' }]);
    await until(() => shown() === 'shipped', 'what is true');

    // As when the window has the focus again.
    void observer.refetch();
    for (const status of ['returned', 'refunded']) await changed(status);
    expect(load.count).toBe(3);
    load.answer([{ id: 'b', status: 'shipped' }]);
    await until(() => load.count === 4, 'a load behind it');
    load.answer([{ id: 'b', status: 'refunded' }]);
    await until(() => shown() === 'refunded', 'what is true');
  });

  it('does not take for fresh what could not be loaded again', async () => {
    const { load, changed, told, shown, queries } = follow();
    load.answer([{ id: 'b', status: 'new' }]);
    await until(() => load.count === 2, 'it to be loaded again behind the first connection');
    load.answer([{ id: 'b', status: 'paid' }]);
    await until(() => shown() === 'paid', 'what is loaded');

    await told('event: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n');
    load.fail();
    await until(() => queries.getQueryState(['orders'])?.status === 'error', 'it to fail');
    await changed('shipped');

    expect(load.count).toBe(4);
    load.answer([{ id: 'b', status: 'returned' }]);
    await until(() => shown() === 'returned', 'what is true');
  });

  /** Follows the orders that a component shows. */
  function follow() {
    const queries = new QueryClient({ defaultOptions: { queries: { retry: false, gcTime: 0 } } });
    const load = { count: 0, answer: (_: Order[]): void => undefined, fail: (): void => undefined };
    const observer = new QueryObserver<Order[]>(queries, {
      queryKey: ['orders'],
      staleTime: Infinity,
      queryFn: () => {
        load.count++;
        return new Promise((resolve, reject) => {
          load.answer = resolve;
          load.fail = () => reject(new Error('no orders'));
        });
      },
    });
    stops.push(observer.subscribe(() => undefined));
    let heard = 0;
    const debug = ({ kind }: client.DebugFrame): unknown => kind === 'comment' && heard++;
    stops.push(followOrders(queries, 'http://a.example/', { fetch: answer(), retryInterval: 1, debug }));

    /** Says that, and waits until it has been heard. */
    const told = async (text: string): Promise<void> => {
      await until(() => requests.length > 0, 'a connection');
      const before = heard;
      requests.at(-1)!.say(text);
      requests.at(-1)!.say(': behind it\n\n');
      await until(() => heard > before, 'it to be heard');
    };
    const changed = (status: string): Promise<void> =>
      told(`event: changed\nid: ${status}\ndata: ${JSON.stringify({ id: 'b', status })}\n\n`);
    const shown = (): string | undefined =>
      observer
        .getCurrentResult()
        .data?.map(({ status }) => status)
        .join(' ');
    return { queries, observer, load, told, changed, shown };
  }
});

describe('the recipe for SWR', () => {
  const { subscribeToPrice } = recipe('subscribe-to-price.ts');

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
  it.each<[string, string, object, string]>([
    ['Room', 'room.tsx', { room: 'a' }, '<ul></ul>'],
    ['Room', 'room.tsx', { room: null }, '<ul></ul>'],
    ['Price', 'price.tsx', { symbol: 'A' }, '<b>…</b>'],
    ['Price', 'swr-price.tsx', { symbol: 'A' }, '<b>…</b>'],
  ])('of React are rendered on a server: %s of %s', (name, file, props, html) => {
    expect(renderToString(react.createElement(recipe(file)[name], props))).toBe(html);
  });

  it('of Vue is rendered on a server', async () => {
    const { descriptor } = parse(recipes.get('Price.vue')!);
    const { content } = compileScript(descriptor, { id: 'recipe', inlineTemplate: true });
    const component = run(content).default;

    expect(await renderVueToString(vue.createSSRApp(component, { symbol: 'A' }))).toContain('<b>0</b>');
  });

  it('of Svelte is rendered on a server', () => {
    const { js, warnings } = compile(recipes.get('Price.svelte')!, { generate: 'server' });

    const { body } = render(run(js.code).default, { props: { symbol: 'A' } });
    expect(body).toContain('<b></b>');
    expect(warnings).toEqual([]);
  });
});

function answer(status = 200): client.FetchLike {
  return async (url, init) => {
    const { signal } = init as { signal: AbortSignal };
    let body!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (body = controller),
      cancel: () => void (request.isOver = true),
    });
    const say = (text: string): void => body.enqueue(new TextEncoder().encode(text));
    const end = (): void => {
      request.isOver = true;
      body.close();
    };
    const request: Request = { url, signal, isOver: false, say, end };
    signal.addEventListener('abort', () => {
      request.isOver = true;
      body.error(signal.reason);
    });
    if (status === 200) requests.push(request);
    return new Response(stream, { status, headers: { 'content-type': 'text/event-stream' } });
  };
}
