import { adapters } from '../../../support/app.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';
import { Child } from '../nodes/child.js';
import type { SharedEngine } from '../nodes/engines.js';
import { RawStream } from '../raw-stream.js';
import type { RunNodeFunctions } from './node-main.js';

/** What a run produces: so many numbers. */
export interface RunPlan {
  readonly count: number;
  /** How long it waits before each, on average; 0: not at all. */
  readonly everyMs: number;
  /** How much text each has. */
  readonly bytes?: number | undefined;
}

/** What has become of a start. */
export interface Started {
  readonly key: string;
  readonly id: string;
  /** Whether it was this one's producer that was called. */
  readonly isCalled: boolean;
  readonly isRefused: boolean;
}

/** What a producer knows of its run. */
export interface Produced {
  readonly key: string;
  readonly id: string;
  /** So many of its events are stored: it was asked for the next one. */
  readonly stored: number;
  readonly isAborted: boolean;
  readonly isDone: boolean;
}

/** A node with runs in a process of its own, and the network between it and the engine's server; to be held with `await using`. */
export class RunNode {
  /** What its producers have told so far, also of a process that is gone. */
  readonly told = new Map<string, Produced>();
  readonly child: Child<RunNodeFunctions>;
  readonly proxy: TcpProxy | undefined;
  port = 0;
  readonly #streams: RawStream[] = [];

  private constructor(proxy: TcpProxy | undefined) {
    this.proxy = proxy;
    this.child = new Child('test/faults/support/runs/node-main.ts', (said) => {
      for (const produced of said as Produced[]) this.told.set(produced.id, produced);
    });
  }

  /** Without an engine it has one in its memory. */
  static async start(
    engine: SharedEngine | undefined,
    serverPort: number,
    n: number,
    leaseMs: number,
  ): Promise<RunNode> {
    const node = new RunNode(engine && (await TcpProxy.start(serverPort)));
    try {
      const adapter = adapters[n % 2]!;
      node.port = await node.child.call(
        'start',
        engine?.name ?? 'memory',
        node.proxy?.port ?? 0,
        adapter.name,
        leaseMs,
      );
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Watches the last run under a key. */
  async watch(key: string, lastEventId?: string): Promise<RawStream> {
    const headers = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId };
    const stream = await RawStream.open(this.port, `/watch?key=${encodeURIComponent(key)}`, headers);
    this.#streams.push(stream);
    return stream;
  }

  async kill(): Promise<void> {
    this.child.signal('SIGKILL');
    await this.child.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream[Symbol.asyncDispose]()));
    await this.child[Symbol.asyncDispose]();
    await this.proxy?.[Symbol.asyncDispose]();
  }
}

/** How a stream of a run has ended: the code of its error, or the reason of its end. */
export function endOf({ messages }: RawStream): string | undefined {
  const last = messages.at(-1);
  if (last?.event !== 'stream.end' && last?.event !== 'stream.error') return undefined;
  const { code, reason } = JSON.parse(last.data) as { code?: string; reason?: string };
  return code ?? reason;
}
