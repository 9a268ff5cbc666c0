import { setTimeout as delay } from 'node:timers/promises';
import { ServerProcess } from '../../../support/server-process.js';
import type { SharedEngine } from './engines.js';
import { Node } from './node.js';

export const TOPICS: readonly string[] = ['a', 'b'].flatMap((family) => [0, 1, 2, 3].map((n) => `${family}/${n}`));

/** A server and its nodes, to be held with `await using`. */
export class Lab {
  readonly engine: SharedEngine;
  readonly server: ServerProcess;
  /** Those that run. */
  readonly nodes: Node[] = [];
  /** Those that were killed, too. */
  readonly all: Node[] = [];

  private constructor(engine: SharedEngine, server: ServerProcess) {
    this.engine = engine;
    this.server = server;
  }

  static async start(engine: SharedEngine, nodes: number): Promise<Lab> {
    const lab = new Lab(engine, await ServerProcess.start(await engine.spec()));
    try {
      await Promise.all(Array.from({ length: nodes }, (_, slot) => lab.startNode(slot)));
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What processes have written, which should have been nothing, and those that have not ended well. */
  get problems(): string[] {
    const written = this.all.filter(({ child }) => child.output !== '');
    const failed = this.nodes.filter(({ child }) => child.exit?.code !== 0);
    return [
      ...written.map(({ publisher, child }) => `node ${publisher}: ${child.output}`),
      ...failed.map(({ publisher, child }) => `node ${publisher} ended with ${JSON.stringify(child.exit)}`),
    ];
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** Starts a node, in the place of the one that was there. */
  async startNode(slot: number): Promise<Node> {
    const publisher = this.all.length;
    // The place is taken before it is ready: others start at the same time.
    this.all.length++;
    const node = await Node.start(this.engine, this.server.port, publisher);
    this.all[publisher] = node;
    this.nodes[slot] = node;
    return node;
  }

  /** Closes all nodes, and waits until the server has so many connections as before them: none. */
  async closeNodes(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    const deadline = performance.now() + 5_000;
    for (let count = Infinity; count > 0;) {
      count = await this.engine.countConnections(this.server);
      if (count === 0) return;
      if (performance.now() > deadline)
        throw new Error(`The server has ${count} connections after all nodes were closed`);
      await delay(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((node) => node?.[Symbol.asyncDispose]()));
    await this.server[Symbol.asyncDispose]();
  }
}
