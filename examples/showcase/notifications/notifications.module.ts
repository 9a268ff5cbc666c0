import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { NotificationsController } from './notifications.controller.js';
import { everyoneTopic, inboxTopic } from './notifications.topics.js';

@Module({
  imports: [SseModule.forFeature([inboxTopic, everyoneTopic])],
  controllers: [NotificationsController],
})
export class NotificationsModule {}
