import { apart } from '../engine/apart.js';
import { PULSE_MS, StandStill } from './stand-still.js';

/** Something that wants to be woken. Belongs to at most one slot of one wheel. */
export interface WheelTask {
  /** The slot it waits in; the wheel's own note. */
  slot: number | undefined;
  /** Whether it may end something because of what a client has not done. Never changes. */
  readonly isOfClient?: boolean;
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
  readonly #standStill = new StandStill();
  #timer: NodeJS.Timeout | undefined;
  #armed = Infinity;
  /** How many tasks of clients wait. */
  #ofClients = 0;

  /** Wakes a task after `delayMs`, instead of whenever it was to be woken before. */
  schedule(task: WheelTask, delayMs: number): void {
    this.cancel(task);
    const slot = Math.ceil((performance.now() + delayMs) / SLOT_MS);
    let tasks = this.#slots.get(slot);
    if (tasks === undefined) this.#slots.set(slot, (tasks = new Set()));
    tasks.add(task);
    task.slot = slot;
    const isFirst = task.isOfClient === true && this.#ofClients++ === 0;
    if (isFirst) this.#standStill.begin(performance.now());
    if (slot < this.#armed) this.#arm(slot);
    else if (isFirst && this.#armed !== -Infinity) this.#arm(this.#armed);
  }

  cancel(task: WheelTask): void {
    if (task.slot === undefined) return;
    const tasks = this.#slots.get(task.slot);
    tasks?.delete(task);
    if (tasks?.size === 0) this.#slots.delete(task.slot);
    this.#leave(task);
    if (this.#slots.size === 0) this.close();
  }

  /** How long this process has stood still since then, in ms: that a client did nothing meanwhile is not known. */
  stoodStillMs(sinceMs: number): number {
    return this.#standStill.msSince(sinceMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#slots.clear();
    this.#ofClients = 0;
    this.#armed = Infinity;
  }

  #leave(task: WheelTask): void {
    task.slot = undefined;
    if (task.isOfClient === true) this.#ofClients--;
  }

  #arm(slot: number): void {
    clearTimeout(this.#timer);
    this.#armed = slot;
    // While the tasks of one slot were woken, the time of the next may have passed: of that Node 24 warns.
    const leftMs = Math.max(0, slot * SLOT_MS - performance.now());
    const mostMs = this.#ofClients > 0 ? PULSE_MS : MAX_TIMER_MS;
    this.#timer = apart(() => setTimeout(this.#turn, Math.min(leftMs, mostMs)).unref());
  }

  readonly #turn = (): void => {
    const now = performance.now();
    if (this.#ofClients === 0 || !this.#standStill.look(now)) {
      return this.#armed * SLOT_MS > now ? this.#arm(this.#armed) : this.#wake();
    }
    // What clients have taken meanwhile is heard of first; what the second of these turns brings was put off by one in between.
    this.#armed = -Infinity;
    apart(() => setImmediate(() => setImmediate(this.#wake)));
  };

  readonly #wake = (): void => {
    this.#armed = Infinity;
    const now = performance.now();
    const due = [...this.#slots.keys()].filter((slot) => slot * SLOT_MS <= now).sort((a, b) => a - b);
    for (const slot of due) {
      const tasks = this.#slots.get(slot) ?? [];
      this.#slots.delete(slot);
      for (const task of tasks) {
        // A task before it may have cancelled it, or put it off.
        if (task.slot !== slot) continue;
        this.#leave(task);
        task.onTime(now);
      }
    }
    if (this.#slots.size > 0) this.#arm(Math.min(...this.#slots.keys()));
  };
}
