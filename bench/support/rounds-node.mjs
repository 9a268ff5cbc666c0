// The processes of `rounds.mjs`: a node that streams, and its clients.
import v8 from 'node:v8';
import { register } from 'node:module';
import { memory } from './nest.mjs';
import { openRaw } from './raw-client.mjs';
import { serve } from './rpc.mjs';

register(new URL('../../test/support/typescript.mjs', import.meta.url));
const { BARE, openEngine } = await import('./engines.mjs');

/** Internals, counted but never touched. */
const INTERNALS = {
  Connection: '../../dist/esm/connection/connection.js',
  Cursor: '../../dist/esm/hub/cursor.js',
  View: '../../dist/esm/hub/view.js',
};
const AT_A_TIME = 100;

let subscriptions = async () => 0;

serve({
  async listen(name, port) {
    const { createNode } = await import('./engine-app.mjs');
    subscriptions = (await BARE[name].subscriptions?.(port)) ?? subscriptions;
    return createNode(await openEngine(name, port));
  },
  async rounds(port, from, count) {
    let next = from;
    const work = async () => {
      while (next < from + count) await round(port, `round/${next++}`);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  },
  async measure() {
    const { heapUsed } = memory();
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;
    const counts = { sockets, subscriptions: await subscriptions() };
    for (const [name, path] of Object.entries(INTERNALS)) {
      const { [name]: internal } = await import(path);
      counts[name] = v8.queryObjects?.(internal, { format: 'count' }) ?? 0;
    }
    return { heapUsed, ...counts };
  },
});

function round(port, topic) {
  return new Promise((resolve, reject) => {
    const onFrame = ({ id }) => {
      if (id !== undefined) client.socket.destroy();
    };
    const onOver = (reason) => (reason === 'closed' ? resolve() : reject(new Error(`a round: ${reason}`)));
    const client = openRaw({ port, path: `/read?topic=${topic}`, onFrame, onOver });
  });
}
