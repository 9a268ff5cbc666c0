import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { ClientController } from './client.controller.js';
import { ClientService } from './client.service.js';
import { clientTopic } from './client.topic.js';

@Module({
  imports: [SseModule.forFeature([clientTopic])],
  controllers: [ClientController],
  providers: [ClientService],
})
export class ClientModule {}
