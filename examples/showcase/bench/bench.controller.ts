import { Body, Controller, Param, Post } from '@nestjs/common';
import { InjectTopic, LastEventId, SseStream, type SseEvent, type TopicFamily, type Topic } from 'nestjs-event-stream';
import { setTimeout } from 'node:timers/promises';
import { countOf, fieldsOf, nameOf, oneOf } from '../validate.js';
import { BenchService } from './bench.service.js';
import { benchTopic } from './bench.topic.js';

@Controller('api/bench/:page')
export class BenchController {
  constructor(
    @InjectTopic(benchTopic) private readonly bench: TopicFamily<typeof benchTopic>,
    private readonly service: BenchService,
  ) {}

  /** The client is told to wait 1.5 s before it comes back: long enough to see it away. */
  @SseStream('', { retryMs: 1_500 })
  watch(@Param('page', { transform: pageOf }) page: string): Topic {
    return this.bench({ page });
  }

  @Post('events')
  publish(
    @Param('page', { transform: pageOf }) page: string,
    @Body({ transform: countIn }) count: number,
  ): Promise<{ published: number }> {
    return this.service.publish(page, count);
  }

  /** Cuts every stream of this page, and publishes while the page is away. */
  @Post('cut')
  cut(@Param('page', { transform: pageOf }) page: string, @Body({ transform: cutOf }) { how, missed }: Cut) {
    this.service[how](page);
    return this.service.publish(page, missed);
  }

  /**
   * A source with an end. It counts down and completes: the client gets `stream.end`, comes back once
   * as EventSource always does, and is told 204, which stops it for good.
   */
  @SseStream('countdown', { retryMs: 500 })
  async *countdown(@LastEventId() lastEventId: string | undefined): AsyncIterable<SseEvent> {
    for (let n = lastEventId ? Number(lastEventId) - 1 : 5; n > 0; n--) {
      yield { id: String(n), type: 'countdown', data: { n } };
      await setTimeout(400);
    }
  }
}

interface Cut {
  how: 'end' | 'destroy';
  /** How many numbers to publish while the page is away. */
  missed: number;
}

function cutOf(body: unknown): Cut {
  const { how, missed } = fieldsOf(body);
  return { how: oneOf(how, 'how', ['end', 'destroy']), missed: countOf(missed, 'missed', 500) };
}

function countIn(body: unknown): number {
  return countOf(fieldsOf(body).count, 'count', 500);
}

function pageOf(page: unknown): string {
  return nameOf(page, 'page');
}
