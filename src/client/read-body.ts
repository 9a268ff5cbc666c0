import { createStreamParser } from '../wire/parse.js';
import type { ParsedEvent } from '../wire/parse.js';
import { heartbeatOf, topicOf } from '../wire/words.js';
import type { DebugFrame, StreamOptions } from './options.js';
import type { Outcome } from './outcome.js';
import { StreamError } from './state.js';
import type { Watchdog } from './watchdog.js';

/** A shorter period, in ms, is none, but a server that counts its heartbeats. */
const LEAST_BEAT_MS = 100;

/** Where the events of one connection go. */
export interface EventSink {
  /** Whether to read no further for now. */
  readonly isFull: boolean;
  whenRoom(): Promise<void>;
  /** Answers with what is to be read no further. */
  take(event: ParsedEvent, topic: string | undefined): Outcome | undefined;
  moved(id: string): void;
  retry(ms: number): void;
  readonly debug: (frame: DebugFrame) => void;
}

/** Reads the body of an answer until it ends, or its events say that there will be no more. */
export async function readBody(
  body: ReadableStream<Uint8Array>,
  sink: EventSink,
  watchdog: Watchdog,
  signal: AbortSignal,
  lastEventId: string,
  { heartbeat, maxBufferSize }: StreamOptions,
): Promise<Outcome> {
  const { debug } = sink;
  let outcome: Outcome | undefined;
  let topic: string | undefined;
  let hasBegun = false;
  const isOver = (): unknown => outcome ?? signal.aborted;
  const parser = createStreamParser(
    {
      onEvent(event) {
        hasBegun = true;
        if (isOver()) return;
        const { type, data: text, lastEventId } = event;
        debug({ kind: 'event', type, text, lastEventId });
        outcome = sink.take(event, topic);
        topic = undefined;
      },
      onCursor(text) {
        hasBegun = true;
        if (isOver()) return;
        debug({ kind: 'id', text });
        sink.moved(text);
        topic = undefined;
      },
      onRetry(ms) {
        debug({ kind: 'retry', ms });
        sink.retry(ms);
      },
      onComment(text) {
        debug({ kind: 'comment', text });
        // The server's own come first: a comment of an event may say anything.
        topic ??= topicOf(text);
        const beatMs = heartbeatOf(text) ?? 0;
        if ((heartbeat ?? 0) === 0 && !hasBegun && beatMs >= LEAST_BEAT_MS) watchdog.fed(beatMs);
      },
    },
    { lastEventId, maxEventChars: maxBufferSize },
  );
  const reader = body.getReader();
  const stop = (): void => {
    watchdog.stop();
    reader.cancel().catch(() => undefined);
  };
  // Not every `fetch` minds its signal.
  signal.addEventListener('abort', stop);
  let reading;
  try {
    // One is always under way before events are handed out: WebKit holds a chunk back while nothing reads (WebKit/WebKit#72494).
    while (!isOver()) {
      watchdog.fed();
      const { done, value } = await (reading ?? reader.read());
      if (done) return { reason: 'ended' };
      reading = reader.read();
      reading.catch(() => undefined);
      parser.push(value);
      if (isOver() || !sink.isFull) continue;
      watchdog.stop();
      await sink.whenRoom();
    }
    return outcome ?? { reason: 'cut' };
  } catch (error) {
    return error instanceof RangeError
      ? { closes: 'failed', error: new StreamError('too-large', error.message) }
      : { reason: 'cut', error };
  } finally {
    stop();
  }
}
