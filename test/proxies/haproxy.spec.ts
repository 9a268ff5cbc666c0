import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openRaw } from '../support/raw.js';
import { ServerProcess } from '../support/server-process.js';
import { haproxyServer } from '../support/servers/haproxy.js';
import { until } from '../support/until.js';

describe('behind the HAProxy of docs/scaling.md', () => {
  it('a client that leaves is noticed at once', async () => {
    await using nodes = await Nodes.start();
    await using haproxy = await ServerProcess.start(haproxyServer(nodes.ports));
    const client = await openRaw(haproxy.port, 'GET / HTTP/1.1', 'Host: a');
    await client.receive('retry: 1\n');
    client.socket.end();

    // Long before a heartbeat: the node writes nothing.
    await until(() => nodes.open.size === 0, 'the node to hear of it', 5_000);
  });

  it('a node that cannot be reached costs no time', async () => {
    await using nodes = await Nodes.start();
    await using haproxy = await ServerProcess.start(haproxyServer(nodes.ports));
    // Each has one, and then the one that is gone has fewer.
    await using first = await openRaw(haproxy.port, 'GET / HTTP/1.1', 'Host: a');
    await first.receive('retry: 1\n');
    await using second = await openRaw(haproxy.port, 'GET / HTTP/1.1', 'Host: a');
    await second.receive('retry: 1\n');
    nodes.kill(0);
    await until(() => first.isClosed || second.isClosed, 'its stream to be cut');
    await using third = await openRaw(haproxy.port, 'GET / HTTP/1.1', 'Host: a');

    await third.receive('retry: 1\n');
  });

  it('a client is told to come back when there is no node, and when one dies before it has answered', async () => {
    await using nodes = await Nodes.start();
    await using haproxy = await ServerProcess.start(haproxyServer(nodes.ports));
    const answers = [await ask(`http://127.0.0.1:${haproxy.port}/dies`)];
    nodes.kill(0);
    nodes.kill(1);
    answers.push(await ask(`http://127.0.0.1:${haproxy.port}/`));

    expect(answers).toEqual(Array(2).fill([200, 'text/event-stream', 'retry: 3000\n\n']));
  });
});

async function ask(url: string): Promise<unknown[]> {
  const response = await fetch(url);
  return [response.status, response.headers.get('content-type'), await response.text()];
}

/** Two that open streams and write nothing more. */
class Nodes {
  readonly open = new Set<ServerResponse>();
  readonly #servers: readonly Server[];

  private constructor() {
    this.#servers = [0, 1].map(() =>
      createServer((request, response) => {
        if (request.url === '/health') return void response.end();
        if (request.url === '/dies') return void request.socket.destroy();
        this.open.add(response);
        response.on('close', () => this.open.delete(response));
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1\n');
      }),
    );
  }

  static async start(): Promise<Nodes> {
    const nodes = new Nodes();
    for (const server of nodes.#servers) await once(server.listen(0, '127.0.0.1'), 'listening');
    return nodes;
  }

  get ports(): [number, number] {
    return this.#servers.map((server) => (server.address() as AddressInfo).port) as [number, number];
  }

  kill(index: number): void {
    const server = this.#servers[index]!;
    server.close();
    server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const index of [0, 1]) this.kill(index);
  }
}
