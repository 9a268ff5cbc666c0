import type { Call, Said } from './child.js';

/** Makes this process one that a `Child` can call: a rejection is its answer, too. */
export function answer(functions: Record<string, (...given: never[]) => unknown>): void {
  process.on('message', ({ id, name, given }: Call) => {
    void (async () => {
      try {
        send({ id, value: await (functions[name] as (...all: unknown[]) => unknown)(...given) });
      } catch (error) {
        send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
    })();
  });
  // A parent that is gone cannot end it.
  process.on('disconnect', leave);
}

/** Tells the parent something that it has not asked for. */
export function tell(value: unknown): void {
  send({ id: undefined, value });
}

/** Lets go of the parent: the process ends when nothing else holds it. */
export function letGo(): void {
  process.off('disconnect', leave);
  process.disconnect();
}

function leave(): void {
  process.exit();
}

function send(said: Said): void {
  process.send?.(said);
}
