import { ServerProcess } from '../../../support/server-process.js';
import { sharedEngines } from '../nodes/engines.js';
import type { SharedEngine } from '../nodes/engines.js';
import { RunNode } from './run-node.js';

export const LEASE_MS = 1_500;

/** The engines whose servers are here. */
export const servedEngines: readonly SharedEngine[] = sharedEngines.filter(({ program }) => program !== '');

/** A server and its nodes with runs, to be held with `await using`. */
export class RunLab {
  readonly engine: SharedEngine;
  readonly server: ServerProcess;
  readonly nodes: readonly RunNode[];
  readonly leaseMs: number;

  private constructor(engine: SharedEngine, server: ServerProcess, nodes: readonly RunNode[], leaseMs: number) {
    this.engine = engine;
    this.server = server;
    this.nodes = nodes;
    this.leaseMs = leaseMs;
  }

  static async start(engine: SharedEngine, count: number, leaseMs = LEASE_MS): Promise<RunLab> {
    const server = await ServerProcess.start(await engine.spec());
    const starting = Array.from({ length: count }, (_, n) => RunNode.start(engine, server.port, n, leaseMs));
    const settled = await Promise.allSettled(starting);
    const nodes = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const lab = new RunLab(engine, server, nodes, leaseMs);
    const failed = settled.find((each) => each.status === 'rejected');
    if (failed === undefined) return lab;
    await lab[Symbol.asyncDispose]();
    throw failed.reason;
  }

  /** What processes have written, which should have been nothing. */
  get written(): string[] {
    return this.nodes.map(({ child }) => child.output).filter((text) => text !== '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.server[Symbol.asyncDispose]();
  }
}

/** The numbers from 0. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
