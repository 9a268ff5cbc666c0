// One run: a fresh server, a fresh load client, a measurement, and what the client has checked meanwhile.
import { setTimeout as delay } from 'node:timers/promises';
import { program } from './build.mjs';
import { LOAD_CORE } from './cores.mjs';
import { startLineProcess } from './line-process.mjs';
import { SERVERS } from './servers.mjs';
import { cpuNs } from './usage.mjs';

/** Kinds of wrong answers that are counted. `closed` are streams that ended by themselves. */
const FAULTS = [
  'lost',
  'gaps',
  'repeated',
  'misordered',
  'strays',
  'broken',
  'closed',
  'failed',
  'refused',
  'failures',
];

/**
 * Measures one server. `measure` gets a {@link Bench} and answers its figures; `client` is the command of the load client.
 *
 * @returns {Promise<{ figures: Record<string, number>, faults: Record<string, number> }>}
 */
export async function runOne(name, options, measure, client = [program('load')]) {
  const bench = await startBench(name, options, client);
  try {
    const figures = await measure(bench);
    return { figures, faults: bench.faults };
  } finally {
    await bench.stop();
  }
}

/** A server and its load client, that stay until they are stopped. */
export async function startBench(name, options, client = [program('load')]) {
  const server = await SERVERS[name].start(options);
  return new Bench(name, server, await startLineProcess(LOAD_CORE, ...client));
}

/** `server` has `port`, `call()` and `cpuNs()`, and may be more than one process. */
export class Bench {
  faults = {};

  constructor(name, server, client) {
    this.name = name;
    this.server = server;
    this.client = client;
  }

  /** Opens connections; `path` may have a %d, the number of the connection and of its topic. */
  async open(given) {
    const answer = await this.client.call('open', { port: this.server.port, timeoutMs: 60_000, ...given });
    this.note(answer);
    // A stream that has its head may still be on its way to its place in the log.
    await delay(300);
    return answer;
  }

  /** Resets all connections, and lets the server notice. */
  async close() {
    await this.client.call('close');
    await delay(500);
  }

  /**
   * Has events published, waits until all have come, and answers what that took. `napUs`: how the client waits, see
   * bench/load/main.c.
   */
  async publish(word, given, deliveriesOf, { napUs = 0 } = {}) {
    await this.client.call('start', { napUs });
    const before = { cpu: this.server.cpuNs(), client: cpuNs([this.client.pid]), at: performance.now() };
    const done = await this.server.call(word, given);
    const expected = deliveriesOf(done.published, done);
    const seen = await this.client.call('settle', { expected, timeoutMs: 10_000 });
    const cpu = this.server.cpuNs() - before.cpu;
    const wallMs = performance.now() - before.at;
    this.note({ ...seen, refused: done.refused, failures: done.failures });
    return {
      ...seen,
      ...{ published: done.published, lastId: done.lastId, wallMs },
      cpuMs: cpu / 1e6,
      cpuPerDeliveryUs: cpu / 1e3 / seen.received,
      cpuPerPublishUs: cpu / 1e3 / done.published,
      clientShare: (cpuNs([this.client.pid]) - before.client) / 1e6 / wallMs,
      serverShare: cpu / 1e6 / wallMs,
    };
  }

  /** Holds both processes where they are: until `resume()` they take nothing of the machine but memory. */
  pause() {
    for (const pid of [this.client.pid, this.server.pid]) process.kill(pid, 'SIGSTOP');
  }

  resume() {
    for (const pid of [this.server.pid, this.client.pid]) process.kill(pid, 'SIGCONT');
  }

  async stop() {
    await this.client.stop();
    await this.server.stop();
  }

  note(answer) {
    for (const fault of FAULTS) {
      if (answer[fault] > 0) this.faults[fault] = (this.faults[fault] ?? 0) + answer[fault];
    }
  }
}
