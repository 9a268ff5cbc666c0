import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { AnswersController } from './answers.controller.js';
import { AnswersService } from './answers.service.js';
import { answersTopic } from './answers.topic.js';

@Module({
  imports: [SseModule.forFeature([answersTopic])],
  controllers: [AnswersController],
  providers: [AnswersService],
})
export class AnswersModule {}
