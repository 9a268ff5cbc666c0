import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { Controller, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';

@Controller('orders')
class OrdersController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream(':id')
  watch(@Param('id') id: string) {
    return this.streams.topic(`orders/${id}`);
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [OrdersController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as AddressInfo;

const leave = new AbortController();
const signal = AbortSignal.any([leave.signal, AbortSignal.timeout(10_000)]);
const response = await fetch(`http://127.0.0.1:${port}/orders/42`, { signal });
assert.equal(response.status, 200);
assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);

const { id } = await app.get(EventStreamService).publish('orders/42', { type: 'shipped', data: { carrier: 'x' } });

let received = '';
for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
  received += text;
  if (received.includes('"carrier"')) break;
}
assert.match(received, /^event: ?shipped$/m);
assert.match(received, /^data: ?\{"carrier":"x"\}$/m);
assert.ok(received.includes(id), `the id ${id} of the published event is in the stream`);

leave.abort();
await app.close();
console.log('one event published and received');
