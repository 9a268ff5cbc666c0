import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { RunOptions } from 'nestjs-event-stream/runs';
import type { Stream } from '../support/stream.js';
import { engineKinds } from '../support/engines.js';
import { until } from '../support/until.js';
import { RunCluster, Tap, options, producers } from './support/cluster.js';

jest.setTimeout(60_000);

afterEach(() => {
  producers.clear();
  options.clear();
});

/** A run that somebody has asked for over HTTP, and the stream of whoever did. */
async function ask(
  cluster: RunCluster,
  key: string,
  given: RunOptions = {},
  node = 0,
): Promise<{ tap: Tap; stream: Stream }> {
  const tap = new Tap();
  producers.set(key, tap.producer);
  options.set(key, given);
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ key }) };
  return { tap, stream: await cluster.nodes[node]!.open('/runs/ask', init) };
}

function watch(cluster: RunCluster, key: string, node = 0, lastEventId?: string): Promise<Stream> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  return cluster.nodes[node]!.open(`/runs/watch?key=${encodeURIComponent(key)}`, { headers });
}

describe.each(engineKinds)('a run on $name', (kind) => {
  const last = kind.isShared ? 1 : 0;

  test('is watched from its first event, by whoever has asked and by whoever comes, and ends for all', async () => {
    await using cluster = await RunCluster.start(kind, last + 1);
    const { tap, stream } = await ask(cluster, 'a/1');
    tap.give('x', { type: 'token', data: { n: 1 } }, { n: 2 });
    await stream.take(3);
    const other = await watch(cluster, 'a/1', last);
    tap.give('y');
    tap.end();

    const data = ['x', '{"n":1}', '{"n":2}', 'y', '{"reason":"complete","reconnect":false}'];
    expect((await other.rest()).map((event) => event.data)).toEqual(data);
    expect((await stream.rest()).map((event) => event.data)).toEqual(data.slice(3));
    const late = await watch(cluster, 'a/1', last);
    expect((await late.rest()).map((event) => event.data)).toEqual(data);
    expect(late.headers.get('x-run-id')).toBe(stream.headers.get('x-run-id'));
    expect(tap.calls).toBe(1);
  });
});
