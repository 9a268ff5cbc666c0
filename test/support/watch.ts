import { setFlagsFromString } from 'node:v8';
import { runInNewContext, runInThisContext } from 'node:vm';

/** Jest gives tests a copy of `process` that no event reaches. */
const real = runInThisContext('process') as NodeJS.Process;

export interface Watch extends Disposable {
  /** Warnings of Node, and rejections and exceptions that nobody has handled, since the watch began. */
  readonly seen: readonly string[];
}

/** Notes what Node says of the process as a whole: a listener too many, a promise that nobody looked after. */
export function watchProcess(): Watch {
  const seen: string[] = [];
  const onWarning = (warning: Error): void => {
    if (warning.name !== 'ExperimentalWarning') seen.push(String(warning));
  };
  const onRejection = (reason: unknown): void => void seen.push(`unhandledRejection: ${String(reason)}`);
  const onException = (error: unknown): void => void seen.push(`uncaughtException: ${String(error)}`);
  real.on('uncaughtException', onException);
  real.on('warning', onWarning);
  real.on('unhandledRejection', onRejection);
  return {
    seen,
    [Symbol.dispose]: () => {
      real.off('uncaughtException', onException);
      real.off('warning', onWarning);
      real.off('unhandledRejection', onRejection);
    },
  };
}

/** The bytes of the heap that are reachable. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let n = 0; n < 3; n++) gc();
  return real.memoryUsage().heapUsed;
}
