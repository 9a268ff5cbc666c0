const table = 'src/runs/run-table.spec.ts';
const file = 'src/runs/run-table.ts';

export const runs = [
  {
    name: 'a run is started only where none is running',
    file,
    find: 'if (before !== undefined && this.#isRunning(before, position.at)) return this.#settle(id, before);',
    replace: '',
    spec: table,
    test: 'gives a start the run that is running',
  },
  {
    name: 'a node that has runs counts as gone only when its lease is over',
    file,
    find: 'if (this.#gone.has(session) || atMs <= (this.#leases.get(session) ?? Infinity)) return;',
    replace: 'if (this.#gone.has(session)) return;',
    spec: table,
    test: 'counts a session as gone only when',
  },
  {
    name: 'a run that has ended is not taken for running by who comes late',
    file,
    find: 'if (this.#gone.has(session) || this.#over.has(id)) return;',
    replace: 'if (this.#gone.has(session)) return;',
    spec: table,
    test: 'sent before its end',
  },
  {
    name: 'a start that was refused is no run for who comes late',
    file,
    find: 'this.#runs.delete(before.id);\n    before.isLost = true;',
    replace: '',
    spec: table,
    test: 'forgets one that was refused',
  },
  {
    name: 'a run goes on as the same when its log is lost',
    file,
    find: 'for (const run of this.#runs.values()) if (run.end === undefined) this.#adrift.set(run.id, run);',
    replace: '',
    spec: table,
    test: 'of a log that was lost',
  },
  {
    name: 'who has lost a run is told by the signal, and has not failed',
    file: 'src/runs/production.ts',
    find: "if (SseError.is(error) && error.code === 'closed') this.abort({ state: 'interrupted', reason: 'lease' });\n      else this.fail(error);",
    replace: 'this.fail(error);',
    spec: 'src/runs/production.spec.ts',
    test: 'was ended elsewhere',
  },
];
