import { Inject, createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { SseError } from '../errors.js';
import { readLastEventId } from '../http/last-event-id.js';
import { arrivalOf } from '../node/arrival.js';
import type { TopicDefinition } from '../topic/define.js';
import { getTopicToken } from './tokens.js';

/**
 * The position that the client claims: its header `Last-Event-ID`, else the query parameter `lastEventId`, else
 * `undefined`; on a route with a wire profile, what that reads. It comes from the client, so it may be anything.
 */
export const LastEventId = createParamDecorator((_data: unknown, context: ExecutionContext): string | undefined => {
  const http = context.switchToHttp();
  const arrival = arrivalOf(http.getResponse());
  return arrival === undefined ? readLastEventId(http.getRequest()) : arrival.stream.lastEventId;
});

/** The connection that a stream route is about to open: see `SseConnection`. */
export const Connection = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const arrival = arrivalOf(context.switchToHttp().getResponse());
  if (arrival === undefined)
    throw new SseError('not-a-stream', '@Connection() needs a route that is decorated with @SseStream()');
  // Whoever has it may want to know of one that is over, which has none any more.
  void arrival.stream.address;
  return arrival.stream.connection;
});

/** Injects the topics of a definition that was given to `forRoot({ topics })` or `forFeature()`, as a `TopicFamily`. */
export function InjectTopic(definition: TopicDefinition): ParameterDecorator & PropertyDecorator {
  return Inject(getTopicToken(definition));
}
