import { ServerProcess } from '../test/support/server-process.ts';
import { ENGINES } from './support/engines.mjs';
import { start } from './support/rpc.mjs';
const TOPICS = Array.from({ length: 100 }, (_, n) => `topic/${n}`);
const LOAD = { perSecond: 500, warmUpMs: 2000, forMs: 5000, bytes: 200 };
const name = process.argv[2];
const server = await ServerProcess.start(ENGINES[name].server);
const url = new URL('./support/tmp-node.mjs', import.meta.url);
const q = ({ times, acks }) => {
  const f = (a) => {
    a = Object.values(a);
    return [0.1, 0.5, 0.9].map((p) => Math.round(a[Math.floor(p * a.length)] ?? 0)).join('/');
  };
  return f(times) + ' acks ' + f(acks);
};
for (let r = 0; r < Number(process.argv[3] ?? 2); r++) {
  {
    const [a, b] = [start(url), start(url)];
    await a.call('subscribeBare', name, server.port, TOPICS);
    await b.call('publishBare', name, server.port, TOPICS, LOAD);
    console.log('bare', q(await a.call('latencies')), q(await b.call('latencies')));
    a.stop();
    b.stop();
  }
  const [s, p, c] = [start(url), start(url), start(url)];
  const port = await s.call('listen', name, server.port);
  await c.call('read', port, TOPICS);
  await p.call('publish', name, server.port, TOPICS, LOAD);
  console.log(
    'node',
    q(await s.call('latencies')),
    '| client',
    q(await c.call('latencies')),
    '| publisher',
    q(await p.call('latencies')),
  );
  for (const x of [s, p, c]) x.stop();
}
await server[Symbol.asyncDispose]();
