// The processes of `engines.mjs`: one that publishes, one that streams, one that reads; and the same with the bare driver.
import { setTimeout as delay } from 'node:timers/promises';
import { register } from 'node:module';
import { openRaw } from './raw-client.mjs';
import { serve } from './rpc.mjs';

register(new URL('../../test/support/typescript.mjs', import.meta.url));
const { BARE, openEngine } = await import('./engines.mjs');

let times = [];
let wrong = 0;
const next = new Map();

serve({
  async subscribeBare(name, port, topics) {
    const { subscribe } = await BARE[name].open(port);
    await subscribe(topics, note);
  },
  async publishBare(name, port, topics, load) {
    const { publish } = await BARE[name].open(port);
    await publishing(load, topics, (topic, text) => publish(topic, text));
  },
  async listen(name, port) {
    const { createNode } = await import('./engine-app.mjs');
    return createNode(await openEngine(name, port));
  },
  async publish(name, port, topics, load) {
    const { createPublisher } = await import('./engine-app.mjs');
    const streams = await createPublisher(await openEngine(name, port));
    return publishing(load, topics, (topic, text) => streams.publish(topic, { data: text }));
  },
  read(port, topics) {
    const path = `/read?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')}`;
    return new Promise((resolve, reject) => {
      const onFrame = ({ id, data }) => {
        if (data === undefined && id !== undefined) resolve();
        else if (data !== undefined) note(data);
      };
      openRaw({ port, path, onFrame, onOver: reject });
    });
  },
  async latencies() {
    await delay(500);
    return { times, wrong };
  },
});

/** A text is the time of its publishing, the number of the event, and padding. */
function note(text) {
  const now = process.hrtime.bigint();
  const [at, number, isWarmUp] = text.split(' ');
  if (Number(number) !== (next.get('all') ?? 0)) wrong++;
  next.set('all', Number(number) + 1);
  if (isWarmUp !== 'w') times.push(Number(now - BigInt(at)) / 1_000);
}

async function publishing({ perSecond, warmUpMs, forMs, bytes }, topics, publish) {
  const total = ((warmUpMs + forMs) * perSecond) / 1_000;
  const warmUp = (warmUpMs * perSecond) / 1_000;
  const startedAt = performance.now();
  let rejected = 0;
  const waiting = [];
  for (let n = 0; n < total; n++) {
    const dueAt = startedAt + (n * 1_000) / perSecond;
    while (performance.now() < dueAt) await delay(Math.max(dueAt - performance.now() - 1, 0));
    const text = `${process.hrtime.bigint()} ${n} ${n < warmUp ? 'w' : '-'} `.padEnd(bytes, 'x');
    waiting.push(Promise.resolve(publish(topics[n % topics.length], text)).catch(() => rejected++));
  }
  await Promise.all(waiting);
  return { rejected };
}
