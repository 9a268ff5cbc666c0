// The ways of docs/authentication.md, with equivalents of the packages that are not installed here.
import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  type INestApplication,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import {
  type Authenticate,
  Connection,
  EventStreamService,
  type SseConnection,
  SseStream,
  StreamGuard,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';

interface Claims {
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
}
interface AuthRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  user?: unknown;
}

const KEY = 'a key';
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const signatureOf = (text: string): string => createHmac('sha256', KEY).update(text).digest('base64url');

function sign(claims: Claims): string {
  const text = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
  return `${text}.${signatureOf(text)}`;
}

/** As `verifyAsync` of `@nestjs/jwt`. */
async function verify(token: string, { ignoreExpiration = false } = {}): Promise<Claims> {
  const [head, body, signature] = token.split('.');
  if (signature !== signatureOf(`${head}.${body}`)) throw new Error('invalid signature');
  const claims = JSON.parse(Buffer.from(body!, 'base64url').toString()) as Claims;
  if (!ignoreExpiration && claims.exp * 1_000 <= Date.now()) throw new Error('jwt expired');
  return claims;
}

const tokenOf = ({ headers }: AuthRequest): string | undefined =>
  /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];

/** As `AuthGuard()` of `@nestjs/passport`, with the strategy `passport-jwt`. */
function AuthGuard(options: { ignoreExpiration?: boolean } = {}) {
  return class implements CanActivate {
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest<AuthRequest>();
      const user = await verify(tokenOf(request) ?? '', options).catch(() => false as const);
      request.user = this.handleRequest(undefined, user);
      return true;
    }

    handleRequest<User>(error: unknown, user: User | false): User | undefined {
      if (error !== undefined || user === false) throw new UnauthorizedException();
      return user;
    }
  };
}

class StreamUser extends AuthGuard({ ignoreExpiration: true }) {
  override handleRequest<User>(_error: unknown, user: User | false): User | undefined {
    return user || undefined;
  }
}

@Controller()
class InboxController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('behind')
  @UseGuards(AuthGuard(), StreamGuard)
  behind(@Connection() { principal }: SseConnection) {
    return this.streams.topic(`inbox/${principal?.id}`);
  }

  @SseStream('passport')
  @UseGuards(StreamUser, StreamGuard)
  passport(@Connection() { principal }: SseConnection) {
    return this.streams.topic(`inbox/${principal?.id}`);
  }

  @SseStream('alone')
  @UseGuards(StreamGuard)
  alone(@Connection() { principal }: SseConnection) {
    return this.streams.topic(`inbox/${principal?.id}`);
  }
}

const fromUser: Authenticate = ({ user }) => {
  const claims = user as Claims | undefined;
  return claims ? { id: claims.sub, issuedAt: claims.iat * 1_000, expiresAt: claims.exp * 1_000 } : null;
};

const fromToken: Authenticate = async (request) => {
  const claims = await verify(tokenOf(request as AuthRequest) ?? '', { ignoreExpiration: true }).catch(() => null);
  return claims && { id: claims.sub, issuedAt: claims.iat * 1_000, expiresAt: claims.exp * 1_000 };
};

const sessions = new Map([['sid-of-ann', { userId: 'ann', cookie: { expires: new Date(Date.now() + 60_000) } }]]);
/** As the middleware `express-session`, on both adapters. */
const withSessions = (app: INestApplication): unknown =>
  app.use((request: AuthRequest & { session?: unknown }, _response: unknown, next: () => void) => {
    request.session = sessions.get(request.headers.cookie ?? '');
    next();
  });
const fromSession: Authenticate = (request) => {
  // Fastify has its own request around Node's, which middleware sees.
  const session = (request.session ?? (request.raw as { session?: unknown } | undefined)?.session) as
    { userId: string; cookie: { expires: Date } } | undefined;
  return session === undefined ? null : { id: session.userId, expiresAt: session.cookie.expires };
};

/** As `auth.api` of better-auth. */
const api = {
  getSession: async ({ headers }: { headers: Headers }) => {
    const now = Date.now();
    const session = { createdAt: new Date(now), expiresAt: new Date(now + 60_000) };
    return headers.get('cookie') === 'sid-of-ann' ? { user: { id: 'ann' }, session } : null;
  },
};
const fromBetterAuth: Authenticate = async ({ headers }) => {
  const found = await api.getSession({ headers: new Headers(headers as Record<string, string>) });
  return found && { id: found.user.id, issuedAt: found.session.createdAt, expiresAt: found.session.expiresAt };
};

const nowS = Math.floor(Date.now() / 1_000);
const fresh = { authorization: `Bearer ${sign({ sub: 'ann', iat: nowS, exp: nowS + 60 })}` };
const expired = { authorization: `Bearer ${sign({ sub: 'ann', iat: nowS - 60, exp: nowS - 10 })}` };
const forged = { authorization: `Bearer ${sign({ sub: 'ann', iat: nowS, exp: nowS + 60 }).slice(0, -2)}xx` };
const cookie = { cookie: 'sid-of-ann' };

describe.each(adapters)('on $name', (adapter) => {
  const start = (authenticate: Authenticate): Promise<TestApp> =>
    startApp(adapter, {
      controllers: [InboxController],
      options: { authenticate, authorize: (principal, topic) => topic === `inbox/${principal?.id}` },
      configure: withSessions,
    });

  test.each([
    ['behind a guard', '/behind', fromUser, fresh, forged],
    ['JWT', '/alone', fromToken, fresh, forged],
    ['Passport', '/passport', fromUser, fresh, forged],
    ['sessions', '/alone', fromSession, cookie, { cookie: 'none' }],
    ['better-auth', '/alone', fromBetterAuth, cookie, { cookie: 'none' }],
  ])('%s: who is known gets what is theirs, and nobody else is let in', async (_, path, authenticate, good, bad) => {
    await using app = await start(authenticate);
    const stream = await app.open(path, { headers: good });
    await stream.receive('id: ');
    await app.streams.publish('inbox/ann', { data: 'hello' });

    expect(await stream.next()).toMatchObject({ data: 'hello' });
    expect((await app.open(path, { headers: bad as Record<string, string> })).status).toBe(401);
    expect((await app.open(path)).status).toBe(401);
  });

  test.each([
    ['JWT', '/alone', fromToken],
    ['Passport', '/passport', fromUser],
  ])('%s: who comes back with a token that has just expired is told to come again', async (_, path, authenticate) => {
    await using app = await start(authenticate);
    const { id } = await app.streams.publish('inbox/ann', { data: 1 });

    const back = await app.open(path, { headers: { ...expired, 'last-event-id': id } });

    expect(back.status).toBe(200);
    expect((await back.rest()).map(({ data }) => data)).toEqual(['{"reason":"expired","reconnect":true}']);
    expect((await app.open(path, { headers: expired })).status).toBe(401);
  });

  test.each([
    ['JWT', '/alone', fromToken],
    ['Passport', '/passport', fromUser],
    ['sessions', '/alone', fromSession],
    ['better-auth', '/alone', fromBetterAuth],
  ])('%s: a ticket lets in who brings no other credential', async (_, path, authenticate) => {
    await using app = await start(authenticate);
    const ticket = app.streams.tickets.issue({ id: 'ann' });

    expect((await app.open(`${path}?ticket=${ticket}`)).status).toBe(200);
    expect((await app.open(`${path}?ticket=${ticket}`)).status).toBe(401);
  });

  test('behind a guard of its own a route has neither: what docs/authentication.md says of it', async () => {
    await using app = await start(fromUser);
    const ticket = app.streams.tickets.issue({ id: 'ann' });

    expect((await app.open(`/behind?ticket=${ticket}`)).status).toBe(401);
    expect((await app.open('/behind', { headers: { ...expired, 'last-event-id': 'x' } })).status).toBe(401);
  });
});
