import { describe, expect, test } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type NestInterceptor,
  Param,
  type PipeTransform,
  UseGuards,
  UsePipes,
  createParamDecorator,
} from '@nestjs/common';
import { NEVER, of } from 'rxjs';
import { Connection, EventStreamService, type SseConnection, SseStream, StreamGuard } from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';
import { as, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const asked: string[] = [];
const guard = (name: string): CanActivate => ({ canActivate: () => asked.push(name) > 0 });
const Asked = createParamDecorator((name: string) => void asked.push(name));

/** What the pipe waits for, and which connection waits. */
let proceed: (value?: unknown) => void = () => undefined;
let waiting: SseConnection | undefined;
let isPipeSlow = false;

const slowPipe: PipeTransform = {
  transform: (value) => {
    asked.push('pipe');
    return isPipeSlow ? new Promise((resolve) => (proceed = () => resolve(value))) : value;
  },
};

@Controller()
@UseGuards(guard('guard of the class'))
class OrderedController {
  constructor(private readonly streams: EventStreamService) {}

  @UseGuards(guard('guard above'))
  @SseStream('ordered/:name')
  @UseGuards(guard('guard below'))
  @UsePipes(slowPipe)
  ordered(@Param('name') name: string, @Asked('parameter') _: unknown) {
    asked.push('handler');
    return this.streams.topic(name);
  }

  @SseStream('never')
  never() {
    return NEVER;
  }

  @SseStream('piped')
  @UsePipes({
    transform: (value: unknown) => {
      if (value instanceof Object && 'lastEventId' in value) waiting = value as SseConnection;
      return slowPipe.transform(value, { type: 'custom' }) as unknown;
    },
  })
  piped(@Connection() _: SseConnection) {
    asked.push('handler');
    return of('late');
  }

  @UseGuards(StreamGuard)
  @SseStream('known-above')
  knownAbove(@Connection() { principal }: SseConnection) {
    return of({ data: principal?.id });
  }

  @SseStream('known-below')
  @UseGuards(StreamGuard)
  knownBelow(@Connection() { principal }: SseConnection) {
    return of({ data: principal?.id });
  }
}

const passing: NestInterceptor = { intercept: (_, next) => next.handle() };

function start(adapter: (typeof adapters)[number], isIntercepted: boolean, connections = 1) {
  asked.length = 0;
  isPipeSlow = false;
  waiting = undefined;
  return startApp(adapter, {
    controllers: [OrderedController],
    options: {
      authenticate: byName,
      authorize: () => asked.push('authorize') > 0,
      limits: { connections },
      drain: { deadlineMs: 200 },
    },
    configure: (nest) => isIntercepted && nest.useGlobalInterceptors(passing),
  });
}

const guards = ['guard of the class', 'guard below', 'guard above'];

// What is asked, and when, is the same whether the application has interceptors or none.
const variants = adapters.flatMap((adapter) =>
  [false, true].map((isIntercepted) => ({
    adapter,
    isIntercepted,
    name: `${adapter.name}${isIntercepted ? ', behind an interceptor' : ''}`,
  })),
);

describe.each(variants)('on $name', ({ adapter, isIntercepted }) => {
  test('guards are asked first, then parameter decorators and pipes, then the handler, then authorize', async () => {
    await using app = await start(adapter, isIntercepted);

    await (await app.open('/ordered/topic')).receive('id: ');

    expect(asked.slice(0, 3)).toEqual(guards);
    expect(asked.slice(3, -2).toSorted()).toEqual(['parameter', 'pipe', 'pipe']);
    expect(asked.slice(-2)).toEqual(['handler', 'authorize']);
  });

  test('of whoever is too many, or has all there is, guards are asked, and neither the handler nor authorize', async () => {
    await using app = await start(adapter, isIntercepted);
    await (await app.open('/never')).receive('retry: ');
    asked.length = 0;

    const tooMany = await app.open('/ordered/topic');
    const over = await app.open('/ordered/topic', as('ann', 'stream.end'));

    expect(await tooMany.body()).toContain(': too many streams are open');
    expect(over.status).toBe(204);
    expect(asked.filter((name) => name.startsWith('guard'))).toEqual([...guards, ...guards]);
    expect(asked).not.toContain('handler');
    expect(asked).not.toContain('authorize');
  });

  test('a stream is counted in while a pipe is asked, and a client that leaves meanwhile leaves its place', async () => {
    await using app = await start(adapter, isIntercepted);
    isPipeSlow = true;
    await using client = await openRaw(app.port, 'GET /piped HTTP/1.1', 'Host: x');
    await until(() => waiting !== undefined, 'the pipe to be asked');

    expect(await (await app.open('/never')).body()).toContain(': too many streams are open');
    client.socket.destroy();
    await until(() => waiting?.signal.aborted, 'the server to see it');

    expect(app.streams.connections.count).toBe(0);
    proceed();
  });

  test('closing the application waits for a pipe no longer than the deadline', async () => {
    await using app = await start(adapter, isIntercepted);
    isPipeSlow = true;
    const left = app.open('/piped').catch(() => 'cut');
    await until(() => waiting !== undefined, 'the pipe to be asked');

    await app.nest.close();

    expect(await left).toBe('cut');
    expect(waiting?.signal.aborted).toBe(true);
    proceed();
  });

  test.each(['/known-above', '/known-below'])('StreamGuard finds the principal of %s', async (path) => {
    await using app = await start(adapter, isIntercepted);

    expect((await (await app.open(path, as('ann'))).next())?.data).toBe('ann');
    expect((await app.open(path)).status).toBe(401);
  });
});
