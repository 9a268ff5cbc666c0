import { overloaded, type Model, type Turn, type WriteOptions } from './model.js';

interface OpenAiOptions {
  readonly baseURL: string | undefined;
  readonly apiKey: string | undefined;
  readonly model: string | undefined;
}

/** After so many pieces it fails when it is to fail. */
const PIECES_BEFORE_FAILURE = 20;

/** Any server that speaks Chat Completions. The package `openai` is loaded when something is asked: nothing else needs it. */
export class OpenAiModel implements Model {
  readonly name: string;
  readonly #options: OpenAiOptions;

  constructor(options: OpenAiOptions) {
    this.#options = options;
    this.name = options.model || 'gpt-5-mini';
  }

  async *write(turns: readonly Turn[], { signal, isToFail }: WriteOptions): AsyncGenerator<string> {
    const { OpenAI } = await import('openai');
    // A server of one's own often wants no key; the client wants one.
    const { baseURL, apiKey = 'none' } = this.#options;
    const messages = turns.map(({ role, text }) => ({ role, content: text }));
    const client = new OpenAI({ baseURL, apiKey });
    const request = { model: this.name, messages, stream: true as const };
    let pieces = 0;
    for await (const { choices } of await client.chat.completions.create(request, { signal })) {
      const text = choices[0]?.delta.content;
      if (!text) continue;
      yield text;
      if (isToFail && ++pieces === PIECES_BEFORE_FAILURE) throw overloaded();
    }
  }
}
