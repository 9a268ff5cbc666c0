import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { AnswersController } from './answers.controller.js';
import { AnswersService } from './answers.service.js';
import { chatTopic, chatsTopic } from './answers.topics.js';
import { LocalModel } from './local-model.js';
import { Model } from './model.js';
import { OpenAiModel } from './openai-model.js';

@Module({
  imports: [SseModule.forFeature([chatTopic, chatsTopic])],
  controllers: [AnswersController],
  providers: [AnswersService, { provide: Model, useFactory: () => modelOf(process.env) }],
})
export class AnswersModule {}

/** The one that the environment names; otherwise one that needs none, and no network. */
function modelOf({ OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL }: NodeJS.ProcessEnv): Model {
  if (!OPENAI_API_KEY && !OPENAI_BASE_URL) return new LocalModel();
  return new OpenAiModel({ baseURL: OPENAI_BASE_URL, apiKey: OPENAI_API_KEY, model: OPENAI_MODEL });
}
