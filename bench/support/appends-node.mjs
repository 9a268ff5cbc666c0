// One publisher of `appends.mjs`: the engine of a build, or the bare driver.
import { cpuUsage } from 'node:process';
import { register } from 'node:module';
import { quantile } from './report.mjs';
import { serve } from './rpc.mjs';

register(new URL('../../test/support/typescript.mjs', import.meta.url));
const { BARE, openEngine } = await import('./engines.mjs');

const TOPICS = Array.from({ length: 100 }, (_, n) => `topic/${n}`);
const DATA = new Uint8Array(200).fill(120);
const RETENTION = { maxEvents: 100, maxBytes: 1e6, maxAgeMs: 600_000 };

let append;
let next = 0;

serve({
  /** @param dist the folder of a build; '': the bare driver */
  async open(name, port, dist) {
    if (dist === '') {
      append = await BARE[name].store(port);
      return;
    }
    const engine = await openEngine(name, port, dist);
    append = (topic, data) => engine.append({ topic, data, retention: RETENTION });
  },
  /** Has so many under way for a while: one follows each that is stored. */
  async run(inFlight, forMs) {
    const times = [];
    const before = cpuUsage();
    const begin = performance.now();
    const work = async () => {
      for (let now = performance.now(); now < begin + forMs;) {
        await append(TOPICS[next++ % TOPICS.length], DATA);
        const end = performance.now();
        times.push(end - now);
        now = end;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
    const ms = performance.now() - begin;
    const { user, system } = cpuUsage(before);
    const sorted = Float64Array.from(times).sort();
    return { count: times.length, ms, cpuUs: user + system, p50Us: quantile(sorted, 0.5) * 1_000 };
  },
});
