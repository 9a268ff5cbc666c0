import { EVERY_TOPIC } from '../engine/engine.js';
import { Interest } from '../engine/kit/interest.js';

/** With more topics, everything is fetched and sorted out here: the list would be sent with each question. */
const MAX_NAMES = 500;

/** Which topics this process wants to hear of, as the statements take them. */
export class ListedInterest extends Interest {
  #names: string | null | undefined;

  /** As a parameter of the type `text[]`: `null` stands for all. It is written once, as it is sent with each question. */
  get names(): string | null {
    const isUnlisted = this.topics.has(EVERY_TOPIC) || this.topics.size > MAX_NAMES;
    return (this.#names ??= isUnlisted ? null : toArray(this.topics));
  }

  protected override changed(): void {
    this.#names = undefined;
  }
}

export function toArray(names: Iterable<string>): string {
  return `{${Array.from(names, (name) => `"${name.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}
