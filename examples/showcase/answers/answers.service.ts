import { Injectable, Logger } from '@nestjs/common';
import { EventStreamService, InjectTopic, type Selection, type TopicFamily } from 'nestjs-event-stream';
import { RunService, type Run } from 'nestjs-event-stream/runs';
import { chatTopic, chatsTopic, type Answer, type Question } from './answers.topics.js';
import { Model, type Turn } from './model.js';
import { textOf, uiParts, type UiPart } from './ui-parts.js';

export interface Asked {
  readonly text: string;
  /** The run whose answer is to be written anew. */
  readonly replaces: string | undefined;
  /** Whether the model is to fail in the middle. */
  readonly isToFail: boolean;
}

/** One thing that was asked in a conversation, and what has become of it, if that was said. */
interface Exchange extends Question {
  readonly answer: Answer | undefined;
}

/** Conversations. What was said is in a topic of each, and what is being written is a run. */
@Injectable()
export class AnswersService {
  readonly #logger = new Logger('Answers');

  constructor(
    readonly model: Model,
    private readonly runs: RunService,
    private readonly streams: EventStreamService,
    @InjectTopic(chatTopic) private readonly chat: TopicFamily<typeof chatTopic>,
    @InjectTopic(chatsTopic) private readonly chats: TopicFamily<typeof chatsTopic>,
  ) {}

  /** What a page follows: the list of conversations, and what is said in one. */
  events(chat: string): Selection {
    return this.streams.topics<unknown>(this.chats(), this.chat({ chat }));
  }

  /** The same so far, and the place behind it. */
  async state(chat: string): Promise<{ lastEventId: string; events: unknown[]; model: string }> {
    const { lastEventId, events } = await this.streams.read(this.events(chat));
    return { lastEventId, events: events.map(({ type, data }) => ({ type, data })), model: this.model.name };
  }

  /**
   * Starts an answer. While another one is being written in this conversation, on any node, that is refused: a conversation is in order.
   * Rejects with a `ConflictException` (409) then.
   */
  async ask(chat: string, { text, replaces, isToFail }: Asked): Promise<Question> {
    const before = await this.#before(chat, replaces);
    const turns = [...before.flatMap(turnsOf), { role: 'user' as const, text }];
    const run = await this.runs.start<UiPart>(
      keyOf(chat),
      ({ signal, runId }) => uiParts(this.model.write(turns, { signal, isToFail }), runId, this.model.name),
      { onConflict: 'reject' },
    );
    const at = Date.now();
    const question = { runId: run.id, text, at, owner: run.owner, node: process.env.NODE_NAME, replaces };
    await this.chat({ chat }).publish({ type: 'question', data: question });
    await this.chats().publish({ type: 'chat', data: { id: chat, title: before[0]?.text ?? text, at } });
    // What cannot be said now, as while the application shuts down, is said before the next question.
    this.#settle(chat, run).catch((error: Error) => this.#logger.warn(error.message));
    return question;
  }

  /** An answer, being written or written; `undefined` when it is not kept any more. */
  async answer(chat: string, runId: string): Promise<Run<UiPart> | undefined> {
    const run = await this.runs.watch<UiPart>(keyOf(chat));
    return run?.id === runId ? run : undefined;
  }

  /** Resolves to whether it was being written. */
  stop(chat: string, runId: string): Promise<boolean> {
    return this.runs.stop(keyOf(chat), { ifRunId: runId, reason: 'user' });
  }

  /** What was said so far; `without` that which is to be answered anew. */
  async #before(chat: string, without: string | undefined): Promise<Exchange[]> {
    const exchanges = await this.#read(chat);
    const last = exchanges.at(-1);
    // Its node has died, and could not say how it has ended.
    if (last !== undefined && last.answer === undefined) await this.#settleLeft(chat, last.runId);
    const all = last?.answer === undefined ? await this.#read(chat) : exchanges;
    return all.filter(({ runId }) => runId !== without);
  }

  async #read(chat: string): Promise<Exchange[]> {
    const exchanges = new Map<string, Exchange>();
    const { events } = await this.streams.read(this.chat({ chat }));
    for (const event of events) {
      if (event.type === 'question') {
        const { replaces, runId } = event.data;
        if (replaces !== undefined) exchanges.delete(replaces);
        exchanges.set(runId, { ...event.data, answer: undefined });
      } else {
        const asked = exchanges.get(event.data.runId);
        if (asked !== undefined) exchanges.set(asked.runId, { ...asked, answer: event.data });
      }
    }
    return [...exchanges.values()];
  }

  async #settleLeft(chat: string, runId: string): Promise<void> {
    const run = await this.answer(chat, runId);
    if (run !== undefined && run.state !== 'running') await this.#settle(chat, run);
  }

  /** Waits for the end of an answer, and says it in its conversation. */
  async #settle(chat: string, run: Run<UiPart>): Promise<void> {
    const { state, events = [] } = await run.result({ events: true });
    await this.chat({ chat }).publish({ type: 'answer', data: { runId: run.id, text: textOf(events), state } });
  }
}

/** One answer at a time in each conversation. */
function keyOf(chat: string): string {
  return `chats/${chat}/answer`;
}

function turnsOf({ text, answer }: Exchange): Turn[] {
  const asked: Turn = { role: 'user', text };
  return answer === undefined || answer.text === '' ? [asked] : [asked, { role: 'assistant', text: answer.text }];
}
