import { Controller } from '@nestjs/common';
import { SseStream, type SseEvent } from 'nestjs-event-stream';
import { interval, map, takeUntil, timer, type Observable } from 'rxjs';

/** `lol` every 300 ms for 3 s, then the end. */
@Controller('000')
export class Seed000Controller {
  /**
   * The document's server only ends its response; an EventSource takes that for a lost connection and comes back, so
   * the three seconds repeat for ever. Here the source completes, and who comes back is told 204: EventSource stops.
   */
  @SseStream('sse')
  lol(): Observable<SseEvent> {
    return interval(300).pipe(
      map(() => ({ type: 'lol', data: '123321 ' })),
      takeUntil(timer(3_000)),
    );
  }
}
