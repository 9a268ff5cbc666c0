import { createStreamParser } from '../wire/parse.js';
import type { ParsedEvent } from '../wire/parse.js';
import { heartbeatOf, topicOf } from '../wire/words.js';
import type { DebugFrame, StreamOptions } from './options.js';
import type { Outcome } from './outcome.js';
import { StreamError } from './state.js';
import type { Watchdog } from './watchdog.js';

/** Where the events of one connection go. */
export interface EventSink {
  /** Whether to read no further for now. */
  readonly isFull: boolean;
  whenRoom(): Promise<void>;
  /** Answers with what is to be read no further. */
  take(event: ParsedEvent, topic: string | undefined): Outcome | undefined;
  moved(id: string): void;
  retry(ms: number): void;
}

interface BodyReader {
  readonly signal: AbortSignal;
  readonly sink: EventSink;
  readonly watchdog: Watchdog;
  readonly lastEventId: string;
  readonly debug: (frame: DebugFrame) => void;
}

/** Reads the body of an answer until it ends, or its events say that there will be no more. */
export async function readBody(
  body: ReadableStream<Uint8Array>,
  { signal, sink, watchdog, lastEventId, debug }: BodyReader,
  { heartbeat, maxBufferSize }: StreamOptions,
): Promise<Outcome> {
  let outcome: Outcome | undefined;
  let topic: string | undefined;
  const isOver = (): boolean => outcome !== undefined || signal.aborted;
  const parser = createStreamParser(
    {
      onEvent(event) {
        if (isOver()) return;
        debug({ kind: 'event', type: event.type, text: event.data, lastEventId: event.lastEventId });
        outcome = sink.take(event, topic);
        topic = undefined;
      },
      onCursor(id) {
        if (isOver()) return;
        debug({ kind: 'id', text: id });
        topic = undefined;
        sink.moved(id);
      },
      onRetry(ms) {
        debug({ kind: 'retry', ms });
        sink.retry(ms);
      },
      onComment(text) {
        debug({ kind: 'comment', text });
        topic = topicOf(text) ?? topic;
        const beatMs = heartbeatOf(text);
        if (beatMs && heartbeat === undefined) watchdog.announced(beatMs);
      },
    },
    { lastEventId, maxEventChars: maxBufferSize },
  );
  const reader = body.getReader();
  const read = (): ReturnType<typeof reader.read> => {
    const reading = reader.read();
    reading.catch(() => undefined);
    return reading;
  };
  watchdog.fed();
  try {
    // One is always under way before events are handed out: WebKit holds a chunk back while nothing reads (WebKit/WebKit#72494).
    for (let reading = read(); ;) {
      const { done, value } = await reading;
      if (done) return { reason: 'ended' };
      watchdog.fed();
      reading = read();
      parser.push(value);
      if (isOver()) return outcome ?? { reason: 'cut' };
      if (!sink.isFull) continue;
      watchdog.stop();
      await sink.whenRoom();
      watchdog.fed();
    }
  } catch (error) {
    if (!(error instanceof RangeError)) return { reason: 'cut', error };
    return { closes: 'failed', error: new StreamError('too-large', error.message) };
  } finally {
    watchdog.stop();
    reader.cancel().catch(() => undefined);
  }
}
