import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { InjectTopic, type TopicFamily } from 'nestjs-event-stream';
import { randomUUID } from 'node:crypto';
import { answersTopic } from './answers.topic.js';
import { writeAnswer } from './write-answer.js';

/** Writes answers into their topics, whether or not anybody is reading along. */
@Injectable()
export class AnswersService implements OnModuleDestroy {
  readonly #writing = new Map<string, { stop: AbortController; written: Promise<void> }>();

  constructor(@InjectTopic(answersTopic) private readonly answers: TopicFamily<typeof answersTopic>) {}

  /** Starts an answer. Its stream, read from `lastEventId` on, has every word of it. */
  async start(question: string): Promise<{ id: string; lastEventId: string }> {
    const id = randomUUID();
    const { id: lastEventId } = await this.answers({ id }).publish({ type: 'start', data: { question } });
    const stop = new AbortController();
    this.#writing.set(id, { stop, written: this.#write(id, stop.signal) });
    return { id, lastEventId };
  }

  stop(id: string): void {
    this.#writing.get(id)?.stop.abort();
  }

  /** Lets the readers know before the engine is closed. */
  async onModuleDestroy(): Promise<void> {
    const writing = [...this.#writing.values()];
    for (const { stop } of writing) stop.abort();
    await Promise.all(writing.map(({ written }) => written));
  }

  async #write(id: string, signal: AbortSignal): Promise<void> {
    const topic = this.answers({ id });
    try {
      for await (const token of writeAnswer(signal)) await topic.publish({ type: 'token', data: token });
      await topic.publish({ type: 'done', data: { reason: signal.aborted ? 'stopped' : 'complete' } });
      topic.complete();
    } catch (error) {
      // The readers get `stream.error` without the details, which go to the log.
      topic.error(error);
    } finally {
      this.#writing.delete(id);
    }
  }
}
