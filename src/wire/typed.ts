/** Data as it is after its way through JSON: what a client gets of what was published. A `Date` arrives as a string, a `Uint8Array` as base64. */
export type Jsonify<T> = unknown extends T
  ? T
  : T extends { toJSON(): infer Json }
    ? Jsonify<Json>
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends Uint8Array
        ? string
        : T extends bigint | symbol | ((...args: never[]) => unknown)
          ? never
          : T extends readonly unknown[]
            ? { [Index in keyof T]: Jsonify<T[Index]> }
            : {
                [Key in keyof T as T[Key] extends symbol | ((...args: never[]) => unknown) ? never : Key]: Jsonify<
                  T[Key]
                >;
              };

/**
 * The events of a topic's definition, as data by type: for a client that imports the definition by `import type`, of which nothing is left
 * when it is compiled.
 *
 * @example
 * ```ts
 * import type { ticks } from '../server/topics';
 * openStream<EventsOf<typeof ticks>>('/stocks/AAPL', { text: [] });
 * ```
 */
export type EventsOf<Definition extends { readonly events: object | undefined }> = {
  [Type in keyof NonNullable<Definition['events']> & string]: OutputOf<NonNullable<Definition['events']>[Type]>;
};

/** Of a Standard Schema. */
type OutputOf<Schema> = Schema extends {
  readonly '~standard': { readonly types?: { readonly output: infer Output } | undefined };
}
  ? Output
  : never;
