import { type Bench, type SourceClass, thrown } from './bench.js';

/** A sentence of WHATWG HTML 9.2, and what comes of it. */
export interface Case {
  readonly section: string;
  readonly name: string;
  readonly run: (bench: Bench) => unknown;
  readonly expected: unknown;
  /** There is a page. */
  readonly inPage?: boolean;
  /** Where the browser's own class is known to do something else. */
  readonly native?: Difference;
  /** Where ours is. */
  readonly ours?: Difference;
}

interface Difference {
  readonly does: unknown;
  readonly because: string;
}

const section = (name: string, cases: readonly Omit<Case, 'section'>[]): Case[] =>
  cases.map((each) => ({ section: name, ...each }));

const message = (
  name: string,
  text: string,
  expected: readonly string[],
  more?: Partial<Case>,
): Omit<Case, 'section'> => ({
  name,
  run: (bench) => bench.events(text),
  expected,
  ...more,
});

const CONSTANTS = ['CONNECTING', 'OPEN', 'CLOSED'] as const;

const construction = section('the constructor', [
  {
    name: 'throws a SyntaxError for what is no URL',
    run: ({ Source }) => thrown(() => new Source('http://this is none/')),
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

const inter = section('the interface', [
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
        return source.onmessage === (handler) ? 'kept' : source.onmessage;
      });
      return [before, ...kept];
    },
    expected: [null, 'kept', 'kept', null, null, null, 'kept'],
  },
]);

const events = section('events', [
  {
    name: 'are a MessageEvent for what the stream has, and an Event for what happens to it',
    run: async (bench) => {
      const source = bench.open('/message');
      const all = await Promise.all((['open', 'message', 'error'] as const).map((type) => bench.first(source, type)));
      return all.map((event) => [
        event.constructor === MessageEvent ? 'MessageEvent' : event.constructor === Event ? 'Event' : 'other',
        event.target === source,
        event.bubbles,
        event.cancelable,
        'data' in event,
      ]);
    },
    expected: [
      ['Event', true, false, false, false],
      ['MessageEvent', true, false, false, true],
      ['Event', true, false, false, false],
    ],
  },
  {
    name: 'are trusted',
    run: async (bench) => (await bench.first(bench.open('/message'), 'message')).isTrusted,
    expected: true,
    ours: { does: false, because: 'what a script dispatches is not trusted' },
  },
  {
    name: 'have the origin of the stream',
    run: async (bench) => {
      const event = (await bench.first(bench.open('/message'), 'message')) as MessageEvent;
      return [event.origin === bench.near, event.source, event.ports.length];
    },
    expected: [true, null, 0],
  },
  {
    name: 'have the origin that the request was redirected to, and the source keeps its URL',
    run: async (bench) => {
      const far = `${bench.far}/cors?run=message&origin=*`;
      const source = bench.open(`/redirect?location=${encodeURIComponent(far)}`);
      const event = (await bench.first(source, 'message')) as MessageEvent;
      return [event.origin === bench.far, source.url.startsWith(bench.near)];
    },
    expected: [true, true],
  },
  {
    name: 'call the handler with the source as this, and what it returns is nothing',
    run: async (bench) => {
      const source = bench.open('/message');
      const calls: unknown[] = [];
      source.onmessage = function (event) {
        calls.push(this === source, event.data);
        return false;
      };
      await bench.first(source, 'error');
      return calls;
    },
    expected: [true, 'data'],
  },
  {
    name: 'call a handler where it was first set, though it is another one by now',
    run: async (bench) => {
      const source = bench.open('/message');
      const calls: string[] = [];
      source.onmessage = () => calls.push('first');
      source.addEventListener('message', () => calls.push('listener'));
      source.onmessage = () => calls.push('second');
      await bench.first(source, 'error');
      return calls;
    },
    expected: ['second', 'listener'],
  },
  {
    name: 'call a handler behind the listeners that came while there was none',
    run: async (bench) => {
      const source = bench.open('/message');
      const calls: string[] = [];
      source.onmessage = () => calls.push('first');
      source.addEventListener('message', () => calls.push('listener'));
      source.onmessage = null;
      source.onmessage = () => calls.push('second');
      await bench.first(source, 'error');
      return calls;
    },
    expected: ['listener', 'second'],
  },
  {
    name: 'call no handler that was taken away, and no object that cannot be called',
    run: async (bench) => {
      const source = bench.open('/message');
      let calls = 0;
      source.onmessage = () => calls++;
      source.onmessage = null;
      source.onopen = { call: 5 } as never;
      await bench.first(source, 'error');
      return calls;
    },
    expected: 0,
  },
  {
    name: 'call listeners in their order, once each, and objects by handleEvent',
    run: async (bench) => {
      const source = bench.open(bench.path('/message', { message: 'data: 1\n\ndata: 2' }));
      const calls: string[] = [];
      const twice = (): unknown => calls.push('twice');
      const gone = (): unknown => calls.push('gone');
      source.addEventListener('message', twice);
      source.addEventListener('message', twice);
      source.addEventListener('message', { handleEvent: () => void calls.push('object') });
      source.addEventListener('message', () => calls.push('once'), { once: true });
      source.addEventListener('message', gone);
      source.removeEventListener('message', gone);
      await bench.first(source, 'error');
      return calls;
    },
    expected: ['twice', 'object', 'once', 'twice', 'object'],
  },
  {
    name: 'go to the listeners of their type, of any name, and to those of message when they have none',
    run: (bench) =>
      bench.events('event: a\ndata: 1\n\ndata: 2\n\nevent: __proto__\ndata: 3\n\n', {}, ['a', '__proto__']),
    expected: ['a||1', 'message||2', '__proto__||3'],
  },
  {
    name: 'are a MessageEvent also under the names of what happens to the source, and go to its handler',
    run: async (bench) => {
      const source = bench.open(
        bench.path('/message', { message: 'event: error\ndata: 1\n\nevent: open\ndata: 2', sleep: '60000' }),
      );
      const data: unknown[] = [];
      source.onerror = (event) => data.push((event as unknown as MessageEvent).data);
      await new Promise<void>((resolve) => {
        source.onopen = (event) => {
          data.push((event as MessageEvent).data ?? 'no data');
          if (data.length === 3) resolve();
        };
      });
      return [data, source.readyState];
    },
    expected: [['no data', '1', '2'], 1],
  },
  {
    name: 'can be dispatched by anybody',
    run: (bench) => {
      const source = bench.open('/message');
      let event: unknown;
      source.onmessage = (given) => (event = given);
      const own = new Event('message');
      source.dispatchEvent(own);
      return event === own;
    },
    expected: true,
  },
]);

const closing = section('close()', [
  {
    name: 'is followed by nothing, when it comes at once',
    run: async (bench) => {
      const calls: string[] = [];
      const path = bench.path('/message');
      const source = bench.open(path);
      for (const type of ['open', 'message', 'error']) source.addEventListener(type, () => calls.push(type));
      source.close();
      const states = [source.readyState];
      source.close();
      // Another one goes through the whole of its life meanwhile.
      await bench.heard(bench.open('/message'));
      return [states, source.readyState, calls];
    },
    expected: [[2], 2, []],
  },
  {
    name: 'keeps what has come from a source that is open',
    run: async (bench) => {
      const source = bench.open('/message');
      const calls: string[] = [];
      source.onmessage = () => calls.push('message');
      source.onerror = () => calls.push('error');
      await new Promise<void>((resolve) => {
        source.onopen = () => {
          source.close();
          resolve();
        };
      });
      await bench.heard(bench.open('/message'));
      return [source.readyState, calls];
    },
    expected: [2, []],
  },
  {
    name: 'keeps back the events behind the one that it comes with',
    run: async (bench) => {
      const source = bench.open(bench.path('/message', { message: 'data: 1\n\ndata: 2\n\ndata: 3' }));
      const data: string[] = [];
      source.onmessage = (event) => {
        data.push(event.data);
        if (event.data === '2') source.close();
      };
      source.onerror = () => data.push('error');
      await bench.heard(bench.open('/message'));
      while (source.readyState !== 2) await bench.heard(bench.open('/message'));
      await bench.heard(bench.open('/message'));
      return data;
    },
    expected: ['1', '2'],
  },
  {
    name: 'is no second request, when it comes with an error',
    run: async (bench) => {
      const path = bench.path('/reconnect-fail');
      const heard = await bench.heard(bench.open(path));
      // Others come back meanwhile.
      await bench.heard(bench.open(bench.path('/reconnect-fail')), 3);
      return [heard, await bench.seen(path)];
    },
    expected: [['open', 'message||1', 'error 0'], ['GET']],
  },
  {
    name: 'keeps the other listeners of the event that it comes with',
    run: async (bench) => {
      const source = bench.open('/message');
      const calls: string[] = [];
      await new Promise<void>((resolve) => {
        source.onmessage = () => source.close();
        source.addEventListener('message', () => {
          calls.push(`second ${String(source.readyState)}`);
          resolve();
        });
      });
      return calls;
    },
    expected: ['second 2'],
  },
]);

const states = section('readyState', [
  {
    name: 'is CONNECTING before there is an answer, and OPEN with the event',
    run: async (bench) => {
      const source = bench.open(bench.path('/message', { sleep: '60000' }));
      const before = source.readyState;
      const seen: number[] = [];
      source.onopen = () => seen.push(source.readyState);
      await bench.first(source, 'message');
      return [before, seen, source.readyState];
    },
    expected: [0, [1], 1],
  },
  {
    name: 'is CONNECTING while a lost connection is told of, and OPEN again behind it',
    run: async (bench) => bench.heard(bench.open(bench.path('/status-reconnect', { status: '200' })), 2),
    expected: ['open', 'message||1', 'error 0', 'open', 'message||second', 'error 0'],
  },
  {
    name: 'is CONNECTING through failures of the network',
    run: async (bench) => bench.heard(bench.open(bench.path('/reconnect-fail', { fail: '2' })), 5),
    expected: ['open', 'message||1', 'error 0', 'error 0', 'error 0', 'open', 'message||4', 'error 0', 'error 2'],
  },
]);

const formats = section('the format', [
  message('comments are ignored', ':\ndata: 1\n:data: x\ndata: 2\n: \0\n:\r:' + 'x'.repeat(2_000) + '\n\n', [
    'message||1\n2',
  ]),
  message('a BOM at the beginning is ignored', '\uFEFFdata: 1\n\ndata: 2\n\n', ['message||1', 'message||2']),
  message('a BOM anywhere else is part of a name', 'data: 1\n\n\uFEFFdata: 2\n\ndata: 3\n\n', [
    'message||1',
    'message||3',
  ]),
  message('a second BOM is part of a name', '\uFEFF\uFEFFdata: 1\n\ndata: 2\n\n', ['message||2']),
  message('a field without a colon is empty', 'data\n\ndata\ndata\n\ndata: 1\n\n', [
    'message||',
    'message||\n',
    'message||1',
  ]),
  message('an event without data is none', 'event: a\n\nid: 1\n\n\n\ndata: 1\n\n', ['message|1|1']),
  message('names are exact', 'DATA: 1\n data: 2\ndata : 3\ndatas: 4\ndata: 5\n\n', ['message||5']),
  message('unknown fields are ignored', 'x: 1\n{"a": 1}\ndata: 1\nnothing\n\n', ['message||1']),
  message(
    'one space is left out in front of a value',
    'data:1\ndata: 2\ndata:  3\ndata:\t4\ndata:\u00A05\ndata: 6 \n\n',
    ['message||1\n2\n 3\n\t4\n\u00A05\n6 '],
  ),
  message('a colon is part of the value', 'data:a:b: c\ndata::\n\n', ['message||a:b: c\n:']),
  message(
    'lines end in LF, CR or both',
    'data: 1\r\ndata: 2\rdata: 3\ndata: 4\r\n\r\ndata: 5\r\rdata: 6\n\ndata: 7\n\r',
    ['message||1\n2\n3\n4', 'message||5', 'message||6', 'message||7'],
  ),
  message('other separators are text', 'data: \u2028\u2029\u0085\v\f\n\n', ['message||\u2028\u2029\u0085\v\f']),
  message('a null character is text', 'data: \0\n\ndata\0: 1\n\ndata: 2\n\n', ['message||\0', 'message||2']),
  message('text is UTF-8', 'data: ö 漢 😀 \uFEFF\n\n', ['message||ö 漢 😀 \uFEFF']),
  message('the last line break alone is taken away', 'data: 1\ndata:\ndata:\n\ndata:\ndata: 2\n\n', [
    'message||1\n\n',
    'message||\n2',
  ]),
  message('an event that is not ended is none', 'data: 1\n\ndata: 2\n', ['message||1']),
  message('a line that is not ended is none', 'data: 1\n\ndata: 2', ['message||1']),
  message(
    'the type of an event ends with it',
    'event: a\nevent: message\ndata: 1\n\nevent: a\n\ndata: 2\n\nevent\ndata: 3\n\n',
    ['message||1', 'message||2', 'message||3'],
  ),
  message('an id holds until there is another', 'id: 1\ndata: 1\n\ndata: 2\n\nid: ä\ndata: 3\n\nid\ndata: 4\n\n', [
    'message|1|1',
    'message|1|2',
    'message|ä|3',
    'message||4',
  ]),
  message('an id holds also when its event is none', 'id: 1\n\ndata: 1\n\n', ['message|1|1']),
  message('an id with a null character is none', 'id: 1\ndata: 1\n\nid: 2\0\ndata: 2\n\n', [
    'message|1|1',
    'message|1|2',
  ]),
  {
    name: 'bytes that are no UTF-8 are replaced, however they are cut',
    run: async (bench) => {
      const hex = ['646174613a20c3', 'b620', 'e6bc', 'a2f09f98', '80ff', '0a0a'].join(',');
      return bench.heard(bench.open(bench.path('/bytes', { hex })));
    },
    expected: ['open', 'message||ö 漢😀\uFFFD', 'error 0'],
  },
  {
    name: 'a line break that is cut is one',
    run: async (bench) => {
      const hex = ['data: 1\r', '\n', 'data: 2\r', '\n\r', '\n'].map(hexOf).join(',');
      return bench.heard(bench.open(bench.path('/bytes', { hex })));
    },
    expected: ['open', 'message||1\n2', 'error 0'],
  },
]);

const retries = section('retry', [
  {
    name: 'is digits alone: what is anything else changes nothing',
    run: async (bench) => {
      const bogus = ['60000x', '  60000', '60000 ', '-1', '6e4', '60000.5', '٣']
        .map((value) => `retry:${value}\n`)
        .join('');
      return comesBackAtOnce(bench, `retry: 10\n${bogus}data: 1`);
    },
    expected: true,
  },
  {
    name: 'changes nothing when it is empty',
    run: (bench) => comesBackAtOnce(bench, 'retry: 10\nretry\nretry:\ndata: 1'),
    expected: true,
  },
  {
    name: 'rules from the line on that it stands in, without an event',
    run: (bench) => comesBackAtOnce(bench, 'retry: 60000\nretry: 10'),
    expected: true,
  },
  {
    name: 'makes it wait as long',
    run: async (bench) => {
      const source = bench.open(bench.path('/message', { message: 'retry: 300' }));
      await bench.first(source, 'error');
      const at = performance.now();
      await bench.first(source, 'open');
      return performance.now() - at > 280;
    },
    expected: true,
  },
]);

const requests = section('the request', [
  {
    name: 'accepts event streams',
    run: (bench) => bench.heard(bench.open('/accept')),
    expected: ['open', 'message||text/event-stream', 'error 0'],
  },
  {
    name: 'is not answered from a cache',
    run: (bench) => bench.heard(bench.open('/cache-control')),
    expected: ['open', 'message||no-cache', 'error 0'],
  },
  {
    name: 'has the cookies of its own origin',
    run: async (bench) => [
      await bench.heard(bench.open('/cors-cookie')),
      await bench.heard(bench.open('/cors-cookie', { withCredentials: true })),
    ],
    expected: [
      ['open', 'message||who=alice', 'error 0'],
      ['open', 'message||who=alice', 'error 0'],
    ],
    inPage: true,
  },
  {
    name: 'has the cookies of another origin with credentials alone',
    run: async (bench) => [
      await bench.heard(bench.open(`${bench.far}/cors-cookie`)),
      await bench.heard(bench.open(`${bench.far}/cors-cookie`, { withCredentials: true })),
    ],
    expected: [
      ['open', 'message||undefined', 'error 0'],
      ['open', 'message||who=alice', 'error 0'],
    ],
    inPage: true,
  },
  {
    name: 'goes to another origin that allows it',
    run: async (bench) => [
      await bench.heard(bench.open(`${bench.far}/cors?run=message`)),
      await bench.heard(bench.open(`${bench.far}/cors?run=message`, { withCredentials: true })),
      await bench.heard(bench.open(`${bench.far}/cors?run=message&origin=*`)),
    ],
    expected: Array.from({ length: 3 }, () => ['open', 'message||data', 'error 0']),
  },
  {
    name: 'ends it, when another origin does not allow it',
    run: async (bench) => {
      const opened = ['/message', '/cors?run=message&origin=http://other.example', '/cors?run=message&origin='];
      return Promise.all(opened.map((path) => bench.heard(bench.open(bench.far + path))));
    },
    expected: Array.from({ length: 3 }, () => ['error 2']),
    ours: {
      does: Array.from({ length: 3 }, () => ['error 0']),
      because: 'fetch does not tell this from a failure of the network, which the standard wants tried again',
    },
    inPage: true,
  },
  ...['301', '302', '303', '307', '308'].map((status) => ({
    name: `follows ${status}`,
    run: (bench: Bench) => bench.heard(bench.open(`/redirect?status=${status}&location=/message`)),
    expected: ['open', 'message||data', 'error 0'],
  })),
  {
    name: 'goes to the first address again, where it was redirected',
    run: async (bench) => {
      const path = bench.path('/redirect', { location: bench.path('/status-reconnect', { status: '200' }) });
      await bench.heard(bench.open(path), 2);
      return bench.seen(path);
    },
    expected: ['GET', 'GET'],
  },
  ...['204', '205', '210', '299', '400', '401', '404', '410', '429', '500', '503'].map((status) => ({
    name: `ends it, when the answer is ${status}`,
    run: async (bench: Bench) => {
      const path = bench.path('/status-error', { status });
      return [await bench.heard(bench.open(path)), await bench.seen(path)];
    },
    expected: [['error 2'], ['GET']],
  })),
  ...['204', '500', '503', '404'].map((status) => ({
    name: `ends it, when the answer to a later request is ${status}`,
    run: (bench: Bench) => bench.heard(bench.open(bench.path('/status-reconnect', { status })), 2),
    expected: ['open', 'message||1', 'error 0', 'error 2'],
  })),
  ...['text/event-stream;charset=utf-8', 'text/event-stream;bogus', 'TEXT/event-Stream ; x=1'].map((mime) => ({
    name: `opens ${mime}`,
    run: (bench: Bench) => bench.heard(bench.open(bench.path('/message', { mime }))),
    expected: ['open', 'message||data', 'error 0'],
  })),
  ...['text/event-streams', 'text/plain', 'x-text/event-stream', 'text/event-stream bogus', ''].map((mime) => ({
    name: `refuses ${mime || 'what has no type'}`,
    run: (bench: Bench) => bench.heard(bench.open(bench.path('/message', { mime }))),
    expected: ['error 2'],
  })),
  {
    name: 'reads UTF-8, whatever charset the type names',
    run: (bench) => bench.events('data: ö\n\n', { mime: 'text/event-stream;charset=windows-1252' }),
    expected: ['message||ö'],
    native: { does: [], because: 'Chromium refuses what names another charset' },
  },
]);

const positions = section('Last-Event-ID', [
  {
    name: 'is the last id, through streams that give none, and none before there is one and behind an empty one',
    run: async (bench) => {
      const path = bench.path('/last-event-id', { id: ['1', '2'] });
      return [await bench.heard(bench.open(path), 3), await bench.seen(path)];
    },
    expected: [
      ['open', 'message|1|none', 'error 0', 'open', 'message|2|1', 'error 0', 'open', 'message|2|2', 'error 0'],
      ['GET', 'GET', 'GET'],
    ],
  },
  {
    name: 'is none behind an empty one',
    run: async (bench) => bench.heard(bench.open(bench.path('/last-event-id', { id: ['1', '', ''] })), 3),
    expected: [
      'open',
      'message|1|none',
      'error 0',
      'open',
      'message||1',
      'error 0',
      'open',
      'message||none',
      'error 0',
    ],
  },
  {
    name: 'is UTF-8',
    run: async (bench) => bench.heard(bench.open(bench.path('/last-event-id', { id: '…ö漢😀' })), 2),
    expected: ['open', 'message|…ö漢😀|none', 'error 0', 'open', 'message|…ö漢😀|…ö漢😀', 'error 0'],
  },
  {
    name: 'asks another origin for no permission',
    run: async (bench) => {
      const path = bench.path('/last-event-id', { id: '1' });
      return [await bench.heard(bench.open(bench.far + path), 2), await bench.seen(path, bench.far)];
    },
    expected: [
      ['open', 'message|1|none', 'error 0', 'open', 'message|1|1', 'error 0'],
      ['GET', 'GET'],
    ],
    ours: {
      does: [
        ['open', 'message|1|none', 'error 0', 'open', 'message|1|1', 'error 0'],
        ['GET', 'OPTIONS', 'GET'],
      ],
      because: 'fetch asks for permission before it sends a header that is not safelisted (whatwg/fetch#1788)',
    },
    inPage: true,
  },
]);

export const CASES: readonly Case[] = [
  ...construction,
  ...inter,
  ...events,
  ...closing,
  ...states,
  ...formats,
  ...retries,
  ...requests,
  ...positions,
];

/** The name of a case, in full. */
export function nameOf({ section: about, name }: Case): string {
  return `${about}: ${name}`;
}

export async function runCase(name: string, bench: Bench): Promise<unknown> {
  try {
    return await CASES.find((each) => nameOf(each) === name)!.run(bench);
  } finally {
    bench.close();
  }
}

export type { SourceClass };

function hexOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Far sooner than any default. */
async function comesBackAtOnce(bench: Bench, text: string): Promise<boolean> {
  const source = bench.open(bench.path('/message', { message: text }), { retryInterval: 60_000 });
  await bench.first(source, 'error');
  const at = performance.now();
  await bench.first(source, 'open');
  // Chromium would wait for 3 s.
  return performance.now() - at < 2_900;
}
