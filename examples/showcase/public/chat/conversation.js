import { post, request } from '../lib/request.js';
import { Stream } from '../lib/stream.js';

/**
 * A conversation, as all its windows have it: what was asked, and how the answers have ended. What is being written is not in it, but which
 * run that is.
 */
export class Conversation {
  id;
  /** Whether it is known what was said before. */
  isLoaded = false;
  model = '';
  /** By the run: `{ runId, text, owner, node, answer? }`, in order. */
  exchanges = new Map();
  /** Of all conversations, the newest first: `{ id, title, at }`. */
  chats = [];
  #path;
  #stream;
  #onChange;

  constructor(id, { onChange, onStream }) {
    [this.id, this.#path, this.#onChange] = [id, `/api/chats/${id}`, onChange];
    this.#stream = new Stream(this.#path, {
      snapshot: () => this.#load(),
      onState: onStream,
      on: {
        question: (event) => this.#hear('question', event.json()),
        answer: (event) => this.#hear('answer', event.json()),
        chat: (event) => this.#hear('chat', event.json()),
      },
    });
    this.#stream.open();
  }

  get last() {
    return [...this.exchanges.values()].at(-1);
  }

  /** Where an answer is read. */
  pathOf({ runId }) {
    return `${this.#path}/answers/${runId}`;
  }

  /** Resolves to what went wrong, as `request` says it. */
  async ask(text, { fail, replaces }) {
    const asked = await post(`${this.#path}/questions`, { text, fail, replaces });
    // It may be here already: what is said is heard by all.
    if (asked.answer) this.#hear('question', asked.answer);
    return asked;
  }

  stop({ runId }) {
    return post(`${this.#path}/stop`, { runId });
  }

  close() {
    this.#stream.close();
  }

  async #load() {
    const { answer, problem } = await request(`${this.#path}/state`);
    if (problem) throw new Error(problem);
    for (const { type, data } of answer.events) this.#take(type, data);
    this.model = answer.model;
    this.isLoaded = true;
    this.#onChange(this);
    return { lastEventId: answer.lastEventId };
  }

  #hear(type, data) {
    this.#take(type, data);
    this.#onChange(this);
  }

  /** What was heard before changes nothing. */
  #take(type, data) {
    if (type === 'chat') {
      const others = this.chats.filter(({ id }) => id !== data.id);
      this.chats = [data, ...others].sort((a, b) => b.at - a.at);
    } else if (type === 'question') {
      if (this.exchanges.has(data.runId)) return;
      this.exchanges.delete(data.replaces);
      this.exchanges.set(data.runId, data);
    } else {
      const exchange = this.exchanges.get(data.runId);
      if (exchange) exchange.answer = data;
    }
  }
}
