// Mistakes of set-up that are told: see list.mjs.

const setUp = 'test/e2e/module.spec.ts';
const refusals = 'test/e2e/refusals.spec.ts';
const drivers = 'test/engines/missing-driver.spec.ts';

export const settingUp = [
  {
    name: 'a second module in one application is refused',
    file: 'src/nest/sse.module.ts',
    find: 'if (count === 1) return;',
    replace: 'if (count > 0) return;',
    spec: setUp,
    test: 'is refused at the start: each would have a log',
  },
  {
    name: 'an engine in shared options works for each application in turn',
    file: 'src/nest/sse.module.ts',
    find: 'return engine.open === undefined ? options :',
    replace: 'return true ? options :',
    spec: setUp,
    test: 'works for the (first|second) in turn',
  },
  {
    name: 'an application closes its own engine, not that of another',
    file: 'src/engine/reopenable.ts',
    find: 'if (this.#isTaken) this.#newest = this.#create();',
    replace: '',
    spec: setUp,
    test: 'works for two at once',
  },
  {
    name: 'a closed engine is refused at the start',
    file: 'src/nest/check-engine.ts',
    find: "if (problem.code !== 'closed') return;",
    replace: 'if (true) return;',
    spec: setUp,
    test: 'an engine without open',
  },
  {
    name: 'an application without its driver does not start',
    file: 'src/engine/reopenable.ts',
    find: 'await this.#load();',
    replace: '',
    spec: drivers,
    test: 'when the driver is missing',
  },
  {
    name: 'a driver that does not load is told from one that is missing',
    file: 'src/redis/load.ts',
    find: "typeof (loaded as Record<string, unknown>)[maker] !== 'function') throw unusable();",
    replace: 'false) throw unusable();',
    spec: drivers,
    test: 'when the driver is too old',
  },
  {
    name: 'better-sqlite3 that was compiled for another Node is found out at the start',
    file: 'src/sqlite/driver.ts',
    find: "new driver(':memory:').close();",
    replace: '',
    spec: drivers,
    test: 'when the driver is too old',
  },
  {
    name: 'each refusal is told',
    file: 'src/nest/authorizer.ts',
    find: 'this.#refusals.ofTopics(reader, [selector], rule);',
    replace: '',
    spec: refusals,
    test: 'on Express each refusal is told',
  },
  {
    name: 'a route without StreamGuard is warned of',
    file: 'src/nest/refusals.ts',
    find: 'if (principal === null && request !== undefined && !(ASKED in request)) this.#warn(request);',
    replace: '',
    spec: refusals,
    test: "a route with a guard of the application's alone",
  },
  {
    name: 'a route is warned of once',
    file: 'src/nest/refusals.ts',
    find: 'this.#warned.add(route);',
    replace: '',
    spec: refusals,
    test: "a route with a guard of the application's alone",
  },
  {
    name: 'the hub route is not warned of',
    file: 'src/nest/stream.guard.ts',
    find: 'if ((await identify(request, this.#runtime)) !== undefined) markAsked(request);',
    replace: 'await identify(request, this.#runtime);',
    spec: refusals,
    test: 'the hub route, which asks for itself',
  },
];
