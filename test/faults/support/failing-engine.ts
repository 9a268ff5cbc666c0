import type { AppendRequest, ReadPage, ReadRequest } from '../../../src/engine/engine.js';
import { SseError } from '../../../src/errors.js';
import type { Position } from '../../../src/topic/position.js';
import type { Random } from './random.mjs';
import { ShakyEngine } from './shaky-engine.js';
import type { SharedLog } from './shaky-engine.js';

/** A node's view of a shared log whose appends fail, and which can be cut off from it, as one that stands still is. */
export class FailingEngine extends ShakyEngine {
  /** How often an append is not stored, or nobody can tell. */
  trouble = { failed: 0, uncertain: 0 };
  readonly #random: Random;
  #passage: Promise<void> = Promise.resolve();
  #open: (() => void) | undefined;
  /** Appends are taken in the order of their calls. */
  #turn: Promise<unknown> = Promise.resolve();
  /** What may yet be stored of appends that were given up. */
  #late: (() => void) | undefined;

  constructor(log: SharedLog, random: Random) {
    super(log, random);
    this.#random = random;
  }

  get isFrozen(): boolean {
    return this.#open !== undefined;
  }

  /** From now on no call is carried out, and none that was is answered. */
  freeze(): void {
    if (this.isFrozen) return;
    this.#passage = new Promise((resolve) => (this.#open = resolve));
    this.break();
  }

  thaw(): void {
    this.#open?.();
    this.#open = undefined;
    this.restore();
  }

  override append(request: AppendRequest): Promise<Position> {
    const turn = this.#turn.then(() => this.#append(request));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  override async read(request: ReadRequest): Promise<ReadPage> {
    await this.#passage;
    const page = await super.read(request);
    await this.#passage;
    return page;
  }

  async #append(request: AppendRequest): Promise<Position> {
    for (let turns = this.#random.int(0, 3); turns > 0; turns--) await new Promise(setImmediate);
    await this.#passage;
    // What was given up before is stored before anything that follows, or never.
    this.#late?.();
    this.#late = undefined;
    const { failed, uncertain } = this.trouble;
    if (this.#random.chance(failed)) throw new SseError('engine-failed', 'not stored');
    if (this.#random.chance(uncertain)) {
      const fate = this.#random.pick(['stored', 'late', 'never']);
      if (fate === 'stored') await super.append(request);
      if (fate === 'late') this.#late = () => void super.append(request);
      throw new SseError('engine-uncertain', 'stored or not');
    }
    const position = await super.append(request);
    await this.#passage;
    return position;
  }
}
