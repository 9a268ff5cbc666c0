// A process of `nodes.mjs`: `node nodes-node.mjs <engine> <port of its server> streams|publishes`. The second has no HTTP.
import { register } from 'node:module';
import { Controller, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventStreamService, SseModule, SseStream } from '../../dist/esm/index.js';
import { SHARED, drive } from '../servers/driver.mjs';
import { decorateMethod, injectInto, listen } from './nest.mjs';

register(new URL('../../test/support/typescript.mjs', import.meta.url));
const { openEngine } = await import('./engines.mjs');

const [name, port, role] = process.argv.slice(2);

class EventsController {
  constructor(streams) {
    this.streams = streams;
  }

  /** One's own topic, and the one that all read. */
  pair(topic) {
    return this.streams.topics(`events/${topic}`, `events/${SHARED}`);
  }
}
Controller()(EventsController);
injectInto(EventsController, EventStreamService);
decorateMethod(EventsController, 'pair', { parameters: [Param('topic')], method: SseStream('pair/:topic') });

class Root {}
const engine = await openEngine(name, Number(port));
Module({ imports: [SseModule.forRoot({ engine, heartbeatMs: false })], controllers: [EventsController] })(Root);

const app =
  role === 'streams'
    ? (await listen(Root, { isFastify: true })).app
    : await NestFactory.createApplicationContext(Root, { logger: ['error', 'warn'] });
const streams = app.get(EventStreamService);
drive({
  server: role === 'streams' ? app.getHttpServer() : undefined,
  publish: (topic, data) => streams.publish(`events/${topic}`, { data }),
});
