import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventStreamService, SseModule } from 'nestjs-event-stream';
import { openStream } from 'nestjs-event-stream/client';
import { redisEngine } from 'nestjs-event-stream/redis';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Program } from '../support/program.js';
import { ServerProcess, freePort } from '../support/server-process.js';
import { nginxServer } from '../support/servers/nginx.js';
import { redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);
let leaving: AbortController;
beforeEach(() => {
  leaving = new AbortController();
});
afterEach(() => {
  leaving.abort();
  jest.restoreAllMocks();
});

const whenThere = process.env.REDIS_SERVER === '' ? it.skip : it;

describe('behind the nginx of docs/scaling.md', () => {
  whenThere(
    'openStream() loses nothing and gets nothing twice while its node is killed, away, refusing, and back',
    async () => {
      const answers = noteAnswers();
      const nodePort = await freePort();
      await using redis = await ServerProcess.start(redisServer());
      await using nginx = await ServerProcess.start(nginxServer(nodePort));
      await using publisher = await Publisher.start(redis.port);
      const got: string[] = [];
      let ended: Promise<void>;
      {
        await using node = await startNode(nodePort, redis.port);
        // What fails adds a second to what nginx asks to wait, and no more.
        const { signal } = leaving;
        const stream = openStream(`http://127.0.0.1:${nginx.port}/topic`, { maxRetryInterval: 1_000, signal });
        ended = (async () => {
          for await (const { data } of stream) got.push(data);
        })();
        await until(() => answers.length === 1, 'the stream to be opened');
        await publisher.publish(50);
        await until(() => got.length === 50, 'the first events', 20_000);
        await publisher.publish(50);
        await node.kill();
      }
      await publisher.publish(50);
      await until(() => answers.length === 2, 'nginx to say that nobody is there');
      await answerWith(nodePort, { status: 503, times: 2 });
      {
        await using node = await startNode(nodePort, redis.port);
        await until(() => got.length === 150, 'what was missed', 30_000);
        await publisher.publish(50);
        await until(() => got.length === 200, 'what comes now');
        await node.kill();
      }
      await answerWith(nodePort, { status: 204, times: 1 });
      await ended;

      expect(got.map(Number)).toEqual(Array.from({ length: 200 }, (_, n) => n));
      expect(answers.slice(0, 2)).toEqual([200, 200]);
      expect(answers.filter((status) => status === 503)).toHaveLength(2);
      expect(answers.at(-1)).toBe(204);
    },
  );

  it('a client that leaves is noticed at once', async () => {
    const nodePort = await freePort();
    const node = createServer(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n'),
    );
    await once(node.listen(nodePort, '127.0.0.1'), 'listening');
    await using nginx = await ServerProcess.start(nginxServer(nodePort));
    const left = once(node, 'request').then(([, response]) => once(response as NodeJS.EventEmitter, 'close'));

    const response = await fetch(`http://127.0.0.1:${nginx.port}/`);
    await response.body?.cancel();
    await left;
    node.close();
  });
});

/** Notes the status of each answer that the client gets. */
function noteAnswers(): number[] {
  const statuses: number[] = [];
  const { fetch } = globalThis;
  jest.spyOn(globalThis, 'fetch').mockImplementation(async (...given) => {
    const response = await fetch(...given);
    statuses.push(response.status);
    return response;
  });
  return statuses;
}

async function startNode(port: number, redisPort: number): Promise<Program> {
  const node = new Program('test/support/child-node.ts', String(port), String(redisPort));
  await node.says('It listens');
  return node;
}

/** Takes the node's place, and answers some requests. */
async function answerWith(port: number, { status, times }: { status: number; times: number }): Promise<void> {
  let left = times;
  const server = createServer((_, response) => {
    response.writeHead(status, { connection: 'close' }).end(() => --left === 0 && server.close());
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  await once(server, 'close');
}

/** Publishes the numbers from 0 on. */
class Publisher {
  readonly #context: INestApplicationContext;
  #published = 0;

  private constructor(context: INestApplicationContext) {
    this.#context = context;
  }

  static async start(redisPort: number): Promise<Publisher> {
    const module = SseModule.forRoot({ engine: redisEngine({ url: `redis://127.0.0.1:${redisPort}` }) });
    return new Publisher(await NestFactory.createApplicationContext(module, { logger: false }));
  }

  async publish(count: number): Promise<void> {
    const streams = this.#context.get(EventStreamService);
    for (let n = 0; n < count; n++) await streams.publish('topic', { data: String(this.#published++) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}
