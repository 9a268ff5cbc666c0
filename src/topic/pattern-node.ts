/**
 * One segment in the tree of patterns, with the values of the patterns that end here.
 *
 * Literals and wildcards share one map of children: no literal segment can contain a `*`.
 *
 * @internal
 */
export class PatternNode<T> {
  readonly #children = new Map<string, PatternNode<T>>();
  readonly #values = new Set<T>();
  readonly #repeats: boolean;

  /** @param repeats whether the node is a `**`, which goes on matching further segments */
  constructor(repeats = false) {
    this.#repeats = repeats;
  }

  /** Whether nothing is stored here or below. */
  get isEmpty(): boolean {
    return this.#values.size === 0 && this.#children.size === 0;
  }

  /** Stores a value under the segments of a pattern, and tells whether it is new there. */
  add(pattern: readonly string[], value: T): boolean {
    const node = pattern.reduce<PatternNode<T>>((parent, segment) => parent.#child(segment), this);
    if (node.#values.has(value)) return false;
    node.#values.add(value);
    return true;
  }

  #child(segment: string): PatternNode<T> {
    let child = this.#children.get(segment);
    if (child === undefined) {
      child = new PatternNode(segment === '**');
      this.#children.set(segment, child);
    }
    return child;
  }

  /** Removes a value with the nodes that only it needed, and tells whether it was there. */
  delete(pattern: readonly string[], value: T): boolean {
    const [segment, ...rest] = pattern;
    if (segment === undefined) return this.#values.delete(value);
    const child = this.#children.get(segment);
    if (child === undefined || !child.delete(rest, value)) return false;
    if (child.isEmpty) this.#children.delete(segment);
    return true;
  }

  /**
   * The distinct values of the patterns that match the segments of a name.
   *
   * All places that the name can be at are followed together, segment by segment. Being a set, they are never more than
   * there are nodes, however many ways lead to each, so that no pattern with many `**` can blow up.
   */
  match(name: readonly string[]): T[] {
    const values = new Set<T>();
    for (const place of this.#placesOf(name)) for (const value of place.#values) values.add(value);
    return [...values];
  }

  hasMatch(name: readonly string[]): boolean {
    for (const place of this.#placesOf(name)) if (place.#values.size > 0) return true;
    return false;
  }

  #placesOf(name: readonly string[]): Set<PatternNode<T>> {
    let places = new Set<PatternNode<T>>();
    PatternNode.#enter(this, places);
    for (const segment of name) {
      if (places.size === 0) break;
      const next = new Set<PatternNode<T>>();
      for (const place of places) place.#advance(segment, next);
      places = next;
    }
    return places;
  }

  /** Stands at a node, and at the `**` below it, which may match no segment at all. */
  static #enter<T>(node: PatternNode<T> | undefined, places: Set<PatternNode<T>>): void {
    if (node === undefined || places.has(node)) return;
    places.add(node);
    PatternNode.#enter(node.#children.get('**'), places);
  }

  #advance(segment: string, next: Set<PatternNode<T>>): void {
    if (this.#repeats) PatternNode.#enter(this, next);
    PatternNode.#enter(this.#children.get(segment), next);
    PatternNode.#enter(this.#children.get('*'), next);
  }
}
