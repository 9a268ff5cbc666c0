import { Controller } from '@nestjs/common';
import { SseStream, type SseEvent } from 'nestjs-event-stream';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const TEXT = new URL('./public/index.txt', import.meta.url);

/** A text file character by character, as a chat shows an answer. */
@Controller('003')
export class Seed003Controller {
  @SseStream('api/sse')
  async *characters(): AsyncIterable<SseEvent> {
    for (const character of await readFile(TEXT, 'utf8')) {
      yield { type: 'lol', data: character };
      await setTimeout(300);
    }
  }
}
