import { SseError } from '../errors.js';
import type { Begin } from '../topic/begin.js';
import type { Principal } from '../topic/principal.js';
import { checkSourceEvent, toEvent } from '../wire/event.js';
import type { SseEvent } from '../wire/event.js';
import { packEvent, unpackEvent } from '../wire/payload.js';
import { RESET } from '../wire/words.js';
import type { EndReason } from '../wire/words.js';
import { limitTime } from './expiry.js';
import { observe } from './observe.js';
import { SourcePump } from './source-pump.js';
import type { SourceTarget } from './source-pump.js';
import { discard } from './source.js';
import type { ProducerSource, StreamedSource } from './source.js';

/** What one document may be made of, as it would go on the wire: 16 MiB. */
export const MAX_COLLECTED_BYTES = 16_777_216;

/** After so much a source that never waits has others take their turn. */
const TURN_BYTES = 65_536;

/** The request that is answered with one document. */
export interface CollectingStream {
  readonly signal: AbortSignal;
  readonly lastEventId: string | undefined;
  readonly principal: Principal | null;
  readonly settings: { readonly maxLifetimeMs: number | false };
  end(reason: EndReason): void;
}

/**
 * Collects all events of a source until it ends, or the stream is ended. Rejects with its failure.
 *
 * @param begin where topics begin, unless they or the client say so
 * @throws SseError `too-large`, and `closed` when events of a topic are missing, as a rejection
 */
export async function collect(
  stream: CollectingStream,
  source: StreamedSource,
  begin: Begin | undefined,
): Promise<readonly SseEvent[]> {
  const { signal, lastEventId, settings, principal } = stream;
  if (signal.aborted) {
    discard(source);
    return [];
  }
  const collection = new Collection();
  const stop = (): void => collection.end();
  signal.addEventListener('abort', stop, { once: true });
  const endTime = limitTime(stream, settings.maxLifetimeMs, principal);
  try {
    collection.start(source.kind === 'topics' ? observed() : source);
    return await collection.events;
  } finally {
    endTime();
    signal.removeEventListener('abort', stop);
  }

  function observed(): ProducerSource {
    const { selection } = source as Extract<StreamedSource, { kind: 'topics' }>;
    // A part would be taken for the whole.
    const onStopped = (): void => collection.fail(stopped());
    return {
      kind: 'push',
      source: observe(selection.hub, selection, lastEventId, selection.begin ?? begin, onStopped),
    };
  }
}

/** Keeps events as they are at the moment, and as they would be stored: so their bytes are known, and what is changed later changes none. */
class Collection implements SourceTarget {
  readonly events: Promise<readonly SseEvent[]>;
  readonly output: SourceTarget['output'];
  readonly #pump = new SourcePump(this);
  readonly #kept: { readonly id: string | undefined; readonly payload: Uint8Array }[] = [];
  #bytes = 0;
  #turnBytes = 0;
  #resolve!: (events: readonly SseEvent[]) => void;
  #reject!: (error: unknown) => void;

  constructor() {
    this.events = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const hasTurn = (): boolean => this.#turnBytes < TURN_BYTES;
    this.output = {
      get isWritable() {
        return hasTurn();
      },
      whenWritable: () =>
        new Promise((resolve) => {
          this.#turnBytes = 0;
          setImmediate(resolve);
        }),
    };
  }

  start(source: ProducerSource): void {
    this.#pump.start(source);
  }

  send(value: unknown): void {
    const event = toEvent(value);
    checkSourceEvent(event);
    if (!('data' in event)) return;
    if (event.type === RESET)
      throw new SseError('closed', 'Events are missing of what one document was to be made of; see stream.reset');
    const payload = packEvent(event);
    this.#kept.push({ id: event.id, payload });
    this.#bytes += payload.byteLength;
    this.#turnBytes += payload.byteLength;
    if (this.#bytes <= MAX_COLLECTED_BYTES) return;
    throw new SseError('too-large', `One document is made of at most ${MAX_COLLECTED_BYTES} bytes of events`);
  }

  end(): void {
    this.#pump.stop();
    this.#resolve(this.#kept.map(toCollected));
  }

  fail(error: unknown): void {
    this.#pump.stop();
    this.#reject(error);
  }
}

function stopped(): SseError {
  return Object.assign(new SseError('run-stopped', 'The run was stopped'), { status: 409 });
}

function toCollected({ id, payload }: { readonly id: string | undefined; readonly payload: Uint8Array }): SseEvent {
  const event = unpackEvent(payload) as SseEvent;
  return id === undefined ? event : { ...event, id };
}
