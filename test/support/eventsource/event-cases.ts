import { section } from './case.js';

export const events = section('events', [
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

export const closing = section('close()', [
  {
    name: 'is followed by nothing, when it comes at once',
    run: async (bench) => {
      const calls: string[] = [];
      const path = bench.path('/message');
      const source = bench.open(path);
      for (const type of ['open', 'message', 'error']) source.addEventListener(type, () => calls.push(type));
      source.close();
      const before = source.readyState;
      source.close();
      // Another one goes through the whole of its life meanwhile.
      await bench.heard(bench.open('/message'));
      return [before, source.readyState, calls];
    },
    expected: [2, 2, []],
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
      await bench.heard(bench.open(bench.path('/reconnect-fail')), Infinity);
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

export const states = section('readyState', [
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
    run: async (bench) => bench.heard(bench.open(bench.path('/reconnect-fail', { fail: '2' })), Infinity),
    expected: ['open', 'message||1', 'error 0', 'error 0', 'error 0', 'open', 'message||4', 'error 0', 'error 2'],
  },
]);
