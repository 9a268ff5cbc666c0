import type { Bench } from './bench.js';
import { section } from './case.js';

export const requests = section('the request', [
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
    name: 'goes on where it was redirected to',
    run: async (bench) => {
      const path = bench.path('/redirect', { location: bench.path('/status-reconnect', { status: '200' }) });
      await bench.heard(bench.open(path), 2);
      return bench.seen(path);
    },
    expected: ['GET'],
    ours: {
      does: ['GET', 'GET'],
      because: 'the first address may lead to another server by now, when that one is gone',
    },
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
  ...['text/event-streams', 'text/plain', 'x-text/event-stream', ''].map((mime) => ({
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

export const positions = section('Last-Event-ID', [
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
