import { Controller, Get, Module, Param } from '@nestjs/common';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';
import { decorateMethod, injectInto, listen } from './support/nest.mjs';
import { start } from './support/rpc.mjs';
import { Session } from 'node:inspector/promises';
import fs from 'node:fs';
class EventsController { plain() { return "ok"; } constructor(s) { this.streams = s; } events(t) { return this.streams.topic(`events/${t}`); } }
Controller()(EventsController); injectInto(EventsController, EventStreamService);
decorateMethod(EventsController, 'events', { parameters: [Param('topic')], method: SseStream('events/:topic') });
decorateMethod(EventsController, 'plain', { method: Get('plain') }); class Root {} Module({ imports: [SseModule.forRoot({})], controllers: [EventsController] })(Root);
const { app, port } = await listen(Root, { isFastify: process.argv[2] === 'fastify' });
const streams = app.get(EventStreamService);
const clients = start(new URL('./tmp-connects-clients.mjs', import.meta.url));
const profiled = async (name, f) => { const s = new Session(); s.connect(); await s.post('Profiler.enable'); await s.post('Profiler.setSamplingInterval', { interval: 200 }); await s.post('Profiler.start'); const c0 = process.cpuUsage(); await f(); const c = process.cpuUsage(c0); const { profile } = await s.post('Profiler.stop'); fs.mkdirSync('/tmp/prof', { recursive: true }); fs.writeFileSync(`/tmp/prof/${name}.cpuprofile`, JSON.stringify(profile)); s.disconnect(); return (c.user + c.system); };
for (const p of ['/plain', '/events/1']) { await clients.call('open', port, 1000, p); }
await clients.call('close');
for (let r = 0; r < 3; r++) {
  const N = 4000;
  const cpu = {};
  for (const p of ['/plain', '/events/1']) { const c0 = process.cpuUsage(); const t = await clients.call('open', port, N, p); const c = process.cpuUsage(c0); cpu[p] = [Math.round((c.user + c.system) / N), Math.round(N / t * 1000)]; }
  await clients.call('close'); await new Promise(r => setTimeout(r, 500));
  console.log(JSON.stringify(cpu));
}
await profiled('c', () => clients.call('open', port, 6000, '/events/1'));
clients.stop(); process.exit();
