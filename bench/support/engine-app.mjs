// Plain Nest applications on an engine, from the built package.
import { Controller, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventStreamService, SseModule, SseStream } from '../../dist/esm/index.js';
import { decorateMethod, injectInto, listen } from './nest.mjs';

class ReadController {
  constructor(streams) {
    this.streams = streams;
  }

  read(topic) {
    return this.streams.topics(...[topic].flat());
  }
}
injectInto(ReadController, EventStreamService);
Controller()(ReadController);
decorateMethod(ReadController, 'read', { parameters: [Query('topic')], method: SseStream('read') });

/** A node that streams: its port. */
export async function createNode(engine) {
  class AppModule {}
  Module({ imports: [SseModule.forRoot({ engine })], controllers: [ReadController] })(AppModule);
  return (await listen(AppModule, { isFastify: true })).port;
}

/** A process without HTTP that publishes. */
export async function createPublisher(engine) {
  class WorkerModule {}
  Module({ imports: [SseModule.forRoot({ engine })] })(WorkerModule);
  const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error', 'warn'] });
  return worker.get(EventStreamService);
}
