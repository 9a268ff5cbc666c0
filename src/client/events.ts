import type { Jsonify } from '../wire/typed.js';
import type { EndReason, END, FAILURE, RESET, ResetReason } from '../wire/words.js';

/** Those of a stream of which nothing is known: any type, with its data as text. */
export interface AnyEvents {
  readonly [type: string]: string;
}

/** Events are missing at this place. */
export interface Reset {
  readonly reason: ResetReason | (string & {});
  /** Names, and patterns where no names are known. */
  readonly topics: readonly string[];
}

/** What a stream says of itself, by event type. */
export interface ControlEvents {
  readonly [RESET]: Reset;
  readonly [END]: { readonly reason: EndReason | (string & {}); readonly reconnect: boolean };
  readonly [FAILURE]: { readonly message: string; readonly code?: string; readonly reconnect?: boolean };
}

export type ControlType = keyof ControlEvents;

/** An event as it has come. */
export interface Received<Type extends string = string, Data = string> {
  /** `message` where the stream names none. */
  readonly type: Type;
  /**
   * Of a typed stream (one that is opened with `text`), what was published: text as it is, everything else out of JSON. Of any other, the text.
   *
   * @throws SyntaxError where it is read, when it is no JSON
   */
  readonly data: Data;
  /** What stands in the stream. */
  readonly text: string;
  /** Where to resume behind it: the last id that the stream has given. */
  readonly lastEventId: string;
  /** The topic that it is from, where the server names it (`nameTopics`). */
  readonly topic: string | undefined;
  /** The text out of JSON. @throws SyntaxError */
  json<T = unknown>(): T;
}

/** What a value that is published as text arrives as; anything else goes through JSON. */
type DataOf<T> = unknown extends T ? T : Extract<T, string | Uint8Array> extends never ? Jsonify<T> : string;

/** The types whose data is text, which cannot be told from JSON on its way. */
export type TextTypes<E extends object> = string extends keyof E
  ? string
  : {
      [Type in keyof E & string]: unknown extends E[Type]
        ? never
        : Extract<E[Type], string | Uint8Array> extends never
          ? never
          : Type;
    }[keyof E & string];

/** An event of a type; with `*`, of any. */
export type EventOf<E extends object, Type extends string> = Type extends '*'
  ? StreamEvent<E>
  : string extends keyof E
    ? Received<Type>
    : Type extends ControlType
      ? Received<Type, ControlEvents[Type]>
      : Type extends keyof E
        ? Received<Type, DataOf<E[Type]>>
        : never;

/** The events that a stream has for its readers: those of its topics and sources, and `stream.reset`, where some are missing. */
export type StreamEvent<E extends object = AnyEvents> = string extends keyof E
  ? Received
  : { [Type in (keyof E & string) | typeof RESET]: EventOf<E, Type> }[(keyof E & string) | typeof RESET];

/** Which data is text: of a typed stream a list of types, of any other `undefined`, as all is. */
export type TextOf = readonly string[] | undefined;

const CONTROL = 'stream.';

/** Parses data when it is asked for, and once. */
export class ReceivedEvent implements Received<string, unknown> {
  readonly #texts: TextOf;
  #json: { readonly value: unknown } | undefined;

  constructor(
    readonly type: string,
    readonly text: string,
    readonly lastEventId: string,
    readonly topic: string | undefined,
    texts: TextOf,
  ) {
    this.#texts = texts;
  }

  get data(): unknown {
    const isText = !this.#texts || (this.#texts.includes(this.type) && !this.type.startsWith(CONTROL));
    return isText ? this.text : this.json();
  }

  json<T>(): T {
    this.#json ??= { value: JSON.parse(this.text) };
    return this.#json.value as T;
  }
}
