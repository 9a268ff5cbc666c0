import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { DashboardController } from './dashboard.controller.js';
import { MachineSampler } from './machine.sampler.js';
import { machineTopic } from './machine.topic.js';

@Module({
  imports: [SseModule.forFeature([machineTopic])],
  controllers: [DashboardController],
  providers: [MachineSampler],
})
export class DashboardModule {}
