import { type Stream, type StreamOptions, type StreamState, openStream } from 'nestjs-event-stream/client';
import { until } from './until.js';

/** Streams that are opened in a test, with what came of them; to be held with `using`. */
export class Clients implements Disposable {
  readonly #streams: Stream[] = [];

  open(url: string, options: StreamOptions & { readonly text?: undefined } = {}): Watched {
    const watched = new Watched(openStream(url, options));
    this.#streams.push(watched.stream);
    return watched;
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.close();
  }
}

/** A stream, and all that it has told. */
export class Watched {
  readonly data: string[] = [];
  readonly types: string[] = [];
  readonly states: StreamState[] = [];

  constructor(readonly stream: Stream) {
    stream.on('*', ({ data, type }) => {
      this.data.push(data);
      this.types.push(type);
    });
    stream.subscribe((state) => this.states.push(state));
  }

  /** Its phases, with the reasons that some have. */
  get story(): readonly string[] {
    return this.states.map((state) => ('reason' in state ? `${state.phase} ${state.reason}` : state.phase));
  }

  async received(count: number, deadlineMs?: number): Promise<void> {
    await until(() => this.data.length >= count, `${count} events`, deadlineMs);
  }

  async reached(phase: StreamState['phase'], deadlineMs?: number): Promise<void> {
    await until(() => this.stream.state.phase === phase, `the phase ${phase}`, deadlineMs);
  }

  async told(story: string, deadlineMs?: number): Promise<void> {
    await until(() => this.story.includes(story), `the state ${story}`, deadlineMs);
  }
}
