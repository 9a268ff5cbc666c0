/** Who listens: what the module's `authenticate` returned. */
export interface Principal {
  /** Names the principal wherever it is counted, listed or revoked. */
  readonly id: string;

  /** When it was authenticated, as a date or in ms since 1970: a revocation from before does not concern it. Absent: unknown. */
  readonly issuedAt?: Date | number | undefined;

  /** When its streams end with the reason `expired`: a date, or milliseconds since 1970. Absent: never. */
  readonly expiresAt?: Date | number | undefined;

  /** Whatever else `authorize` wants to know. */
  readonly [claim: string]: unknown;
}
