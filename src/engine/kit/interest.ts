import { EVERY_TOPIC } from '../engine.js';

/** Which topics this process wants to hear of. */
export class Interest {
  protected readonly topics = new Set<string>();

  has(topic: string): boolean {
    return this.topics.has(topic) || this.topics.has(EVERY_TOPIC);
  }

  add(topics: readonly string[]): void {
    for (const topic of topics) this.topics.add(topic);
    this.changed();
  }

  delete(topics: readonly string[]): void {
    for (const topic of topics) this.topics.delete(topic);
    this.changed();
  }

  clear(): void {
    this.topics.clear();
    this.changed();
  }

  /** Called after each change, for what is made of the topics. */
  protected changed(): void {
    // Here nothing is.
  }
}
