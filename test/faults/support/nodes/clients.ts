import { setTimeout as delay } from 'node:timers/promises';
import { Child } from './child.js';
import type { ClientsFunctions } from './clients-main.js';
import { type Log, placeOf } from './log.js';
import { selects } from './verify.js';

export interface ClientOptions {
  readonly path: string;
  readonly seed: number;
}

export interface ReceivedReset {
  readonly reason: string;
  readonly topics: readonly string[];
  /** How many events had come before it. */
  readonly after: number;
  /** Whether no place had been told before it. */
  readonly isFirst: boolean;
}

/** All that a client was given. */
export interface ClientReport {
  /** The id that it was told first. */
  readonly start: string;
  /** The epochs of the events, one each time that it was another one than before. */
  readonly epochs: readonly string[];
  /** Of each event: which of `epochs`, sequence, time, publisher and number. */
  readonly record: Float64Array;
  readonly resets: readonly ReceivedReset[];
  readonly problems: readonly string[];
  readonly figures: Readonly<Record<'connections' | 'hops' | 'cutsInFrame' | 'pauses' | 'refused', number>>;
}

export interface Progress {
  readonly start: string;
  readonly lastEventId: string;
}

const DEADLINE_MS = 30_000;

/** Clients in a process of their own, each with a selection of topics; to be held with `await using`. */
export class Clients {
  readonly selections: readonly (readonly string[])[];
  readonly #child = new Child<ClientsFunctions>('test/faults/support/nodes/clients-main.ts');

  private constructor(selections: readonly (readonly string[])[]) {
    this.selections = selections;
  }

  /** Nobody is connected yet. */
  static async start(selections: readonly (readonly string[])[], seed: number): Promise<Clients> {
    const clients = new Clients(selections);
    const options = selections.map((selectors, n) => ({ path: pathOf(selectors), seed: seed + n }));
    await clients.#child.call('create', options);
    return clients;
  }

  get all(): number[] {
    return [...this.selections.keys()];
  }

  /** Where the nodes are from now on. */
  async find(ports: readonly number[]): Promise<void> {
    await this.#child.call('find', ports);
  }

  async open(which = this.all): Promise<void> {
    await this.#child.call('open', which);
  }

  /** Ends their streams, until they are opened again. */
  async leave(which: readonly number[]): Promise<void> {
    await this.#child.call('leave', which);
  }

  /** From now on nobody is cut, and everybody stays. */
  async calm(): Promise<void> {
    await this.#child.call('calm');
  }

  /** Waits until all have been told where they begin. */
  async begun(): Promise<void> {
    for (const deadline = performance.now() + DEADLINE_MS; ; await delay(10)) {
      if ((await this.#child.call('progress')).every(({ start }) => start !== '')) return;
      if (performance.now() > deadline) throw new Error('Waited for all clients to begin');
    }
  }

  /** Waits until these have all that a log has of their topics; tells of those that do not come to that. */
  async caughtUp({ entries }: Log, which = this.all): Promise<string[]> {
    const goals = this.selections.map((selectors) => entries.findLast(({ topic }) => selects(selectors, topic))?.id);
    for (const deadline = performance.now() + DEADLINE_MS; ; await delay(20)) {
      const progress = await this.#child.call('progress');
      const late = which.filter((n) => !isAt(progress[n]!.lastEventId, goals[n]));
      if (late.length === 0) return [];
      if (performance.now() > deadline)
        return late.map((n) => `${this.nameOf(n)} is at ${progress[n]!.lastEventId}, not at ${goals[n]}`);
    }
  }

  nameOf(n: number): string {
    return `client ${n} (${this.selections[n]!.join(' ')})`;
  }

  async reports(): Promise<ClientReport[]> {
    return Promise.all(this.all.map((n) => this.#child.call('report', n)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** Several topics come by the ready-made route, too. */
function pathOf(selectors: readonly string[]): string {
  const route = selectors.length > 1 ? 'events' : 'topics';
  return `/${route}?${selectors.map((each) => `topic=${each}`).join('&')}`;
}

/** Whether a place is that of the goal, or after it. */
function isAt(id: string, goal: string | undefined): boolean {
  if (goal === undefined) return true;
  const [place, wanted] = [placeOf(id), placeOf(goal)];
  return place.epoch === wanted.epoch && place.seq >= wanted.seq && place.at >= wanted.at;
}
