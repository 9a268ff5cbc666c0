import { openStream } from '/client.js';
import { framesOf, parseFrame } from './frames.js';
import { takeLine } from './lines.js';
import { wordOf } from './stream.js';

/** How a run is spoken of: each has a route of its own, and what is read there has its own end and its own errors. */
export const WIRES = {
  plain: { path: '', name: 'Plain' },
  'ai-sdk': { path: '/ai-sdk', name: 'AI SDK', read: readPart },
  openai: { path: '/openai', name: 'OpenAI', read: readChunk },
};

const AGAIN_MS = 1_000;
/** The server says something each 1.5 s: nobody is there any more when it is silent for so long. */
const SILENT_MS = 6_000;
/** What the codes of this module say of a run. */
const ENDS = { stopped: 'stopped', 'run-interrupted': 'interrupted', 'run-expired': 'expired' };

/**
 * An answer that is being read, while its window is seen.
 *
 * | state | |
 * | --- | --- |
 * | `asked` | there is no word of it yet |
 * | `writing` | words come |
 * | `waiting`, `cut` | there is no connection: none is free, or none can be had; `why` says it in the words of lib/stream.js |
 * | `completed`, `stopped`, `failed`, `interrupted`, `expired` | it has ended |
 * | `gone` | the server does not know it |
 */
export class AnswerReading {
  state = 'asked';
  why;
  text = '';
  /** The id of the last event. */
  place;
  #path;
  #wire;
  #onChange;
  #onFrame;
  #onResponse;
  #reading;
  /** What was read; `text` may be more, of what was shown before. */
  #own = '';

  /**
   * @param options.text what is shown of it already
   * @param options.onFrame called with each frame, as text
   * @param options.onResponse called with each response of the plain wire
   */
  constructor(path, wire, { onChange, onFrame = () => {}, onResponse = () => {}, text = '' }) {
    [this.#path, this.#wire] = [path + WIRES[wire].path, wire];
    [this.#onChange, this.#onFrame, this.#onResponse] = [onChange, onFrame, onResponse];
    this.text = text;
    document.addEventListener('visibilitychange', this.#look);
    // What the browser says is a hint, and may be wrong: a new connection finds out, and nothing is missed.
    for (const hint of ['online', 'offline']) addEventListener(hint, this.reopen);
    this.#look();
  }

  get isOver() {
    return !['asked', 'writing', 'waiting', 'cut'].includes(this.state);
  }

  close() {
    document.removeEventListener('visibilitychange', this.#look);
    for (const hint of ['online', 'offline']) removeEventListener(hint, this.reopen);
    this.#reading?.abort();
  }

  /** Over HTTP/1.1 a window that is not seen leaves its connection to others, and goes on when it is seen. */
  #look = () => {
    if (document.hidden) return this.#reading?.abort();
    if (this.#reading?.signal.aborted === false || this.isOver) return;
    this.#reading = new AbortController();
    void this.#read(this.#reading.signal);
  };

  /** Goes on over another connection. */
  reopen = () => {
    this.#reading?.abort();
    this.#look();
  };

  async #read(signal) {
    await takeLine(signal, () => this.#become('waiting', 'waiting'));
    if (signal.aborted) return;
    if (this.state === 'waiting') this.#become('asked');
    if (this.#wire === 'plain') this.#readPlain(signal);
    else await this.#readForeign(signal);
  }

  /** Ours goes on where it was, and says why it waits. */
  #readPlain(signal) {
    const stream = openStream(this.#path, {
      signal,
      lastEventId: this.place,
      connectTimeout: SILENT_MS,
      maxRetryInterval: 5_000,
      fetch: (...request) => this.#fetch(...request),
    });
    let code;
    stream.on('message', (event) => {
      this.place = event.lastEventId;
      const part = event.json();
      if (part.type === 'text-delta') this.#take(part.delta);
    });
    stream.on('stream.error', (event) => (code = event.json().code));
    stream.on('stream.reset', () => this.#finish('gone'));
    stream.subscribe((now) => {
      if (signal.aborted) return;
      const { phase, reason } = now;
      if (phase === 'waiting') this.#become('cut', wordOf(now));
      if (phase === 'open' && this.state === 'cut') this.#become(this.text ? 'writing' : 'asked');
      if (phase !== 'closed') return;
      if (reason === 'refused') return this.#finish('gone');
      this.#finish(reason === 'complete' ? 'completed' : (ENDS[code ?? reason] ?? 'failed'));
    });
  }

  /** Tells what is on the wire, byte for byte, and hands it on to the client. */
  async #fetch(...request) {
    const response = await fetch(...request);
    this.#onResponse(response);
    if (response.status !== 200 || !response.body) return response;
    const decoder = new TextDecoder();
    let rest = '';
    const tell = (chunk, controller) => {
      const frames = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = frames.pop();
      for (const frame of frames) this.#onFrame(frame);
      controller.enqueue(chunk);
    };
    const { status, headers } = response;
    return new Response(response.body.pipeThrough(new TransformStream({ transform: tell })), { status, headers });
  }

  /** The others know no place: who comes back reads it from its beginning. */
  async #readForeign(signal) {
    const { read } = WIRES[this.#wire];
    while (!signal.aborted && !this.isOver) {
      const word = await this.#readOnce(read, signal).catch(() => (navigator.onLine ? 'reconnecting' : 'lost'));
      if (signal.aborted || this.isOver) return;
      this.#become('cut', word ?? 'reconnecting');
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #readOnce(read, signal) {
    const silence = new AbortController();
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
    };
    heard();
    try {
      const response = await fetch(this.#path, { signal: AbortSignal.any([signal, silence.signal]) }).catch(() => {});
      if (!response) return silence.signal.aborted ? 'silent' : 'lost';
      if (response.status === 404) return this.#finish('gone');
      if (!response.ok) return 'busy';
      this.#own = '';
      for await (const frame of framesOf(response)) {
        heard();
        this.#onFrame(frame);
        const { id, data } = parseFrame(frame);
        this.place = id ?? this.place;
        if (data === '') continue;
        const { delta, end } = read(data);
        if (end) return this.#finish(end);
        if (delta) this.#take(delta);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is read once more is shown already. */
  #take(delta) {
    this.#own += delta;
    if (this.#own.length > this.text.length) this.text = this.#own;
    this.#become('writing');
  }

  #finish(state) {
    if (this.isOver) return;
    this.#become(state);
    this.close();
  }

  #become(state, why) {
    [this.state, this.why] = [state, why];
    this.#onChange(this);
  }
}

/** A part of the AI SDK. Its end says that all was said, and so do not those of a stop and of a failure. */
function readPart(data) {
  if (data === '[DONE]') return { end: 'completed' };
  const { type, delta } = JSON.parse(data);
  if (type === 'text-delta') return { delta };
  return { end: { abort: 'stopped', error: 'failed' }[type] };
}

/** A chunk of Chat Completions, or the error that takes the place of the next. */
function readChunk(data) {
  if (data === '[DONE]') return { end: 'completed' };
  const { error, choices } = JSON.parse(data);
  if (error) return { end: ENDS[error.code] ?? 'failed' };
  return { delta: choices[0]?.delta.content };
}
