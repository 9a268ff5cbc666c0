import { Controller, RequestMethod } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { SseError, SseStream } from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';

/** Looks for what it streams in the log, which is away. */
function look(): Promise<string[]> {
  return Promise.reject(new SseError('engine-failed', 'The log is away'));
}

@Controller()
class LookingController {
  @SseStream('asked')
  asked() {
    return look();
  }

  @SseStream('begun', { method: RequestMethod.POST })
  begun() {
    return look();
  }
}

describe.each(adapters)('a handler on $name that cannot ask the log', (adapter) => {
  it('has its client come back later, who has only asked', async () => {
    await using app = await startApp(adapter, { controllers: [LookingController] });

    const stream = await app.open('/asked');

    expect([stream.status, await stream.body()]).toEqual([200, expect.stringMatching(/^retry: \d+\n: not available/)]);
  });

  it('fails for one who wanted to begin something', async () => {
    await using app = await startApp(adapter, { controllers: [LookingController] });

    expect((await app.open('/begun', { method: 'POST' })).status).toBe(500);
  });
});
