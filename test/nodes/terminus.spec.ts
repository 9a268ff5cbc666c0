import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { describe, expect, test } from '@jest/globals';
import { SseHealthIndicator } from 'nestjs-event-stream';
import { createRandom } from '../faults/support/random.mjs';
import { SharedLog, ShakyEngine } from '../faults/support/shaky-engine.js';
import { adapters, startApp } from '../support/app.js';

@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sse: SseHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([() => this.sse.isHealthy('sse')]);
  }
}

describe.each(adapters)('with Terminus on $name', (adapter) => {
  test('the health route is 200 while the engine answers, and 503 when it does not', async () => {
    const engine = new ShakyEngine(new SharedLog(), createRandom(1));
    const controllers = [HealthController];
    await using app = await startApp(adapter, { controllers, imports: [TerminusModule], options: { engine } });

    const well = await fetch(`${app.url}/health`);
    expect([well.status, await well.json()]).toMatchObject([
      200,
      { status: 'ok', info: { sse: { status: 'up', engine: 'shaky', state: 'up' } } },
    ]);

    engine.shakiness = { ...engine.shakiness, fail: 1 };
    const ill = await fetch(`${app.url}/health`);
    expect([ill.status, await ill.json()]).toMatchObject([
      503,
      { status: 'error', error: { sse: { status: 'down', message: 'The engine does not answer' } } },
    ]);
  });
});
