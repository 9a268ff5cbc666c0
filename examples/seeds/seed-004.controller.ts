import { Controller } from '@nestjs/common';
import { SseStream, type SseEvent } from 'nestjs-event-stream';
import { concat, map, of, timer, type Observable } from 'rxjs';

/** `connecttime` once, then an unnamed ping each second. */
@Controller('004')
export class Seed004Controller {
  @SseStream('stream')
  pings(): Observable<SseEvent> {
    return concat(
      of({ type: 'connecttime', retry: 10_000, data: String(new Date()) }),
      timer(0, 1_000).pipe(map(() => ({ data: String(new Date()) }))),
    );
  }
}
