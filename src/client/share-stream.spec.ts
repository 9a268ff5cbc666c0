import { describe, expect, it, jest } from '@jest/globals';
import { closeShared, shareStream } from 'nestjs-event-stream/client';
import { TabWorld } from '../../test/browser/tab-world.js';
import type { Shared } from '../../test/browser/tab-world.js';

jest.setTimeout(120_000);

describe('a stream that tabs share', () => {
  it('has one connection, and each tab all events', async () => {
    const { world, tabs } = await open(5);

    await publish(world, 20);

    expect(world.server.requests).toEqual(['']);
    for (const tab of tabs) expect(tab.got).toEqual(range(1, 20));
    for (const tab of tabs) expect(tab.stream.state).toEqual({ phase: 'open', resumed: false });
    expect(new Set(tabs.map(({ stream }) => stream.lastEventId))).toEqual(new Set([world.server.place]));
  });

  it('begins for a tab that joins later where a stream of its own would, for which it has one for a moment', async () => {
    const { world, tabs } = await open(2);
    await publish(world, 3);

    const late = world.open().share();
    await world.run(200);
    await publish(world, 3);

    expect(late.got).toEqual(range(4, 6));
    expect(tabs[1]!.got).toEqual(range(1, 6));
    expect(world.server.requests).toEqual(['', '']);
    expect(world.server.connections.size).toBe(1);
  });

  it('needs one connection again, also when the log has gone on without an event for it', async () => {
    const { world, tabs } = await open(2);
    await publish(world, 1);
    world.server.publishElsewhere();
    world.server.publishElsewhere();

    const late = world.open().share();
    await world.run(2_000);
    expect(late.stream.lastEventId).not.toBe(tabs[0]!.stream.lastEventId);
    expect(world.server.requests).toHaveLength(2);
    expect(world.server.connections.size).toBe(1);
    await publish(world, 1);

    expect(late.got).toEqual([4]);
    expect(tabs[1]!.got).toEqual([1, 4]);
  });

  it('begins for a tab that brings a place behind that', async () => {
    const { world, tabs } = await open(2);
    await publish(world, 2);
    const lastEventId = tabs[0]!.stream.lastEventId;
    await publish(world, 3);

    const late = world.open().share({ lastEventId });
    await world.run(200);
    await publish(world, 2);

    expect(late.got).toEqual(range(3, 7));
    expect(world.server.requests).toEqual(['', lastEventId]);
    expect(world.server.connections.size).toBe(1);
  });

  it.each([
    ['crashes', 'kill'],
    ['is left', 'leave'],
  ] as const)('goes on when the tab that has the connection %s before it could tell what it got', async (_, go) => {
    const { world, tabs } = await open(4);
    await publish(world, 2);
    tabs[0]!.tab.mute();
    await publish(world, 2);
    expect(tabs.map(({ got }) => got.at(-1))).toEqual([4, 2, 2, 2]);

    tabs[0]!.tab[go]();
    await world.run(200);
    await publish(world, 2);

    for (const { got } of tabs.slice(1)) expect(got).toEqual(range(1, 6));
    expect(world.server.connections.size).toBe(1);
  });

  it('tells no tab anything twice when a tab wakes that another has taken the lead from', async () => {
    const { world, tabs } = await open(4);
    await publish(world, 2);
    tabs[0]!.tab.hang(8_000);
    for (let n = 0; n < 90; n++) await publish(world, 1, 100);
    await world.run(500);

    expect(world.server.requests.length).toBeGreaterThan(1);
    for (const { got } of tabs) expect(got).toEqual(range(1, 92));
    expect(world.server.connections.size).toBe(1);
  });

  it('is opened again from each tab', async () => {
    const { world, tabs } = await open(3);
    await publish(world, 1);

    tabs[2]!.stream.reconnect();
    await world.run(300);

    expect(world.server.requests).toEqual(['', world.server.place]);
    expect(tabs[1]!.states.map(({ phase }) => phase).slice(-2)).toEqual(['connecting', 'open']);
  });

  it('waits in all tabs as long as the server has asked, and nobody takes the lead for that', async () => {
    const { world, tabs } = await open(3);
    await publish(world, 1);
    world.server.refusal = () => new Response(null, { status: 503, headers: { 'retry-after': '600' } });
    world.server.cut();
    await world.run(590_000);

    expect(world.server.requests).toHaveLength(2);
    for (const { stream } of tabs) {
      expect(stream.state).toMatchObject({ phase: 'waiting', reason: 'status', status: 503, attempt: 2 });
      expect(stream.state.downSince).toBeGreaterThan(0);
    }
    world.server.refusal = undefined;
    await world.run(200_000);
    for (const { stream } of tabs) expect(stream.state).toEqual({ phase: 'open', resumed: true });
  });

  it('ends in all tabs with what ended it', async () => {
    const { world, tabs } = await open(3);
    world.server.refusal = () => new Response('no', { status: 403 });
    world.server.cut();
    await world.run(5_000);

    for (const { stream } of tabs) {
      expect(stream.state).toMatchObject({ phase: 'closed', reason: 'refused', status: 403 });
      expect(await stream.closed).toMatchObject({ error: { name: 'StreamError', code: 'status' } });
    }
    expect(world.server.connections.size).toBe(0);
  });

  it('ends in every tab with the key, and in no other, when its user logs out', async () => {
    const { world, tabs } = await open(3);
    const others = [world.open().share({}, '/stream', 'bob'), world.open().share({}, '/other')];
    await world.run(500);
    expect(world.server.connections.size).toBe(3);

    tabs[1]!.tab.closeShared('ann');
    expect(tabs[1]!.stream.state.phase).toBe('closed');
    await world.run(500);

    expect([...tabs, ...others].map(({ stream }) => stream.state.phase)).toEqual([
      'closed',
      'closed',
      'closed',
      'open',
      'closed',
    ]);
    expect(world.server.connections.size).toBe(1);
    expect(world.locks.held.size).toBe(1);
  });

  it('lets go of its connection with the last tab', async () => {
    const { world, tabs } = await open(2);
    tabs[0]!.stream.close();
    await world.run(300);
    expect(world.server.connections.size).toBe(1);

    tabs[1]!.stream.close();
    await world.run(300);

    expect(world.server.connections.size).toBe(0);
    expect([...tabs[0]!.tab.channels, ...tabs[1]!.tab.channels]).toEqual([]);
  });

  it('takes a tab over to those of another URL, at its place', async () => {
    const { world, tabs } = await open(3);
    await publish(world, 2);

    tabs[0]!.stream.reconnect({ url: 'http://tabs.test/other' });
    await world.run(500);
    await publish(world, 2);

    for (const { got } of tabs) expect(got).toEqual(range(1, 4));
    expect([...world.locks.held.keys()].map((name) => JSON.parse(name).at(-1))).toEqual(
      expect.arrayContaining(['http://tabs.test/stream', 'http://tabs.test/other']),
    );
    expect(world.server.connections.size).toBe(2);
  });

  it('gives a tab that does not read a connection of its own, and what has waited when it does', async () => {
    const { world, tabs } = await open(2);
    const slow = world.open().shareUnheard();
    await world.run(3_000);
    expect(world.server.connections.size).toBe(1);
    await publish(world, 200);
    expect(world.server.connections.size).toBe(2);

    const got: number[] = [];
    slow.stream.on('*', ({ data }) => got.push(Number(data)));
    await world.run(2_000);
    await publish(world, 2);

    expect(got).toEqual(range(1, 202));
    expect(tabs[0]!.got).toEqual(range(1, 202));
    expect(world.server.connections.size).toBe(1);
  });

  it('does not wait for long for a tab that has the connection and does not read', async () => {
    const world = await TabWorld.create(1);
    const slow = world.open().shareUnheard();
    await world.run(500);
    const others = [world.open().share(), world.open().share()];
    await world.run(500);

    await publish(world, 300);
    await world.run(2_000);

    for (const { got } of others) expect(got).toEqual(range(1, 300));
    const got: number[] = [];
    slow.stream.on('*', ({ data }) => got.push(Number(data)));
    await world.run(3_000);
    expect(got).toEqual(range(1, 300));
    expect(world.server.connections.size).toBe(1);
  });

  it('tells each tab of what is missing at its own place', async () => {
    const { world, tabs } = await open(3);
    await publish(world, 2);
    tabs[2]!.tab.freeze();
    await publish(world, 2);
    world.server.trim(0);
    world.server.isAway = true;
    world.server.cut();
    await publish(world, 2);
    world.server.trim(1);
    world.server.isAway = false;
    await world.run(10_000);
    tabs[2]!.tab.thaw();
    await world.run(2_000);
    await publish(world, 1);

    expect(tabs[0]!.got).toEqual([1, 2, 3, 4, 'reset', 6, 7]);
    expect(tabs[1]!.got).toEqual([1, 2, 3, 4, 'reset', 6, 7]);
    expect(tabs[2]!.got).toEqual([1, 2, 'reset', 6, 7]);
    expect(world.server.connections.size).toBe(1);
  });

  it('is one for each tab where there are no locks', async () => {
    const world = await TabWorld.create(1);
    const tabs = [1, 2, 3].map(() => world.open());
    for (const { context } of tabs) context.navigator = {};
    const shared = tabs.map((tab) => tab.share());
    await world.run(500);
    await publish(world, 2);

    expect(world.server.connections.size).toBe(3);
    for (const { got } of shared) expect(got).toEqual([1, 2]);
    tabs[0]!.closeShared('ann');
    await world.run(100);
    expect(world.server.connections.size).toBe(0);
  });

  it('has a connection in a page that is refused locks', async () => {
    const world = await TabWorld.create(1);
    const tab = world.open();
    tab.context.navigator = { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } };
    const shared = tab.share();
    await world.run(500);
    await publish(world, 2);

    expect(shared.got).toEqual([1, 2]);
  });

  it('is refused for what may not be asked twice, and with what openStream refuses', () => {
    expect(() => shareStream('ann', 'http://a.test', { method: 'POST' })).toThrow(TypeError);
    expect(() => shareStream('ann', 'http://a.test', { reconnect: false })).toThrow(TypeError);
    expect(() => shareStream('ann', 'no url')).toThrow('Invalid URL');
    expect(() => shareStream('ann', 'http://a.test', { retries: NaN })).toThrow('retries must be a number');
  });

  it('works in Node, and ends by its key there', async () => {
    const fetch = (_url: string, { signal }: RequestInit): Promise<Response> =>
      new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new Error('aborted'))));
    const stream = shareStream('node', 'http://a.test', { fetch });

    closeShared('node');

    expect(await stream.closed).toMatchObject({ reason: 'aborted' });
  });
});

const SEEDS = Number(process.env.SEEDS ?? 12);
const FIRST_SEED = Number(process.env.SEED ?? 0);

describe.each(Array.from({ length: SEEDS }, (_, at) => FIRST_SEED + at))('with the seed %i', (seed) => {
  it('gives every tab every event once, whatever becomes of the tabs', async () => {
    const world = await TabWorld.create(seed, [0, 5, 40][seed % 3]);
    const { server } = world;
    const upTo = world.upTo.bind(world);
    const hasOwnIds = seed % 4 === 3;
    const isTrimmed = seed % 4 === 1;
    const takesSnapshots = seed % 8 === 1;
    const shared: Shared[] = [];
    const join = (): void => {
      const tab = world.open();
      // The state is the number of the newest event, which takes a while to load.
      const snapshot = async (_: unknown, signal: AbortSignal): Promise<{ lastEventId: string }> => {
        const { place, next } = server;
        await new Promise<void>((resolve) => tab.later(resolve));
        if (!signal.aborted) one.got.push('reset', next - 1);
        return { lastEventId: place };
      };
      const one: Shared = tab.share(takesSnapshots ? { snapshot } : {});
      shared.push(one);
    };
    const flow = (): void => {
      server.publish(hasOwnIds && upTo(3) === 0 ? `order-${server.next}` : undefined);
      world.after(upTo(100), flow);
    };
    flow();
    for (let n = 0; n < 4; n++) join();
    for (let n = 0; n < 25; n++) {
      await world.run(upTo(3_000));
      if (isTrimmed) server.trim(20);
      const leaders = shared.filter(({ tab }) => [...world.locks.held.values()].some((held) => held.tab === tab));
      const any = shared[upTo(shared.length - 1)]!;
      const { tab, stream } = upTo(2) > 0 ? (leaders[0] ?? any) : any;
      const ms = upTo(8_000);
      const thaw = (): unknown => world.after(ms, () => tab.thaw());
      const kinds = [
        () => (tab.kill(), join()),
        () => (tab.leave(), join()),
        () => (tab.freeze(), thaw()),
        () => (tab.freeze(false), thaw()),
        () => tab.hang(ms),
        () => tab.leaveFor(ms),
        () => (stream.close(), join()),
        () => join(),
        () => server.cut(),
        () => stream.reconnect(),
        () => ((server.isAway = true), server.cut(), world.after(ms, () => (server.isAway = false))),
      ];
      kinds[upTo(kinds.length - 1)]!();
    }
    await world.run(120_000);

    const alive = shared.filter(({ tab, stream }) => !tab.isGone && stream.state.phase !== 'closed');
    expect(world.errors).toEqual([]);
    expect(server.connections.size).toBe(1);
    expect(world.locks.held.size).toBe(1);
    for (const { got, openedAt, stream } of alive) {
      expect(stream.state.phase).toBe('open');
      expect(holesOf(got, takesSnapshots)).toEqual([]);
      if (!isTrimmed) expect(got).not.toContain('reset');
      if (got[0] !== 'reset') expect(got[0]).toBeLessThanOrEqual(openedAt!);
      expect(server.next - (got.at(-1) as number)).toBeLessThan(30);
    }
  });
});

/** What follows on what is not before it; behind a reset it may be anything later, of a snapshot anything. */
function holesOf(got: readonly (number | 'reset')[], takesSnapshots: boolean): unknown[] {
  const holes = [];
  let last: number | undefined;
  for (const [at, each] of got.entries()) {
    if (each === 'reset') continue;
    const isBehindReset = got[at - 1] === 'reset';
    const fits = last === undefined || (isBehindReset ? takesSnapshots || each > last : each === last + 1);
    if (!fits) holes.push([last, each]);
    last = each;
  }
  return holes;
}

/** Tabs that are open. */
async function open(count: number): Promise<{ world: TabWorld; tabs: Shared[] }> {
  const world = await TabWorld.create(1);
  const tabs = Array.from({ length: count }, () => world.open().share());
  await world.run(1_000);
  return { world, tabs };
}

async function publish(world: TabWorld, count: number, everyMs = 50): Promise<void> {
  for (let n = 0; n < count; n++) {
    world.server.publish();
    await world.run(everyMs);
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
