/**
 * One segment in the tree of patterns, with the values of the patterns that end here.
 *
 * Literals and `*` share one map of children: no literal segment can contain a `*`. What follows a `**` is no part of the tree.
 *
 * @internal
 */
export class PatternNode<T> {
  readonly #children = new Map<string, PatternNode<T>>();
  readonly #values = new Set<T>();
  /** What may follow any number of segments from here on, by its last segment (under `*` when that is a wildcard) and its text. */
  #tails: Map<string, Map<string, Tail<T>>> | undefined;

  /** Whether nothing is stored here or below. */
  get isEmpty(): boolean {
    return this.#values.size === 0 && this.#children.size === 0 && this.#tails === undefined;
  }

  /** Stores a value under the segments of a pattern, and tells whether it is new there. */
  add(pattern: readonly string[], value: T): boolean {
    const [segment, ...rest] = pattern;
    const values = segment === undefined ? this.#values : segment === '**' ? this.#tailOf(rest).values : undefined;
    if (values === undefined) return this.#child(segment as string).add(rest, value);
    if (values.has(value)) return false;
    values.add(value);
    return true;
  }

  /** Removes a value with the nodes that only it needed, and tells whether it was there. */
  delete(pattern: readonly string[], value: T): boolean {
    const [segment, ...rest] = pattern;
    if (segment === undefined) return this.#values.delete(value);
    if (segment === '**') return this.#deleteTail(rest, value);
    const child = this.#children.get(segment);
    if (child === undefined || !child.delete(rest, value)) return false;
    if (child.isEmpty) this.#children.delete(segment);
    return true;
  }

  /**
   * The distinct values of the patterns that match the segments of a name.
   *
   * Down to the first `**` each pattern is one place at most, and from there on it is tried once: so no patterns can cost more
   * than their number times their length, whatever they are made of.
   */
  match(name: readonly string[]): T[] {
    return [...new Set(this.#matching(name).flatMap((values) => [...values]))];
  }

  hasMatch(name: readonly string[]): boolean {
    return this.#matching(name).length > 0;
  }

  #matching(name: readonly string[]): ReadonlySet<T>[] {
    const found: ReadonlySet<T>[] = [];
    let places: PatternNode<T>[] = [this];
    for (let at = 0; at <= name.length && places.length > 0; at++) {
      const next: PatternNode<T>[] = [];
      for (const place of places) {
        if (at === name.length && place.#values.size > 0) found.push(place.#values);
        place.#findTails(name, at, found);
        place.#step(name[at], next);
      }
      places = next;
    }
    return found;
  }

  #step(segment: string | undefined, next: PatternNode<T>[]): void {
    if (segment === undefined || this.#children.size === 0) return;
    for (const child of [this.#children.get(segment), this.#children.get('*')]) {
      if (child !== undefined) next.push(child);
    }
  }

  #findTails(name: readonly string[], from: number, found: ReadonlySet<T>[]): void {
    if (this.#tails === undefined) return;
    for (const last of [name[name.length - 1] as string, '*']) {
      for (const { runs, values } of this.#tails.get(last)?.values() ?? []) {
        if (fitsBehind(runs, name, from)) found.push(values);
      }
    }
  }

  #child(segment: string): PatternNode<T> {
    let child = this.#children.get(segment);
    if (child === undefined) this.#children.set(segment, (child = new PatternNode()));
    return child;
  }

  #tailOf(segments: readonly string[]): Tail<T> {
    this.#tails ??= new Map();
    const last = lastOf(segments);
    let tails = this.#tails.get(last);
    if (tails === undefined) this.#tails.set(last, (tails = new Map<string, Tail<T>>()));
    const text = segments.join('/');
    let tail = tails.get(text);
    if (tail === undefined) tails.set(text, (tail = { runs: runsOf(segments), values: new Set() }));
    return tail;
  }

  #deleteTail(segments: readonly string[], value: T): boolean {
    const [last, text] = [lastOf(segments), segments.join('/')];
    const tails = this.#tails?.get(last);
    const tail = tails?.get(text);
    if (tails === undefined || tail === undefined || !tail.values.delete(value)) return false;
    if (tail.values.size === 0) tails.delete(text);
    if (tails.size === 0) this.#tails?.delete(last);
    if (this.#tails?.size === 0) this.#tails = undefined;
    return true;
  }
}

/** What follows a `**`. */
interface Tail<T> {
  /** The segments between one `**` and the next; those of the last run stand at the end of the name. */
  readonly runs: readonly (readonly string[])[];
  readonly values: Set<T>;
}

function lastOf(segments: readonly string[]): string {
  const last = segments[segments.length - 1];
  return last === undefined || last === '**' ? '*' : last;
}

function runsOf(segments: readonly string[]): string[][] {
  const runs: string[][] = [[]];
  for (const segment of segments) {
    if (segment === '**') runs.push([]);
    else runs[runs.length - 1]?.push(segment);
  }
  return runs;
}

/**
 * Tells whether runs fit into a name from a segment on, with any number of segments before each of them. The last one has
 * one place only; each other is best where it fits first.
 */
function fitsBehind(runs: Tail<unknown>['runs'], name: readonly string[], from: number): boolean {
  const last = runs[runs.length - 1] as readonly string[];
  const end = name.length - last.length;
  if (end < from || !fitsAt(last, name, end)) return false;
  let at = from;
  for (const run of runs) {
    if (run === last) return true;
    while (at + run.length <= end && !fitsAt(run, name, at)) at++;
    at += run.length;
    if (at > end) return false;
  }
  return true;
}

function fitsAt(run: readonly string[], name: readonly string[], at: number): boolean {
  return run.every((segment, n) => segment === '*' || segment === name[at + n]);
}
