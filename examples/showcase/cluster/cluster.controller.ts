import { Controller } from '@nestjs/common';
import { Connection, SseStream, type SseConnection, type SseEvent } from 'nestjs-event-stream';
import { setTimeout } from 'node:timers/promises';

const LOOK_EVERY_MS = 1_000;
/** Where `npm run cluster` listens, unless it was told otherwise. */
const CLUSTER_URL = process.env.CLUSTER_URL || 'http://localhost:3001';

interface Cluster {
  url: string;
  isRunning: boolean;
  nodes: { name: string; state: string }[];
}

/** Whether the other example runs beside this one. */
@Controller('api/cluster')
export class ClusterController {
  /** A source that is asked anew for each client: it looks while somebody watches, and tells what has changed. */
  @SseStream()
  async *watch(@Connection() { signal }: SseConnection): AsyncIterable<SseEvent> {
    let before = '';
    while (!signal.aborted) {
      const cluster = await look();
      const now = JSON.stringify(cluster);
      if (now !== before) yield { type: 'cluster', data: cluster };
      before = now;
      await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function look(): Promise<Cluster> {
  try {
    const response = await fetch(`${CLUSTER_URL}/runner/nodes`, { signal: AbortSignal.timeout(LOOK_EVERY_MS) });
    const nodes: unknown = await response.json();
    return { url: CLUSTER_URL, isRunning: Array.isArray(nodes), nodes: nodes as Cluster['nodes'] };
  } catch {
    return { url: CLUSTER_URL, isRunning: false, nodes: [] };
  }
}
