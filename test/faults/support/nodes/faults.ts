import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.mjs';
import type { Lab } from './lab.js';
import type { Node } from './node.js';

/** What was done to a lab. */
export interface Done {
  serverKills: number;
  nodeKills: number;
  stalls: number;
  cuts: number;
  blackHoles: number;
  lostReplies: number;
}

const STALL_MS = 2_000;

/** Does what goes wrong in a month, again and again until the time is over; at the end everything is whole again. */
export class Faults {
  readonly done: Done = { serverKills: 0, nodeKills: 0, stalls: 0, cuts: 0, blackHoles: 0, lostReplies: 0 };
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #onNode: (node: Node) => Promise<unknown>;

  /** @param onNode called with each node that was started in the place of a killed one */
  constructor(lab: Lab, random: Random, onNode: (node: Node) => Promise<unknown>) {
    this.#lab = lab;
    this.#random = random;
    this.#onNode = onNode;
  }

  async run(seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1_000;
    await Promise.all([this.#processes(until), this.#network(until)]);
  }

  /** Rounds, each of them whole: the server twice, a node killed, a node stopped. */
  async #processes(until: number): Promise<void> {
    const random = this.#random;
    do {
      const round = random.sample(['server', 'server', 'kill', 'stall'], 4);
      for (const fault of round) {
        await delay(random.int(200, 1_200));
        if (fault === 'server') await this.#killServer();
        else if (fault === 'kill') await this.#killNode();
        else await this.#stall();
      }
      await delay(random.int(500, 1_500));
    } while (performance.now() < until);
  }

  /** Between nodes and server, of one node after the other. */
  async #network(until: number): Promise<void> {
    const random = this.#random;
    for (let n = 0; n < 6 || performance.now() < until; n++) {
      await delay(random.int(200, 1_200));
      const { proxy } = random.pick(this.#lab.nodes);
      const fault = ['cut', 'hole', 'replies'][n % 3];
      if (fault === 'hole') {
        this.done.blackHoles++;
        proxy.swallow(true);
        await delay(random.int(100, 3_000));
      } else if (fault === 'replies') {
        this.done.lostReplies++;
        proxy.mute(true);
        await delay(random.int(5, 200));
      } else this.done.cuts++;
      // A connection that has lost some bytes and goes on is nothing that TCP knows.
      proxy.cut();
      proxy.swallow(false);
      proxy.mute(false);
    }
  }

  async #killServer(): Promise<void> {
    this.done.serverKills++;
    await this.#lab.server.kill('SIGKILL');
    await delay(this.#random.next() ** 2 * 1_000);
    await this.#lab.engine.restart(this.#lab.server);
  }

  async #killNode(): Promise<void> {
    this.done.nodeKills++;
    const slot = this.#random.int(0, this.#lab.nodes.length);
    await this.#lab.nodes[slot]!.kill();
    await this.#onNode(await this.#lab.startNode(slot));
  }

  async #stall(): Promise<void> {
    this.done.stalls++;
    const { child } = this.#random.pick(this.#lab.nodes);
    child.signal('SIGSTOP');
    await delay(STALL_MS);
    child.signal('SIGCONT');
  }
}
