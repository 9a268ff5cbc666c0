/** The options as they were given to `SseRunsModule`. */
export const GIVEN_RUNS_OPTIONS = Symbol.for('nestjs-event-stream.given-runs-options');

/** The same after all defaults. */
export const RUNS_OPTIONS = Symbol.for('nestjs-event-stream.runs-options');
