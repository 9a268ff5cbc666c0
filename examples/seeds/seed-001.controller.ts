import { Controller } from '@nestjs/common';
import { SseStream, type SseEvent } from 'nestjs-event-stream';
import { interval, map, type Observable } from 'rxjs';

/** All four fields: the time as the id, the event `foo`, its data, and when to come back. */
@Controller('001')
export class Seed001Controller {
  @SseStream()
  foo(): Observable<SseEvent> {
    return interval(1_000).pipe(
      map(() => ({ id: String(Date.now()), type: 'foo', data: String(new Date()), retry: 10_000 })),
    );
  }
}
