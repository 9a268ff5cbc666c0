import { Controller } from '@nestjs/common';
import { LastEventId, SseStream, type SseEvent } from 'nestjs-event-stream';
import { interval, map, type Observable } from 'rxjs';

/** Numbered events every 3 s. */
@Controller('002')
export class Seed002Controller {
  /** The document counts from 1 on every connection; with the id of the last event, the count goes on. */
  @SseStream()
  numbered(@LastEventId() lastEventId: string | undefined): Observable<SseEvent> {
    const start = Number(lastEventId ?? 0) || 0;
    return interval(3_000).pipe(
      map((i) => start + i + 1),
      map((n) => ({ id: String(n), type: 'myCustomEvent', retry: 5_000, data: `This is message number ${n}` })),
    );
  }
}
