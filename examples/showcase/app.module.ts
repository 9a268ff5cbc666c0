import { Module } from '@nestjs/common';
import { SseModule, type Principal } from 'nestjs-event-stream';
import { SseRunsModule } from 'nestjs-event-stream/runs';
import { AnswersModule } from './answers/answers.module.js';
import { BenchModule } from './bench/bench.module.js';
import { ClientModule } from './client/client.module.js';
import { ClusterModule } from './cluster/cluster.module.js';
import { DashboardModule } from './dashboard/dashboard.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';

@Module({
  imports: [
    SseModule.forRoot({
      // Whom a guard has made out: so far only that of the client page.
      authenticate: ({ user }) => (user as Principal | undefined) ?? null,
      // A stream, and the one that takes its place before its end was noticed.
      limits: { connectionsPerPrincipal: 2 },
    }),
    // An answer can be watched from its beginning for as long as its conversation is kept.
    SseRunsModule.forRoot({ retainMs: 3_600_000 }),
    DashboardModule,
    AnswersModule,
    NotificationsModule,
    BenchModule,
    ClusterModule,
    ClientModule,
  ],
})
export class AppModule {}
