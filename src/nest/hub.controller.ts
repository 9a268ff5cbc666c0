import { BadRequestException, Controller, Inject, Req, UseGuards } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { queryOf } from '../http/last-event-id.js';
import type { StreamRequest } from '../http/stream-request.js';
import { EventStreamService } from './event-stream.service.js';
import { SseStream } from './sse-stream.decorator.js';
import { HubGuard } from './stream.guard.js';

/** Makes the ready-made route: `GET /<path>?topic=a&topic=b` streams the topics that it names. */
export function createHubController(path: string): Type<unknown> {
  @Controller(path)
  @UseGuards(HubGuard)
  class HubController {
    readonly #streams: EventStreamService;

    constructor(@Inject(EventStreamService) streams: EventStreamService) {
      this.#streams = streams;
    }

    @SseStream()
    stream(@Req() request: unknown): unknown {
      const topics = queryOf(request as StreamRequest).getAll('topic');
      if (topics.length === 0) throw new BadRequestException('Name the topics to stream: ?topic=a&topic=b');
      return this.#streams.topics(...topics);
    }
  }
  return HubController;
}
