import cookie from '@fastify/cookie';
import { describe, expect, test } from '@jest/globals';
import { type CanActivate, Controller, type ExecutionContext, type INestApplication, UseGuards } from '@nestjs/common';
import { of } from 'rxjs';
import { SseStream } from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';

describe.each(adapters.filter(({ isFastify }) => isFastify))('on $name', (adapter) => {
  test('a cookie that a guard sets through a plugin arrives', async () => {
    class CookieGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        context.switchToHttp().getResponse<{ setCookie(name: string, value: string): void }>().setCookie('seen', 'yes');
        return true;
      }
    }
    @Controller()
    @UseGuards(CookieGuard)
    class CookieController {
      @SseStream('stream')
      stream() {
        return of('a');
      }
    }
    await using app = await startApp(adapter, {
      controllers: [CookieController],
      configure: (nest: INestApplication) =>
        (nest as unknown as { register(plugin: unknown): unknown }).register(cookie),
    });

    const stream = await app.open('/stream');

    expect(stream.headers.get('set-cookie')).toMatch(/^seen=yes/);
    expect(await stream.next()).toMatchObject({ data: 'a' });
  });
});
