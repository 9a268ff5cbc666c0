import { Controller, type Type } from '@nestjs/common';
import {
  Connection,
  EventStreamService,
  type SseConnection,
  SseStream,
  type SseStreamOptions,
} from 'nestjs-event-stream';

/** What a handler of `streamOf` is given. */
export interface HandlerContext {
  readonly streams: EventStreamService;
  readonly connection: SseConnection;
}

/** A controller whose only route, `/stream` unless said otherwise, streams what the handler returns. */
export function streamOf(
  handler: (context: HandlerContext) => unknown,
  options: SseStreamOptions = {},
  path = 'stream',
): Type {
  @Controller()
  class StreamController {
    constructor(private readonly streams: EventStreamService) {}

    @SseStream(path, options)
    stream(@Connection() connection: SseConnection) {
      return handler({ streams: this.streams, connection });
    }
  }
  return StreamController;
}

/** A controller whose route `/topic` streams one topic, and `/all` every topic. */
@Controller()
export class TopicController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('topic')
  topic() {
    return this.streams.topic('topic');
  }

  @SseStream('all')
  all() {
    return this.streams.topics('**');
  }
}
