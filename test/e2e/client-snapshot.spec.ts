import { describe, expect, it } from '@jest/globals';
import { type Reset, type Stream, type StreamOptions, openStream } from 'nestjs-event-stream/client';
import { Clients } from '../support/client.js';
import { FakeServer, answer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';

const QUICK = { retryInterval: 2, maxRetryInterval: 2 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function turns(random: () => number, most = 4): Promise<void> {
  for (let n = Math.floor(random() * most); n > 0; n--) await turn();
}

/** A sum that everybody follows: the log has its last five changes. */
class Counter implements AsyncDisposable {
  value = 0;
  /** How many changes there have been. */
  head = 0;
  resets = 0;
  readonly #log: string[] = [];
  readonly #random: () => number;
  server!: FakeServer;

  constructor(random: () => number) {
    this.#random = random;
  }

  async start(): Promise<void> {
    this.server = await FakeServer.start((response, { headers }) => {
      const place = headers['last-event-id'];
      const from = place === undefined ? this.head : Number(place);
      begin(response);
      if (from < this.head - 5) {
        this.resets++;
        response.write(`id: ${this.head}\nevent: stream.reset\ndata: {"reason":"trimmed","topics":["sum"]}\n\n`);
      }
      for (let n = Math.max(from, this.head - 5); n < this.head; n++) response.write(this.#log[n]);
    });
  }

  change(by: number): void {
    this.value += by;
    this.#log.push(`id: ${++this.head}\ndata: ${by}\n\n`);
    this.server.say(this.#log.at(-1)!);
  }

  /** The state, with the place that it is of; it takes its time before and after. */
  async read(): Promise<{ lastEventId: string; value: number }> {
    await turns(this.#random);
    const state = { lastEventId: String(this.head), value: this.value };
    await turns(this.#random);
    return state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

interface Follower {
  stream: Stream;
  value: number;
  most: number;
}

/** Follows the sum with a snapshot that is slow, and fails now and then. */
function follow(counter: Counter, random: () => number, read: 'listener' | 'loop'): Follower {
  let inFlight = 0;
  const snapshot: StreamOptions['snapshot'] = async (_, signal) => {
    follower.most = Math.max(follower.most, ++inFlight);
    try {
      const state = await counter.read();
      if (random() < 0.2) throw new Error('no state today');
      await turns(random);
      if (signal.aborted) return;
      follower.value = state.value;
      return { lastEventId: state.lastEventId };
    } finally {
      inFlight--;
    }
  };
  const follower = { value: NaN, most: 0 } as Follower;
  const stream = openStream(counter.server.url, { ...QUICK, snapshot });
  follower.stream = stream;
  const apply = (data: string): void => void (follower.value += Number(data));
  if (read === 'listener') stream.on('message', ({ data }) => apply(data));
  else
    void (async () => {
      for await (const { type, data } of stream) {
        await turns(random, 3);
        if (type === 'message') apply(data);
      }
    })();
  return follower;
}

const run = process.env.FAULTS_SEED ? [Number(process.env.FAULTS_SEED)] : [1, Date.now() % 1_000_000];

describe.each(['listener', 'loop'] as const)('read by a %s', (read) => {
  it.each(run)(
    'state and changes agree whatever happens between them (40 seeds from %i)',
    async (first) => {
      let resets = 0;
      for (let seed = first; seed < first + 40; seed++) {
        const random = randomOf(seed);
        await using counter = new Counter(random);
        await counter.start();
        const follower = follow(counter, random, read);
        for (let step = 0; step < 40; step++) {
          for (let n = Math.floor(random() * 6); n > 0; n--) counter.change(1 + Math.floor(random() * 9));
          if (random() < 0.2) counter.server.cut();
          await turns(random, 6);
        }
        counter.change(1);
        await until(() => follower.value === counter.value, `the state of seed ${seed}: ${counter.value}`);
        follower.stream.close();
        expect({ seed, most: follower.most }).toEqual({ seed, most: 1 });
        resets += counter.resets;
      }
      expect(resets).toBeGreaterThan(0);
    },
    30_000,
  );
});

it('is taken before the first request, and opens where it says', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'id: 8\ndata: 8\n\n'));
  using clients = new Clients();
  const whys: unknown[] = [];
  const asked: number[] = [];
  const client = clients.open(server.url, {
    snapshot: async (why) => {
      whys.push(why);
      asked.push(server.requests.length);
      return { lastEventId: '7' };
    },
  });
  await client.received(1);

  expect(whys).toEqual([{ reason: 'start' }]);
  expect(asked).toEqual([0]);
  expect(server.places).toEqual(['7']);
});

it('is not taken where there is a place to begin at', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 8\n\n'));
  using clients = new Clients();
  const client = clients.open(server.url, { lastEventId: '7', snapshot: () => Promise.reject(new Error('not asked')) });
  await client.received(1);

  expect(server.places).toEqual(['7']);
});

it('is taken when events are missing, once for each time, with the reason, after the listeners were told', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    begin(
      response,
      n === 0 ? 'id: 5\nevent: stream.reset\ndata: {"reason":"epoch","topics":["a"]}\n\ndata: late\n\n' : 'data: 1\n\n',
    );
  });
  using clients = new Clients();
  const seen: unknown[] = [];
  const client = clients.open(server.url, {
    lastEventId: '1',
    snapshot: async (why) => {
      seen.push(why);
      return { lastEventId: '9' };
    },
  });
  client.stream.on('stream.reset', (event) => seen.push(event.json<Reset>().reason));
  await client.received(2);

  expect(seen).toEqual(['epoch', { reason: 'epoch', topics: ['a'] }]);
  // What came behind the reset is not of the new state.
  expect(client.data.at(-1)).toBe('1');
  expect(client.data).not.toContain('late');
  expect(server.places).toEqual(['1', '9']);
  expect(client.story).toEqual(['connecting', 'open', 'connecting', 'open']);
});

it('is taken, too, where another server says it in words that are no JSON', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    begin(response, n === 0 ? 'event: stream.reset\ndata: gone\n\n' : 'data: 1\n\n');
  });
  using clients = new Clients();
  let taken = 0;
  const client = clients.open(server.url, { lastEventId: '1', snapshot: async () => void taken++ });
  await client.received(2);

  expect(taken).toBe(1);
  // It said of no place.
  expect(server.places).toEqual(['1', undefined]);
});

it('from the third reset without an event on is taken less often', async () => {
  await using server = await FakeServer.start((response) => {
    begin(response, 'event: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n');
  });
  using clients = new Clients();
  const client = clients.open(server.url, { ...QUICK, retries: 2, snapshot: async () => undefined });

  expect(await client.stream.closed).toMatchObject({ reason: 'lost' });
  expect(server.requests).toHaveLength(5);
  expect(client.story.filter((each) => each === 'waiting reset')).toHaveLength(2);
});

it('that fails is tried again, and the state says why', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\n'));
  using clients = new Clients();
  let taken = 0;
  const client = clients.open(server.url, {
    ...QUICK,
    snapshot: async () => {
      if (++taken < 3) throw new Error(`no state, ${taken}`);
    },
  });
  await client.received(1);

  expect(taken).toBe(3);
  expect(client.story).toEqual(['connecting', 'waiting error', 'connecting', 'waiting error', 'connecting', 'open']);
  expect(client.states[1]).toMatchObject({ error: { message: 'no state, 1' } });
});

it('waits until a loop has had what came before the gap', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    if (n > 0) return begin(response, 'id: 20\ndata: after\n\n');
    begin(
      response,
      'id: 2\ndata: a\n\nid: 3\ndata: b\n\nid: 9\nevent: stream.reset\ndata: {"reason":"trimmed","topics":[]}\n\n',
    );
  });
  const seen: string[] = [];
  await using stream = openStream(server.url, {
    lastEventId: '1',
    snapshot: async () => {
      seen.push('snapshot');
      return { lastEventId: '19' };
    },
  });
  for await (const event of stream) {
    for (let n = 0; n < 20; n++) await turn();
    seen.push(event.type === 'message' ? event.data : event.type);
    if (event.data === 'after') break;
  }

  expect(seen.filter((each) => each !== 'stream.reset')).toEqual(['a', 'b', 'snapshot', 'after']);
  expect(server.places).toEqual(['1', '19']);
});

it('is not asked for by a stream that has been refused', async () => {
  await using server = await FakeServer.start((response) => answer(response, 403));
  using clients = new Clients();
  let taken = 0;
  await clients.open(server.url, { snapshot: async () => void taken++ }).stream.closed;

  expect(taken).toBe(1);
});
