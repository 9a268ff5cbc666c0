import { setTimeout as delay } from 'node:timers/promises';
import { register } from 'node:module';
import { openRaw } from './raw-client.mjs';
import { serve } from './rpc.mjs';
register(new URL('../../test/support/typescript.mjs', import.meta.url));
const { BARE, openEngine } = await import('./engines.mjs');
let times = [];
const acks = [];
serve({
  async subscribeBare(name, port, topics) {
    const { subscribe } = await BARE[name].open(port);
    await subscribe(topics, note);
  },
  async publishBare(name, port, topics, load) {
    const { publish } = await BARE[name].open(port);
    await publishing(load, topics, (t, x) => publish(t, x));
  },
  async listen(name, port) {
    const { createNode } = await import('./engine-app.mjs');
    const engine = await openEngine(name, port);
    const start = engine.start.bind(engine);
    engine.start = (sink) =>
      start({
        entry: (e, entry) => {
          note(Buffer.from(entry.data).toString());
          sink.entry(e, entry);
        },
        hint: (...a) => sink.hint(...a),
        interrupted: (...a) => sink.interrupted(...a),
        resumed: () => sink.resumed(),
      });
    return createNode(engine);
  },
  async publish(name, port, topics, load) {
    const { createPublisher } = await import('./engine-app.mjs');
    const streams = await createPublisher(await openEngine(name, port));
    return publishing(load, topics, (topic, text) => streams.publish(topic, { data: text }));
  },
  read(port, topics) {
    const path = `/read?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')}`;
    return new Promise((resolve, reject) => {
      openRaw({
        port,
        path,
        onFrame: ({ id, data }) => {
          if (data === undefined && id !== undefined) resolve();
          else if (data !== undefined) note(data);
        },
        onOver: reject,
      });
    });
  },
  async latencies() {
    await delay(300);
    return { times: Float64Array.from(times).sort(), acks: Float64Array.from(acks).sort() };
  },
});
function note(text) {
  const now = process.hrtime.bigint();
  const m = /(\d{10,}) (\d+) ([w-])/.exec(text);
  if (!m) return;
  if (m[3] !== 'w') times.push(Number(now - BigInt(m[1])) / 1000);
}
async function publishing({ perSecond, warmUpMs, forMs, bytes }, topics, publish) {
  const total = ((warmUpMs + forMs) * perSecond) / 1000;
  const warmUp = (warmUpMs * perSecond) / 1000;
  const startedAt = performance.now();
  for (let n = 0; n < total; n++) {
    const dueAt = startedAt + (n * 1000) / perSecond;
    while (performance.now() < dueAt) await delay(Math.max(dueAt - performance.now() - 1, 0));
    const t = process.hrtime.bigint();
    const text = `${t} ${n} ${n < warmUp ? 'w' : '-'} `.padEnd(bytes, 'x');
    void publish(topics[n % topics.length], text).then(() => acks.push(Number(process.hrtime.bigint() - t) / 1000));
  }
  await delay(100);
  return { rejected: 0 };
}
