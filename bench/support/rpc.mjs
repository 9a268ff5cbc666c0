// Server and clients run in processes of their own, so that neither slows the other one's event loop. The bench itself
// calls their functions by name, over Node's IPC.
import { fork } from 'node:child_process';

/** Starts a module that calls `serve()`. Its functions are then called with `call(name, ...args)`. */
export function start(module, ...args) {
  const child = fork(module, args, { execArgv: ['--expose-gc'] });
  const waiting = new Map();
  let calls = 0;
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${module.pathname} has ended with ${code}`));
  });
  return {
    call: (name, ...given) =>
      new Promise((resolve, reject) => {
        waiting.set(++calls, { resolve, reject });
        child.send({ id: calls, name, given });
      }),
    stop: () => child.kill(),
  };
}

/** Offers functions to the process that has started this one, and ends with it. */
export function serve(functions) {
  process.on('message', async ({ id, name, given }) => {
    try {
      process.send({ id, value: await functions[name](...given) });
    } catch (error) {
      process.send({ id, error: error.stack });
    }
  });
  process.on('disconnect', () => process.exit());
}
