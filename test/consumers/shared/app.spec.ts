import 'reflect-metadata';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller, type INestApplication, Param } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EventStreamService, SseModule, SseStream } from 'nestjs-event-stream';

@Controller('orders')
class OrdersController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream(':id')
  watch(@Param('id') id: string) {
    return this.streams.topic(`orders/${id}`);
  }
}

let app: INestApplication;

beforeAll(async () => {
  const module = await Test.createTestingModule({ imports: [SseModule.forRoot()], controllers: [OrdersController] });
  app = (await module.compile()).createNestApplication();
  await app.listen(0, '127.0.0.1');
});

afterAll(() => app.close());

test('a published event reaches a client of the packed module', async () => {
  const leave = new AbortController();
  const response = await fetch(`${await app.getUrl()}/orders/42`, { signal: leave.signal });
  await app.get(EventStreamService).publish('orders/42', { data: { carrier: 'x' } });

  let received = '';
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    received += text;
    if (received.includes('"carrier"')) break;
  }
  leave.abort();

  expect(response.headers.get('content-type')).toContain('text/event-stream');
  expect(received).toMatch(/^data: ?\{"carrier":"x"\}$/m);
});
