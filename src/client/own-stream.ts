import { END_ID, heartbeatOf } from '../wire/words.js';
import type { ReceivedEvent } from './events.js';
import { HttpStream } from './http-stream.js';
import type { StreamOptions, Url } from './options.js';

/** Where what a tab reads itself goes. */
export interface Reader {
  readonly isFull: boolean;
  whenRoom(): Promise<void>;
  took(event: ReceivedEvent): void;
  /** @param isJump by a snapshot, over whatever lies between */
  went(place: string, isJump: boolean): void;
  /** The server has said that it is there. @param beatMs and how often it will */
  beat(beatMs: number | undefined): void;
}

/** The connections of one tab, read for several. */
export class OwnStream extends HttpStream {
  readonly #reader: Reader;

  constructor(url: Url, options: StreamOptions, reader: Reader) {
    let isHead = false;
    super(url, {
      ...options,
      debug(frame) {
        if (frame.kind === 'response') isHead = true;
        if (frame.kind === 'comment') {
          // That of the server comes first: a comment of an event may say anything.
          reader.beat(isHead ? heartbeatOf(frame.text) : undefined);
          isHead = false;
        }
        options.debug?.(frame);
      },
    });
    this.#reader = reader;
  }

  override get isFull(): boolean {
    return this.#reader.isFull;
  }

  override whenRoom(): Promise<void> {
    return this.#reader.whenRoom();
  }

  override moved(place: string): void {
    super.moved(place);
    if (place !== END_ID) this.#reader.went(place, this.state.phase !== 'open');
  }

  protected override dispatch(event: ReceivedEvent): void {
    this.#reader.took(event);
  }
}
