import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { NEVER } from 'rxjs';
import { type Authenticate, EventStreamService, type Principal, SseStream, StreamGuard } from 'nestjs-event-stream';

/** Everyone is who the header `Authorization` says. */
export const byName: Authenticate = ({ headers }) =>
  typeof headers.authorization === 'string' ? { id: headers.authorization } : null;

/** Everyone is whom this table has for the header `Authorization`. */
export function byToken(tokens: ReadonlyMap<string, Principal>): Authenticate {
  return ({ headers }) => tokens.get(String(headers.authorization)) ?? null;
}

/** A request of someone, perhaps one who comes back. */
export function as(credential: string, lastEventId?: string): { headers: Record<string, string> } {
  return { headers: { authorization: credential, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) } };
}

/** For those only whom `StreamGuard` lets in: `/read?topic=a&topic=b` streams the topics it names, `/source` a source. */
@Controller()
@UseGuards(StreamGuard)
export class GuardedController {
  /** How often a handler was called. */
  calls = 0;
  /** What `/source` streams. */
  createSource: () => unknown = () => NEVER;

  constructor(private readonly streams: EventStreamService) {}

  @SseStream('read')
  read(@Query('topic') topic: string | string[]) {
    this.calls++;
    return this.streams.topics(...[topic].flat());
  }

  @Get('plain')
  plain() {
    return 'for members';
  }

  @SseStream('source')
  source() {
    this.calls++;
    return this.createSource();
  }
}
