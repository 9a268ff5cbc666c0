import { Controller, Get } from '@nestjs/common';
import { InjectTopic, SseStream, type Topic, type TopicFamily } from 'nestjs-event-stream';
import { MachineSampler } from './machine.sampler.js';
import { machineTopic } from './machine.topic.js';

@Controller('api/machine')
export class DashboardController {
  constructor(
    @InjectTopic(machineTopic) private readonly machine: TopicFamily<typeof machineTopic>,
    private readonly sampler: MachineSampler,
  ) {}

  @SseStream()
  watch(): Topic {
    return this.machine();
  }

  /** Where a new page should start to read, so that its plots are full at once. */
  @Get('start')
  start(): { lastEventId: string | null } {
    return { lastEventId: this.sampler.startOfWindow };
  }
}
