import { describe, expect, test } from '@jest/globals';
import { type CanActivate, Controller, type ExecutionContext, UseGuards } from '@nestjs/common';
import {
  type Authorize,
  EventStreamService,
  type SseModuleOptions,
  SseStream,
  StreamGuard,
  defineTopic,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { Log } from '../support/log.js';
import { GuardedController, as, byName } from '../support/people.js';

/** As `AuthGuard('jwt')` does: who asks is put on the request, and nowhere else. */
class AuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ user?: { id: string }; headers: Record<string, string> }>();
    request.user = { id: request.headers.authorization! };
    return true;
  }
}

@Controller()
class InboxController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('inbox/:user')
  @UseGuards(AuthGuard)
  alone() {
    return this.streams.topic('inbox/ann');
  }

  @SseStream('both/:user')
  @UseGuards(AuthGuard, StreamGuard)
  both() {
    return this.streams.topic('inbox/ann');
  }
}

const ownInbox: Authorize = (principal, topic) => topic === `inbox/${principal?.id}`;
const byUser: SseModuleOptions['authenticate'] = ({ user }) => (user ? { id: (user as { id: string }).id } : null);
const secret = defineTopic('secret/:of', { authorize: () => false });
const staffs = defineTopic('staff/:of', { authorize: () => true, authorizePattern: () => false });

describe.each(adapters)('on $name', (adapter) => {
  const start = (log: Log, options: SseModuleOptions, ...controllers: (typeof InboxController)[]): Promise<TestApp> =>
    startApp(adapter, { controllers, options, nest: { logger: log } });
  const refusalsIn = (log: Log): string[] => log.lines.filter((line) => /^(Refused|Told) /.test(line));
  const warningsIn = (log: Log): string[] => log.lines.filter((line) => line.includes('was refused to nobody known'));

  test("a route with a guard of the application's alone is warned of, once, with what to do", async () => {
    const log = new Log();
    await using app = await start(log, { authorize: ownInbox, authenticate: byUser }, InboxController);

    const answers = [await app.open('/inbox/1', as('ann')), await app.open('/inbox/2', as('ann'))];

    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    expect(warningsIn(log)).toEqual([
      expect.stringMatching(/^GET \/inbox\/:user was .* no StreamGuard.* @UseGuards\(StreamGuard\).* SseModule$/),
    ]);
    expect(refusalsIn(log)).toHaveLength(2);
    expect((await app.open('/both/1', as('ann'))).status).toBe(200);
  });

  test('each refusal is told: what, to whom, and by which rule', async () => {
    const log = new Log();
    const options = { authenticate: byName, authorize: ownInbox, topics: [secret, staffs], limits: { connections: 1 } };
    await using app = await start(log, options, GuardedController as never);
    await app.streams.revoke({ principalId: 'eve' });
    const { tickets } = app.streams;
    const ticket = tickets.issue({ id: 'ann' }, { topics: ['inbox/ann'] });
    const over = tickets.issue({ id: 'ann', expiresAt: new Date(0) });

    await app.open('/read?topic=inbox/bob', as('ann'));
    await app.open('/read?topic=secret/x', as('ann'));
    await app.open('/read?topic=**', as('ann'));
    await app.open('/read?topic=staff/*', as('ann'));
    await app.open(`/read?topic=inbox/bob&ticket=${ticket}`);
    await app.open('/source', as('eve'));
    await app.open('/source');
    await app.open('/source?ticket=made-up');
    await app.open(`/source?ticket=${over}`);
    await app.open('/source', as('ann'));
    await app.open('/source', as('ann'));

    expect(refusalsIn(log)).toEqual([
      'Refused "inbox/bob" to the principal "ann": by `authorize` of SseModule SseModule',
      'Refused "secret/x" to the principal "ann": by `authorize` of the definition "secret/:of" SseModule',
      'Refused "**" to the principal "ann": the pattern covers "secret/:of", which has an `authorize` and no `authorizePattern` SseModule',
      'Refused "staff/*" to the principal "ann": by `authorizePattern` of the definition "staff/:of" SseModule',
      'Refused "inbox/bob" to the principal "ann": its ticket was issued for other topics SseModule',
      'Refused a stream to the principal "eve": it was revoked SseModule',
      'Refused GET /source to nobody known: StreamGuard: `authenticate` gave nobody SseModule',
      'Refused GET /source to nobody known: StreamGuard: the ticket is unknown, used, or too old SseModule',
      'Refused GET /source to the principal "ann": StreamGuard: `expiresAt` is over SseModule',
      'Told the principal "ann" to come back later to GET /source: connections SseModule',
    ]);
    expect(log.text).not.toContain(ticket);
    expect(log.text).not.toContain(over);
    expect(warningsIn(log)).toEqual([]);
  });

  test('the hub route, which asks for itself, is not warned of', async () => {
    const log = new Log();
    await using app = await start(log, { hub: { path: 'events' }, authorize: ownInbox, authenticate: byName });

    expect((await app.open('/events?topic=inbox/ann')).status).toBe(403);
    expect(refusalsIn(log)).toHaveLength(1);
    expect(warningsIn(log)).toEqual([]);
  });

  test('who is let in is not told of', async () => {
    const log = new Log();
    await using app = await start(log, { authorize: () => true }, TopicController as never);

    expect((await app.open('/topic')).status).toBe(200);
    expect([...refusalsIn(log), ...warningsIn(log)]).toEqual([]);
  });
});
