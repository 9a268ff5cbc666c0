import { thrown } from './bench.js';
import { section } from './case.js';

const CONSTANTS = ['CONNECTING', 'OPEN', 'CLOSED'] as const;

export const construction = section('the constructor', [
  {
    name: 'throws a SyntaxError for what is no URL',
    run: ({ Source }) => thrown(() => new Source('http://:::/')),
    expected: 'SyntaxError as DOMException',
  },
  {
    name: 'is no function',
    run: ({ Source, near }) => thrown(() => (Source as unknown as (url: string) => void)(`${near}/message`)),
    expected: 'TypeError',
  },
  {
    name: 'wants one argument',
    run: ({ Source }) => Source.length,
    expected: 1,
  },
  {
    name: 'makes text of what it is given',
    run: (bench) => bench.open({ toString: () => `${bench.near}/message?x` } as URL).url === `${bench.near}/message?x`,
    expected: true,
  },
  {
    name: 'has the URL as it is written, with its fragment',
    run: (bench) => bench.open(`${bench.near}/a/../message?ä#f`).url.slice(bench.near.length),
    expected: '/message?%C3%A4#f',
  },
  {
    name: 'leaves the fragment out of the request',
    run: async (bench) => bench.heard(bench.open('/message#fragment')),
    expected: ['open', 'message||data', 'error 0'],
  },
  {
    name: 'makes a boolean of withCredentials',
    run: ({ Source, near }) =>
      [undefined, null, {}, { withCredentials: undefined }, { withCredentials: true }, { withCredentials: 'yes' }].map(
        (init) => {
          const source = new Source(`${near}/message`, init as never);
          source.close();
          return source.withCredentials;
        },
      ),
    expected: [false, false, false, false, true, true],
  },
  {
    name: 'takes a relative URL from the page',
    run: (bench) => {
      const source = new bench.Source('message?1');
      source.close();
      return source.url === `${bench.near}/message?1`;
    },
    expected: true,
    inPage: true,
  },
  {
    name: 'takes a relative URL from the base of the document',
    run: async (bench) => {
      const base = document.createElement('base');
      base.href = '/cors/';
      document.head.append(base);
      try {
        const source = new bench.Source('../accept');
        return [source.url === `${bench.near}/accept`, await bench.heard(source)];
      } finally {
        base.remove();
      }
    },
    expected: [true, ['open', 'message||text/event-stream', 'error 0']],
    inPage: true,
  },
  {
    name: 'takes an empty URL for that of the page, which is no stream',
    run: async (bench) => {
      const source = new bench.Source('');
      return [source.url === document.URL, await bench.heard(source)];
    },
    expected: [true, ['error 2']],
    inPage: true,
  },
]);

export const inter = section('the interface', [
  {
    name: 'extends EventTarget',
    run: (bench) => [
      bench.open('/message') instanceof EventTarget,
      Object.getPrototypeOf(bench.Source) === EventTarget,
      Object.getPrototypeOf(bench.Source.prototype) === EventTarget.prototype,
    ],
    expected: [true, true, true],
  },
  {
    name: 'has its constants on the class, the prototype and the instance, and they stay',
    run: (bench) =>
      CONSTANTS.map((name) => {
        const [own, shared] = [bench.Source, bench.Source.prototype as object].map((on) =>
          JSON.stringify(Object.getOwnPropertyDescriptor(on, name)),
        );
        return [bench.open('/message')[name], own === shared, own];
      }),
    expected: CONSTANTS.map((_, value) => [
      value,
      true,
      JSON.stringify({ value, writable: false, enumerable: true, configurable: false }),
    ]),
  },
  {
    name: 'has attributes that are accessors of the prototype',
    run: ({ Source }) =>
      ['url', 'withCredentials', 'readyState', 'onopen', 'onmessage', 'onerror'].map((name) => {
        const { get, set, ...flags } = Object.getOwnPropertyDescriptor(Source.prototype, name)!;
        return `${name} ${typeof get} ${typeof set} ${JSON.stringify(flags)}`;
      }),
    expected: [
      ...['url', 'withCredentials', 'readyState'].map((name) => [name, 'undefined']),
      ...['onopen', 'onmessage', 'onerror'].map((name) => [name, 'function']),
    ].map(([name, set]) => `${name} function ${set} {"enumerable":true,"configurable":true}`),
  },
  {
    name: 'has a method that is listed with them',
    run: ({ Source }) => {
      const { value, ...flags } = Object.getOwnPropertyDescriptor(Source.prototype, 'close')!;
      return [(value as () => void).length, flags];
    },
    expected: [0, { writable: true, enumerable: true, configurable: true }],
  },
  {
    name: 'refuses to have its state set',
    run: (bench) =>
      ['url', 'withCredentials', 'readyState'].map((name) => {
        const source = bench.open('/message') as unknown as Record<string, unknown>;
        return thrown(() => (source[name] = 5));
      }),
    expected: ['TypeError', 'TypeError', 'TypeError'],
  },
  {
    name: 'says what it is',
    run: (bench) => Object.prototype.toString.call(bench.open('/message')),
    expected: '[object EventSource]',
  },
  {
    name: 'can be given methods, and subclassed',
    run: (bench) => {
      class Own extends bench.Source {
        more(): string {
          return `${String(this.readyState)} ${String(this.withCredentials)}`;
        }
      }
      const source = new Own(`${bench.near}/message`, { withCredentials: true });
      source.close();
      return source.more();
    },
    expected: '2 true',
  },
  {
    name: 'refuses its accessors to other objects',
    run: ({ Source }) => thrown(() => (Source.prototype as { url: string }).url),
    expected: 'TypeError',
  },
  {
    name: 'takes functions and objects for handlers, and null for anything else',
    run: (bench) => {
      const source = bench.open('/message');
      const handle = (): void => undefined;
      const object = {};
      const before = source.onmessage;
      const kept = [handle, object, 5, 'text', undefined, null].map((handler) => {
        source.onmessage = handler as never;
        return source.onmessage === handler ? 'kept' : source.onmessage;
      });
      return [before, ...kept];
    },
    expected: [null, 'kept', 'kept', null, null, null, 'kept'],
  },
]);
