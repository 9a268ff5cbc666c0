import type { Begin } from '../topic/begin.js';
import type { Principal } from '../topic/principal.js';
import type { EndReason } from '../wire/words.js';
import { limitTime } from './expiry.js';
import { HeadStart } from './head-start.js';
import type { AwaitedStream } from './head-start.js';
import type { Source, StreamedSource } from './source.js';

/** A stream whose head waits. */
export interface WaitingStream extends Omit<AwaitedStream, 'end'> {
  readonly signal: AbortSignal;
  readonly lastEventId: string | undefined;
  readonly principal: Principal | null;
  end(reason: EndReason): void;
}

/**
 * The first event of a source, for which the head of its stream waits. Topics are read for it beside the stream, which keeps its own place: so
 * what a selection filters and maps is asked of these events once more.
 */
export class FirstEvent {
  /** What is to be streamed: the source itself, or what has begun in its place. */
  readonly source: Source;
  readonly #stream: WaitingStream;
  readonly #first: Promise<void>;
  #stop: () => void;

  /** @param begin where the topics begin, unless they or the client say so */
  constructor(stream: WaitingStream, source: StreamedSource, begin: Begin | undefined) {
    this.#stream = stream;
    const { signal } = stream;
    if (source.kind === 'topics') {
      this.source = source;
      let stop = (): void => undefined;
      this.#first = new Promise((resolve, reject) => {
        const from = source.selection.begin ?? begin;
        const events = source.selection.asObservable({ lastEventId: stream.lastEventId, from });
        const subscription = events.subscribe({ next: () => resolve(), error: reject, complete: resolve });
        stop = () => subscription.unsubscribe();
      });
      this.#stop = stop;
      return;
    }
    const headStart = new HeadStart(stream);
    this.source = { kind: 'begun', source: headStart };
    this.#first = headStart.first;
    this.#stop = () => undefined;
    signal.addEventListener('abort', () => headStart.stop(), { once: true });
    headStart.start(source);
  }

  /** Resolves when it is there, or the source has ended, or the stream has, or after so many ms. Rejects with a failure before that. */
  async within(ms: number): Promise<void> {
    const { signal, principal } = this.#stream;
    const endTime = limitTime(this.#stream, false, principal);
    let timer: NodeJS.Timeout | undefined;
    let over = (): void => undefined;
    const isOver = new Promise<void>((resolve) => {
      over = resolve;
      timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', over, { once: true });
      if (signal.aborted) resolve();
    });
    try {
      await Promise.race([this.#first, isOver]);
    } finally {
      clearTimeout(timer);
      endTime();
      signal.removeEventListener('abort', over);
      this.#stop();
    }
  }
}
