import { describe, expect, test } from '@jest/globals';
import {
  BadGatewayException,
  type CanActivate,
  Controller,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { EventStreamService, SseStream } from 'nestjs-event-stream';
import { startApp, transports } from '../support/app.js';

const INTERNAL = 'connect ECONNREFUSED 10.0.0.7';

class Refuse implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

class Break implements CanActivate {
  async canActivate(): Promise<boolean> {
    await Promise.resolve();
    throw new Error(INTERNAL);
  }
}

class BreakPipe {
  transform(): never {
    throw new Error(INTERNAL);
  }
}

class BreakInterceptor implements NestInterceptor {
  intercept(): Observable<unknown> {
    throw new Error(INTERNAL);
  }
}

@Controller()
class FailingController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('guard-refuses')
  @UseGuards(Refuse)
  refused() {
    return of(1);
  }

  @SseStream('guard-throws')
  @UseGuards(Break)
  broken() {
    return of(1);
  }

  @SseStream('number/:id')
  number(@Param('id', ParseIntPipe) id: number) {
    return of({ data: { id } });
  }

  @SseStream('pipe-throws/:id')
  pipe(@Param('id', BreakPipe) id: string) {
    return of(id);
  }

  @SseStream('interceptor-throws')
  @UseInterceptors(BreakInterceptor)
  interceptor() {
    return of(1);
  }

  @SseStream('handler-throws')
  handler(): Observable<number> {
    throw new Error(INTERNAL);
  }

  @SseStream('http-exception')
  http(): Observable<number> {
    throw new BadGatewayException('upstream is away');
  }

  @SseStream('bad-topic')
  badTopic() {
    return this.streams.topic('a//b');
  }
}

const failures: readonly [path: string, status: number][] = [
  ['/guard-refuses', 403],
  ['/guard-throws', 500],
  ['/number/x', 400],
  ['/pipe-throws/1', 500],
  ['/interceptor-throws', 500],
  ['/handler-throws', 500],
  ['/http-exception', 502],
  ['/bad-topic', 400],
  ['/no-such-route', 404],
];

describe.each(transports)('on $name', (adapter) => {
  test.each(failures)('what fails before the head is answered with its own status: %s is %i', async (path, status) => {
    await using app = await startApp(adapter, { controllers: [FailingController] });

    const answer = await app.open(path);
    const body = await answer.body();

    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(JSON.parse(body)).toMatchObject({ statusCode: status });
    expect(body).not.toContain('10.0.0.7');
    expect(app.streams.connections.count).toBe(0);
  });

  test('a pipe hands its result to the handler', async () => {
    await using app = await startApp(adapter, { controllers: [FailingController] });

    const stream = await app.open('/number/42');

    expect(await stream.next()).toEqual({ data: '{"id":42}' });
  });
});
