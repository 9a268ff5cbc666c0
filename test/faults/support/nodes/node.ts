import { adapters } from '../../../support/app.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';
import { Child } from './child.js';
import type { SharedEngine } from './engines.js';
import type { NodeFunctions } from './node-main.js';

/** What a node publishes. */
export interface Load {
  readonly publisher: number;
  readonly seed: number;
  readonly topics: readonly string[];
  readonly perSecond: number;
}

/** What has become of an event: `stored`, or the code of the error; `tookMs` without the time in which the node stood still. */
export interface Outcome {
  readonly n: number;
  readonly topic: string;
  readonly code: string;
  readonly id: string;
  readonly tookMs: number;
}

/** A node, and the network between it and the engine's server; to be held with `await using`. */
export class Node {
  readonly publisher: number;
  readonly outcomes: Outcome[] = [];
  readonly child: Child<NodeFunctions>;
  readonly proxy: TcpProxy;
  /** Where clients find it. */
  port = 0;
  #isKilled = false;

  private constructor(publisher: number, proxy: TcpProxy) {
    this.publisher = publisher;
    this.proxy = proxy;
    const onSaid = (said: unknown): void => void this.outcomes.push(...(said as Outcome[]));
    this.child = new Child('test/faults/support/nodes/node-main.ts', onSaid);
  }

  /** Nodes with an even number run on Express, the others on Fastify. */
  static async start(engine: SharedEngine, serverPort: number, publisher: number): Promise<Node> {
    const node = new Node(publisher, await TcpProxy.start(serverPort));
    try {
      const adapter = adapters[publisher % 2]!;
      node.port = await node.child.call('start', engine.name, node.proxy.port, adapter.name);
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isKilled(): boolean {
    return this.#isKilled;
  }

  async kill(): Promise<void> {
    this.#isKilled = true;
    this.child.signal('SIGKILL');
    await this.child.ended();
    await this.proxy[Symbol.asyncDispose]();
  }

  /** Closes the application; the process then has nothing left that holds it. */
  async close(): Promise<void> {
    await this.child.call('close');
    await this.child.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child[Symbol.asyncDispose]();
    if (!this.#isKilled) await this.proxy[Symbol.asyncDispose]();
  }
}
