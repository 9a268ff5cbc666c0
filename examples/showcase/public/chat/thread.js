// What was said, as elements: a question and its answer for each run.

import { Markdown, spoken } from '../lib/markdown.js';
import { $, copyOnClick, describe, say } from '../lib/shell.js';

/** What a reader is told of each state of an answer, and what the button says that asks once more. */
const STATES = {
  asked: { tone: 'waiting', text: 'Thinking …' },
  writing: { tone: 'ok', text: 'Writing …' },
  waiting: { tone: 'waiting', text: 'Waiting for a connection.' },
  cut: { tone: 'trouble', text: 'The answer goes on where it was.' },
  completed: { tone: 'quiet', text: '' },
  stopped: { tone: 'quiet', text: 'Stopped.', again: 'Ask again' },
  failed: { tone: 'trouble', text: 'The model has failed. What it had written stays.', again: 'Try again' },
  interrupted: {
    tone: 'trouble',
    text: 'Interrupted: the server that wrote this is gone. What it had written stays.',
    again: 'Ask again',
  },
  expired: { tone: 'trouble', text: 'It took too long, and was ended.', again: 'Try again' },
  gone: {
    tone: 'trouble',
    text: 'The server was started anew, and knows nothing of this answer any more. What has come stays.',
    again: 'Ask again',
  },
};

export class Thread {
  #element;
  #onAgain;
  #views = new Map();

  constructor(element, { onAgain }) {
    [this.#element, this.#onAgain] = [element, onAgain];
  }

  /** Shows these, in order, and no others. */
  show(exchanges) {
    for (const [runId, view] of this.#views) {
      if (exchanges.some((exchange) => exchange.runId === runId)) continue;
      view.element.remove();
      this.#views.delete(runId);
    }
    for (const exchange of exchanges) {
      if (this.#views.has(exchange.runId)) continue;
      const view = new ExchangeView(exchange, () => this.#onAgain(exchange));
      this.#views.set(exchange.runId, view);
      this.#element.append(view.element);
    }
    const views = [...this.#views.values()];
    views.forEach((view, i) => view.setLast(i === views.length - 1));
  }

  /** Shows how an answer is: `{ state, text, why }`. */
  update(runId, answer) {
    this.#views.get(runId)?.update(answer);
  }

  clear() {
    this.show([]);
  }
}

class ExchangeView {
  element = $('exchange').content.firstElementChild.cloneNode(true);
  #text = this.#part('text');
  #markdown = new Markdown(this.#text);
  #spokenLength;
  #shown = {};

  constructor({ text }, onAgain) {
    this.#part('question').textContent = text;
    this.#part('again').addEventListener('click', onAgain);
    copyOnClick(this.#part('copy'), () => this.#shown.text);
    this.update({ state: 'asked', text: '' });
  }

  /** Only the last may be asked anew: the others have been answered to. */
  setLast(isLast) {
    this.element.toggleAttribute('data-last', isLast);
  }

  update({ state, text, why }) {
    const { tone, text: sentence, again } = STATES[state];
    const hasChanged = this.#shown.state !== state;
    if (this.#shown.text !== text || hasChanged) this.#markdown.show(text, state === 'completed');
    this.#shown = { state, text };
    this.element.dataset.state = state;
    this.#part('copy').hidden = state !== 'completed' || navigator.clipboard === undefined;
    this.#part('again').hidden = again === undefined;
    if (again) this.#part('again').textContent = again;
    say(this.#part('says'), tone, state === 'cut' ? `${reasonOf(why)} ${sentence}` : sentence);
    if (state === 'writing') this.#speak(text);
    else if (hasChanged && state === 'completed' && this.#spokenLength !== undefined) this.#speak(text, true);
  }

  /** Tells those who listen: sentence by sentence, for no one can follow words that come forty a second. */
  #speak(text, isOver = false) {
    this.#spokenLength ??= 0;
    const end = isOver ? text.length : Math.max(...[...'.?!'].map((mark) => text.lastIndexOf(`${mark} `))) + 1;
    if (end <= this.#spokenLength) return;
    $('spoken').textContent = spoken(text.slice(this.#spokenLength, end)).trim();
    this.#spokenLength = end;
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }
}

function reasonOf(why) {
  return describe({ state: why }).title ?? 'The connection is gone.';
}
