const TURNS = 3;

/**
 * Calls back when what has arrived has been read. To be called by a timer that says "no answer in time": when this process stood
 * still, or was busy, timers come first, and the answer may wait behind them.
 */
export function afterReading(callback: () => void, turns = TURNS): void {
  setImmediate(() => (turns > 1 ? afterReading(callback, turns - 1) : callback()));
}
