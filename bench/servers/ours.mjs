// This module, in a plain Nest application: `node ours.mjs express|fastify [options as JSON]`.
import { Controller, Get, Module, Param } from '@nestjs/common';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';
import { decorateMethod, injectInto, listen } from '../support/nest.mjs';
import { drive } from './driver.mjs';
import { parseOptions } from './options.mjs';

const [adapter, json] = process.argv.slice(2);
const options = parseOptions(json);

class EventsController {
  constructor(streams) {
    this.streams = streams;
  }

  events(topic) {
    return this.streams.topic(`events/${topic}`);
  }

  /** The events of one topic, by a pattern that matches no other. */
  pattern(topic) {
    return this.streams.topics(`*/${topic}`);
  }

  plain() {
    return 'ok';
  }
}
Controller()(EventsController);
injectInto(EventsController, EventStreamService);
decorateMethod(EventsController, 'events', { parameters: [Param('topic')], method: SseStream('events/:topic') });
decorateMethod(EventsController, 'pattern', { parameters: [Param('topic')], method: SseStream('pattern/:topic') });
decorateMethod(EventsController, 'plain', { method: Get('plain') });

class Root {}
Module({ imports: [SseModule.forRoot(options.module)], controllers: [EventsController] })(Root);

const { app } = await listen(Root, { isFastify: adapter === 'fastify', adapterOptions: options.adapter });
const streams = app.get(EventStreamService);
drive({
  server: app.getHttpServer(),
  publish: (topic, data) => streams.publish(`events/${topic}`, { data }),
});
