import { Body, Controller, Delete, HttpCode, Param, Post, RequestMethod } from '@nestjs/common';
import {
  Connection,
  InjectTopic,
  SseStream,
  type SseConnection,
  type SseEvent,
  type Topic,
  type TopicFamily,
} from 'nestjs-event-stream';
import { fieldsOf, nameOf, textOf } from '../validate.js';
import { AnswersService } from './answers.service.js';
import { answersTopic } from './answers.topic.js';
import { writeAnswer } from './write-answer.js';

@Controller('api/answers')
export class AnswersController {
  constructor(
    @InjectTopic(answersTopic) private readonly answers: TopicFamily<typeof answersTopic>,
    private readonly service: AnswersService,
  ) {}

  /**
   * Resumable: the answer is written into a topic, and any number of readers may come, go and come back. One that is new
   * begins at the start with `?lastEventId=` and the id of the answer.
   */
  @Post()
  start(@Body({ transform: questionOf }) text: string): Promise<{ id: string }> {
    return this.service.start(text);
  }

  @SseStream(':id')
  read(@Param('id', { transform: idOf }) id: string): Topic {
    return this.answers({ id });
  }

  @Delete(':id')
  @HttpCode(204)
  stop(@Param('id', { transform: idOf }) id: string): void {
    this.service.stop(id);
  }

  /**
   * One-shot: the response to the question is the stream. The text is written only as fast as the
   * client reads, and no longer than the client stays. Without `done` at its end it was cut short.
   */
  @SseStream('once', { method: RequestMethod.POST })
  async *once(
    @Body({ transform: questionOf }) _text: string,
    @Connection() connection: SseConnection,
  ): AsyncIterable<SseEvent> {
    for await (const token of writeAnswer(connection.signal)) yield { type: 'token', data: token };
    yield { type: 'done', data: { reason: 'complete' } };
  }
}

function questionOf(body: unknown): string {
  return textOf(fieldsOf(body).question, 'question', 500);
}

function idOf(id: unknown): string {
  return nameOf(id, 'id');
}
