/** Raised by the functions of the schema when `lane` is empty: somebody has emptied the tables. */
export const LANE_IS_GONE = 'SSE01';
export const EMPTIED = 'the tables of this schema have been emptied';

/** The schema, a table or a function is not there: nobody has made it, or somebody has dropped it. */
const SCHEMA_IS_GONE: ReadonlySet<string> = new Set(['3F000', '42P01', '42883', LANE_IS_GONE]);

/**
 * Of which nothing was stored, and which may go better on another try: a conflict of transactions, a lock that was not had
 * in time, a statement that was cancelled, a server that does not write (any more) or is full.
 */
const TRANSIENT: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '57014', '25006', '53300']);

/** The connection ended, by whomever: 08 connection exception, 57P operator intervention. What it was doing is unknown. */
const CUT = /^(08|57P)/;

/** Why a statement has no result, and what became of it. */
export class Failure extends Error {
  /** Whether it may have been executed all the same. */
  readonly isUncertain: boolean;
  /** Whether another try may go better. */
  readonly isTransient: boolean;
  /** Whether what the engine keeps in the database is not there. */
  readonly isGone: boolean;
  /** Whether the connection is of no use any more. */
  readonly isCut: boolean;

  constructor(cause: unknown, kind: Partial<Omit<Failure, keyof Error>> = {}) {
    super(cause instanceof Error && cause.message !== '' ? cause.message : String(codeOf(cause) ?? cause), { cause });
    this.isUncertain = kind.isUncertain ?? false;
    this.isTransient = kind.isTransient ?? false;
    this.isGone = kind.isGone ?? false;
    this.isCut = kind.isCut ?? false;
  }
}

/** What an error of a connection attempt means: nothing was sent. A wrong password will not become right. */
export function connectFailure(cause: unknown): Failure {
  return new Failure(cause, { isTransient: !/^(28|3D)/.test(sqlState(cause) ?? '') });
}

/** What an error of a statement means that was sent. */
export function statementFailure(cause: unknown): Failure {
  const state = sqlState(cause);
  if (state === undefined || CUT.test(state)) {
    return new Failure(cause, { isUncertain: true, isTransient: true, isCut: true });
  }
  const isTransient = TRANSIENT.has(state);
  return new Failure(cause, { isTransient, isGone: SCHEMA_IS_GONE.has(state), isCut: state === '25006' });
}

/** Five characters, at least one of them a digit: that tells it from `EPIPE`. */
function sqlState(error: unknown): string | undefined {
  const code = codeOf(error);
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
