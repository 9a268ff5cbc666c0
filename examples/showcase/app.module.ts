import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { AnswersModule } from './answers/answers.module.js';
import { BenchModule } from './bench/bench.module.js';
import { ClusterModule } from './cluster/cluster.module.js';
import { DashboardModule } from './dashboard/dashboard.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';

@Module({
  imports: [SseModule.forRoot(), DashboardModule, AnswersModule, NotificationsModule, BenchModule, ClusterModule],
})
export class AppModule {}
