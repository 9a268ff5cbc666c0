import { Controller, Get, Post } from '@nestjs/common';
import { Connection, EventStreamService, SseStream, type SseConnection, type Topic } from 'nestjs-event-stream';
import { Counter, type CountedNumber } from './counter.js';

@Controller('api')
export class NumbersController {
  constructor(
    private readonly streams: EventStreamService,
    private readonly counter: Counter,
  ) {}

  /** The numbers of all nodes. Its clients come back after a second, to see them hop. */
  @SseStream('numbers', { retryMs: 1_000 })
  watch(@Connection() connection: SseConnection): Topic {
    // To this client only. It is in no log: the next node says its own name.
    connection.send({ type: 'node', data: { node: this.counter.node } });
    return this.streams.topic('numbers');
  }

  @Post('numbers')
  publish(): Promise<CountedNumber> {
    return this.counter.publish('button');
  }

  /** What this node knows of the others, and of the engine. */
  @Get('status')
  async status() {
    const { name, state } = this.streams.engine;
    const presence = await this.streams.presence('numbers').catch(() => null);
    return { node: this.counter.node, engine: { name, state }, presence };
  }
}
