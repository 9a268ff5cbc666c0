import { Inject, Module } from '@nestjs/common';
import { EventStreamService, SseError, SseModule, defineTopic, getTopicToken } from 'nestjs-event-stream';

export { SseError };

const alerts = defineTopic('alerts/:level');

/** Publishes what the application streams. */
export class AlertsService {
  constructor(streams, topics) {
    this.streams = streams;
    this.topics = topics;
  }

  async tell(symbol, text) {
    await this.streams.publish(`stocks/${symbol}`, { type: 'alert', data: text });
    await this.topics({ level: 'high' }).publish({ data: text });
  }
}
Inject(EventStreamService)(AlertsService, undefined, 0);
Inject(getTopicToken(alerts))(AlertsService, undefined, 1);

export class LibraryModule {}
Module({
  imports: [SseModule.forFeature([alerts])],
  providers: [AlertsService],
  exports: [AlertsService],
})(LibraryModule);
