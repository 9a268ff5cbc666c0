import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { InjectTopic, type TopicFamily } from 'nestjs-event-stream';
import { randomUUID } from 'node:crypto';
import { answersTopic, type WhyDone } from './answers.topic.js';
import { writeAnswer } from './write-answer.js';

/** Writes answers into their topics, whether or not anybody is reading along. */
@Injectable()
export class AnswersService implements OnModuleDestroy {
  readonly #writing = new Map<string, { stop: AbortController; written: Promise<void> }>();

  constructor(@InjectTopic(answersTopic) private readonly answers: TopicFamily<typeof answersTopic>) {}

  /** Starts an answer. Its stream, read with its id as the last event id, has the question and every word of the answer. */
  async start(question: string): Promise<{ id: string }> {
    const id = randomUUID();
    const topic = this.answers({ id });
    await topic.publish({ id, type: 'start', data: null });
    await topic.publish({ type: 'question', data: question });
    const stop = new AbortController();
    this.#writing.set(id, { stop, written: this.#write(id, stop.signal) });
    return { id };
  }

  stop(id: string): void {
    this.#end(id, 'stopped');
  }

  /** Lets the readers know before the engine is closed. */
  async onModuleDestroy(): Promise<void> {
    const writing = [...this.#writing];
    for (const [id] of writing) this.#end(id, 'interrupted');
    await Promise.all(writing.map(([, { written }]) => written));
  }

  #end(id: string, reason: WhyDone): void {
    this.#writing.get(id)?.stop.abort(reason);
  }

  async #write(id: string, signal: AbortSignal): Promise<void> {
    const topic = this.answers({ id });
    try {
      for await (const token of writeAnswer(signal)) await topic.publish({ type: 'token', data: token });
      const reason = signal.aborted ? (signal.reason as WhyDone) : 'complete';
      await topic.publish({ type: 'done', data: { reason } });
      await topic.complete({ final: true });
    } catch (error) {
      // The readers get `stream.error` without the details, which go to the log.
      void topic.error(error);
    } finally {
      this.#writing.delete(id);
    }
  }
}
