import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import { memoryEngine } from '../engine/memory.js';
import { Hub } from '../hub/hub.js';
import { Publisher } from '../hub/publisher.js';
import type { HubSignals } from '../hub/signals.js';
import { Signals } from '../signals.js';
import { TopicRegistry } from '../topic/registry.js';
import type { SseEvent } from '../wire/event.js';
import { observe } from './observe.js';
import type { Step } from './transform.js';

/** A hub with events, and what is observed of it. */
class Bench {
  readonly #engine = memoryEngine();
  readonly errors: unknown[] = [];
  readonly hub = new Hub(this.#engine, {
    windowBytes: 1e6,
    graceMs: 10_000,
    auditMs: 45_000,
    signals: errorsTo(this.errors),
  });
  readonly publisher = new Publisher(
    this.#engine,
    new TopicRegistry([]),
    { maxEvents: 3, maxBytes: 1e6, maxAgeMs: 600_000 },
    this.hub,
  );

  observe(selectors: string[], { steps = [], from }: { steps?: readonly Step[]; from?: string } = {}) {
    return observe(this.hub, { selectors, steps }, from);
  }

  /** Resolves once live events reach this selection. */
  async warm(...selectors: string[]): Promise<void> {
    const view = this.hub.acquire(selectors);
    await view.opened;
  }

  async publishAll(topic: string, ...data: unknown[]): Promise<string[]> {
    const ids: string[] = [];
    for (const each of data) ids.push((await this.publisher.publish(topic, { data: each })).id);
    return ids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub.close();
    await this.#engine.close();
  }
}

const turn = () => new Promise(setImmediate);

describe('a selection that is observed', () => {
  it('gives what is published after the subscription, with ids and their topic', async () => {
    await using bench = new Bench();
    await bench.publishAll('a', 'before');
    await bench.warm('a');
    const events = firstValueFrom(bench.observe(['a']).pipe(take(2), toArray()));
    const [one, two] = await bench.publishAll('a', 1, 2);

    expect(await events).toEqual([
      { data: 1, id: one, topic: 'a' },
      { data: 2, id: two, topic: 'a' },
    ]);
  });

  it('gives what followed an event, then what is published', async () => {
    await using bench = new Bench();
    const [one] = await bench.publishAll('a', 1, 2);
    const events = firstValueFrom(bench.observe(['a'], { from: one! }).pipe(take(2), toArray()));
    await bench.publishAll('a', 3);

    expect((await events).map(({ data }) => data)).toEqual([2, 3]);
  });

  it('tells what is lost as an event', async () => {
    await using bench = new Bench();
    const [one] = await bench.publishAll('a', 1, 2, 3, 4, 5);
    const events = await firstValueFrom(bench.observe(['a'], { from: one! }).pipe(take(2), toArray()));

    expect(events[0]).toMatchObject({ type: 'stream.reset', data: { reason: 'trimmed', topics: ['a'] } });
    expect(events[1]?.data).toBe(3);
  });

  it('gives each subscriber its own place', async () => {
    await using bench = new Bench();
    await bench.warm('a');
    const observed = bench.observe(['a']);
    const first = firstValueFrom(observed.pipe(take(2), toArray()));
    await bench.publishAll('a', 1);
    await turn();
    const second = firstValueFrom(observed);
    await bench.publishAll('a', 2);

    expect((await first).map(({ data }) => data)).toEqual([1, 2]);
    expect((await second).data).toBe(2);
  });

  it('completes when its last topic does, after its events', async () => {
    await using bench = new Bench();
    await bench.warm('a', 'b');
    const events = firstValueFrom(bench.observe(['a', 'b']).pipe(toArray()));
    await bench.publisher.end('a', 'complete');
    await bench.publishAll('b', 1);
    await bench.publisher.end('b', 'complete');

    expect((await events).map(({ data }) => data)).toEqual([1]);
  });

  it('fails when a topic has failed, after its events', async () => {
    await using bench = new Bench();
    await bench.warm('a');
    const seen: unknown[] = [];
    const failed = new Promise((resolve) => {
      bench.observe(['a']).subscribe({ next: ({ data }) => seen.push(data), error: resolve });
    });
    await bench.publishAll('a', 1);
    await bench.publisher.end('a', 'failed');

    expect(await failed).toMatchObject({ code: 'closed' });
    expect(seen).toEqual([1]);
  });

  it('fails with what a step throws, and nothing follows', async () => {
    await using bench = new Bench();
    await bench.warm('a');
    const boom = new Error('boom');
    const fail = () => {
      throw boom;
    };
    const seen: SseEvent[] = [];
    const failed = new Promise((resolve) => {
      bench
        .observe(['a'], { steps: [{ filter: fail }] })
        .subscribe({ next: (event) => seen.push(event), error: resolve });
    });
    await bench.publishAll('a', 1, 2);

    expect(await failed).toBe(boom);
    expect(seen).toEqual([]);
  });

  it('goes on when a topic has failed that its steps leave out', async () => {
    await using bench = new Bench();
    await bench.warm('*');
    const steps = [{ wants: (topic: string) => topic === 'a' }];
    const events = firstValueFrom(bench.observe(['*'], { steps }).pipe(take(1), toArray()));
    await bench.publishAll('b', 'not for us');
    await bench.publisher.end('b', 'failed');
    await bench.publishAll('a', 1);

    expect((await events).map(({ data }) => data)).toEqual([1]);
  });

  it('stops at once when it is unsubscribed from, also within an event, and lets go of its view', async () => {
    await using bench = new Bench();
    await bench.warm('a');
    const seen: unknown[] = [];
    const subscription = bench.observe(['a']).subscribe(({ data }) => {
      seen.push(data);
      subscription.unsubscribe();
    });
    await bench.publishAll('a', 1, 2);
    await turn();

    expect(seen).toEqual([1]);
    expect([...bench.hub.acquire(['a']).readers]).toEqual([]);
  });

  it('lets a subscriber publish to the topic that it observes', async () => {
    await using bench = new Bench();
    await bench.warm('a');
    const events = firstValueFrom(bench.observe(['a']).pipe(take(3), toArray()));
    bench.observe(['a']).subscribe(({ data }) => {
      if ((data as number) < 3) void bench.publishAll('a', (data as number) + 1);
    });
    await bench.publishAll('a', 1);

    expect((await events).map(({ data }) => data)).toEqual([1, 2, 3]);
  });
});

function errorsTo(errors: unknown[]): Signals<HubSignals> {
  const signals = new Signals<HubSignals>(() => undefined);
  signals.on('engine', ({ error }) => errors.push(error));
  return signals;
}
