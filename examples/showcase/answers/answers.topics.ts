import { defineTopic, type } from 'nestjs-event-stream';
import type { RunEndState } from 'nestjs-event-stream/runs';

/** A question that was asked, and the run that answers it. */
export interface Question {
  readonly runId: string;
  readonly text: string;
  /** When, in ms since 1970. */
  readonly at: number;
  /** The node that the run is on, as the nodes call each other; and by its name, where it has one. */
  readonly owner: string;
  readonly node?: string | undefined;
  /** The run whose answer this one takes the place of. */
  readonly replaces?: string | undefined;
}

/** What has become of it. Two nodes may say the same of a run. */
export interface Answer {
  readonly runId: string;
  readonly text: string;
  readonly state: RunEndState;
}

/** An entry of the list of conversations; a later one with the same id takes its place. */
export interface Chat {
  readonly id: string;
  readonly title: string;
  readonly at: number;
}

const KEPT_MS = 3_600_000;

/** What was said in a conversation. An answer that is being written is a run, and is here when it has ended. */
export const chatTopic = defineTopic('chats/:chat', {
  events: { question: type<Question>(), answer: type<Answer>() },
  history: { maxEvents: 400, maxAgeMs: KEPT_MS },
});

export const chatsTopic = defineTopic('chats', {
  events: { chat: type<Chat>() },
  history: { maxEvents: 200, maxAgeMs: KEPT_MS },
});
