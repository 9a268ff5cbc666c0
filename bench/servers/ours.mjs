// This module, in a plain Nest application: `node ours.mjs express|fastify [options as JSON] [another build's entry]`.
import { Controller, Get, Module, Param } from '@nestjs/common';
import { Subject } from 'rxjs';
import { decorateMethod, injectInto, listen } from '../support/nest.mjs';
import { SHARED, drive } from './driver.mjs';
import { parseOptions } from './options.mjs';

const [adapter, json, build = 'nestjs-event-stream'] = process.argv.slice(2);
const { EventStreamService, SseModule, SseStream } = await import(build);
const options = parseOptions(json);
/** Of those topics that are streamed as a source. */
const subjects = new Map();

class EventsController {
  constructor(streams) {
    this.streams = streams;
  }

  events(topic) {
    return this.streams.topic(`events/${topic}`);
  }

  /** One's own topic, and the one that all read. */
  pair(topic) {
    return this.streams.topics(`events/${topic}`, `events/${SHARED}`);
  }

  /** The events of one topic, by a pattern that matches no other. */
  pattern(topic) {
    return this.streams.topics(`*/${topic}`);
  }

  /** The events of one topic, by an Observable: each connection encodes its own. */
  source(topic) {
    const subject = subjects.get(Number(topic)) ?? new Subject();
    subjects.set(Number(topic), subject);
    return subject.asObservable();
  }

  plain() {
    return 'ok';
  }
}
Controller()(EventsController);
injectInto(EventsController, EventStreamService);
decorateMethod(EventsController, 'events', { parameters: [Param('topic')], method: SseStream('events/:topic') });
decorateMethod(EventsController, 'pair', { parameters: [Param('topic')], method: SseStream('pair/:topic') });
decorateMethod(EventsController, 'pattern', { parameters: [Param('topic')], method: SseStream('pattern/:topic') });
decorateMethod(EventsController, 'source', { parameters: [Param('topic')], method: SseStream('source/:topic') });
decorateMethod(EventsController, 'plain', { method: Get('plain') });

class Root {}
Module({ imports: [SseModule.forRoot(options.module)], controllers: [EventsController] })(Root);

const { app } = await listen(Root, { isFastify: adapter === 'fastify', adapterOptions: options.adapter });
const streams = app.get(EventStreamService);
drive({
  server: app.getHttpServer(),
  publish: (topic, data, n) => {
    const subject = subjects.get(topic);
    return subject === undefined ? streams.publish(`events/${topic}`, { data }) : subject.next({ id: String(n), data });
  },
});
