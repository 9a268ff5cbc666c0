// A node in a process of its own, with its log in Redis: `child-node.ts <port> <port of Redis>`.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseModule } from '../../src/index.js';
import { redisEngine } from '../../src/redis/index.js';
import { TopicController } from './controllers.js';

const [, , port = '', redisPort] = process.argv;

@Module({
  imports: [SseModule.forRoot({ engine: redisEngine({ url: `redis://127.0.0.1:${redisPort}` }), retryMs: 200 })],
  controllers: [TopicController],
})
class NodeModule {}

const app = await NestFactory.create(NodeModule, { logger: ['fatal', 'error', 'warn'] });
await app.listen(Number(port), '127.0.0.1');
process.stdout.write('It listens\n');
