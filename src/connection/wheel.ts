import { apart } from '../engine/apart.js';

/** Something that wants to be woken. Belongs to at most one slot of one wheel. */
export interface WheelTask {
  /** The slot it waits in; the wheel's own note. */
  slot: number | undefined;
  /** Its time has come. Must not throw. */
  onTime(nowMs: number): void;
}

const SLOT_MS = 25;
/** Node wakes at once from a longer timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Wakes any number of tasks with one timer: 10,000 connections with a heartbeat cost one, not 10,000. Times are met to
 * 25 ms, late rather than early.
 */
export class Wheel {
  readonly #slots = new Map<number, Set<WheelTask>>();
  #timer: NodeJS.Timeout | undefined;
  #armed = Infinity;

  /** Wakes a task after `delayMs`, instead of whenever it was to be woken before. */
  schedule(task: WheelTask, delayMs: number): void {
    this.cancel(task);
    const slot = Math.ceil((performance.now() + delayMs) / SLOT_MS);
    let tasks = this.#slots.get(slot);
    if (tasks === undefined) this.#slots.set(slot, (tasks = new Set()));
    tasks.add(task);
    task.slot = slot;
    if (slot < this.#armed) this.#arm(slot);
  }

  cancel(task: WheelTask): void {
    if (task.slot === undefined) return;
    const tasks = this.#slots.get(task.slot);
    tasks?.delete(task);
    if (tasks?.size === 0) this.#slots.delete(task.slot);
    task.slot = undefined;
    if (this.#slots.size === 0) this.close();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#slots.clear();
    this.#armed = Infinity;
  }

  #arm(slot: number): void {
    clearTimeout(this.#timer);
    this.#armed = slot;
    // While the tasks of one slot were woken, the time of the next may have passed: of that Node 24 warns.
    const leftMs = Math.max(0, slot * SLOT_MS - performance.now());
    this.#timer = apart(() => setTimeout(this.#turn, Math.min(leftMs, MAX_TIMER_MS)).unref());
  }

  readonly #turn = (): void => {
    this.#armed = Infinity;
    const now = performance.now();
    const due = [...this.#slots.keys()].filter((slot) => slot * SLOT_MS <= now).sort((a, b) => a - b);
    for (const slot of due) {
      const tasks = this.#slots.get(slot) ?? [];
      this.#slots.delete(slot);
      for (const task of tasks) {
        // A task before it may have cancelled it, or put it off.
        if (task.slot !== slot) continue;
        task.slot = undefined;
        task.onTime(now);
      }
    }
    if (this.#slots.size > 0) this.#arm(Math.min(...this.#slots.keys()));
  };
}
