import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { BenchController } from './bench.controller.js';
import { BenchService } from './bench.service.js';
import { benchTopic } from './bench.topic.js';

@Module({
  imports: [SseModule.forFeature([benchTopic])],
  controllers: [BenchController],
  providers: [BenchService],
})
export class BenchModule {}
