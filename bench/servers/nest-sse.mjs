// Nest's own `@Sse()`, one Subject for each topic: `node nest-sse.mjs express|fastify [options as JSON]`.
import { Controller, Get, Module, Param, Sse } from '@nestjs/common';
import { Subject, merge } from 'rxjs';
import { decorateMethod, listen } from '../support/nest.mjs';
import { SHARED, drive } from './driver.mjs';
import { parseOptions } from './options.mjs';

const [adapter, json] = process.argv.slice(2);
const subjects = new Map();

function subjectOf(topic) {
  let subject = subjects.get(topic);
  if (subject === undefined) subjects.set(topic, (subject = new Subject()));
  return subject;
}

class EventsController {
  events(topic) {
    return subjectOf(Number(topic)).asObservable();
  }

  /** One's own topic, and the one that all read. */
  pair(topic) {
    return merge(subjectOf(Number(topic)), subjectOf(SHARED));
  }

  plain() {
    return 'ok';
  }
}
Controller()(EventsController);
decorateMethod(EventsController, 'events', { parameters: [Param('topic')], method: Sse('events/:topic') });
decorateMethod(EventsController, 'pair', { parameters: [Param('topic')], method: Sse('pair/:topic') });
decorateMethod(EventsController, 'plain', { method: Get('plain') });

class Root {}
Module({ controllers: [EventsController] })(Root);

const { app } = await listen(Root, { isFastify: adapter === 'fastify', adapterOptions: parseOptions(json).adapter });
drive({
  server: app.getHttpServer(),
  publish: (topic, data) => subjects.get(topic)?.next({ data }),
});
