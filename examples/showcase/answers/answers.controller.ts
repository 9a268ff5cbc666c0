import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { SseError, SseStream, type Selection } from 'nestjs-event-stream';
import { aiSdkUi, openaiChat } from 'nestjs-event-stream/ai';
import type { Run } from 'nestjs-event-stream/runs';
import { fieldsOf, nameOf, textOf } from '../validate.js';
import { AnswersService, type Asked } from './answers.service.js';
import type { Question } from './answers.topics.js';
import { asChatChunks, type UiPart } from './ui-parts.js';

/** Words come thirty times a second: a page is to notice soon that nobody is there any more. */
const SETTINGS = { retryMs: 1_000, heartbeatMs: 1_500 };

/** For the demo whoever knows the address of a conversation takes part in it. A real app asks who he is, in a guard. */
@Controller('api/chats/:chat')
export class AnswersController {
  constructor(private readonly service: AnswersService) {}

  @SseStream(SETTINGS)
  watch(@Param('chat', { transform: chatOf }) chat: string): Selection {
    return this.service.events(chat);
  }

  /** What a page shows before the stream goes on: all that was said, and where that is in the stream. */
  @Get('state')
  state(@Param('chat', { transform: chatOf }) chat: string): Promise<{ lastEventId: string; events: unknown[] }> {
    return this.service.state(chat);
  }

  @Post('questions')
  ask(
    @Param('chat', { transform: chatOf }) chat: string,
    @Body({ transform: askedOf }) asked: Asked,
  ): Promise<Question> {
    return this.service.ask(chat, asked);
  }

  @Post('stop')
  @HttpCode(200)
  async stop(
    @Param('chat', { transform: chatOf }) chat: string,
    @Body({ transform: runIn }) runId: string,
  ): Promise<{ wasRunning: boolean }> {
    return { wasRunning: await this.service.stop(chat, runId) };
  }

  /** An answer from its first piece, or behind the one that the client has. */
  @SseStream('answers/:run', SETTINGS)
  read(@Param('chat', { transform: chatOf }) chat: string, @Param('run') runId: string): Promise<Run<UiPart>> {
    return this.#answer(chat, runId);
  }

  /** The same for `useChat()` of the AI SDK. */
  @SseStream('answers/:run/ai-sdk', { ...SETTINGS, wire: aiSdkUi({ describe: tell }) })
  readUi(@Param('chat', { transform: chatOf }) chat: string, @Param('run') runId: string): Promise<Run<UiPart>> {
    return this.#answer(chat, runId);
  }

  /** The same for clients of OpenAI. */
  @SseStream('answers/:run/openai', { ...SETTINGS, wire: openaiChat({ describe: tell }) })
  async readChunks(
    @Param('chat', { transform: chatOf }) chat: string,
    @Param('run') runId: string,
  ): Promise<Selection> {
    return asChatChunks(await this.#answer(chat, runId), this.service.model.name);
  }

  async #answer(chat: string, runId: string): Promise<Run<UiPart>> {
    const run = await this.service.answer(chat, runId);
    if (run === undefined) throw new NotFoundException('This answer is not kept any more');
    return run;
  }
}

/** What everybody may read of an error: the one of this module that stands for the end of the run. */
function tell(error: unknown): string {
  return SseError.is(error) ? error.message : 'The answer could not be written';
}

function chatOf(chat: unknown): string {
  return nameOf(chat, 'chat');
}

function askedOf(body: unknown): Asked {
  const { text, replaces, fail } = fieldsOf(body);
  return {
    text: textOf(text, 'text', 2_000),
    replaces: replaces === undefined ? undefined : textOf(replaces, 'replaces', 64),
    isToFail: fail === true,
  };
}

function runIn(body: unknown): string {
  return textOf(fieldsOf(body).runId, 'runId', 64);
}
