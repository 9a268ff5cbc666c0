// The words of the protocol, for whoever writes a stream and whoever reads one.

/** The types of the events that say something of the stream itself. */
export const RESET = 'stream.reset';
export const END = 'stream.end';
export const FAILURE = 'stream.error';

/**
 * The id of a last frame that says "do not come back". An `EventSource` reconnects whatever it is told in the stream,
 * and sends this id; the answer is then `204`, which ends it for good (WHATWG HTML 9.2.3).
 */
export const END_ID = 'stream.end';

/** Begins the comment that tells, at the start of a stream, the longest silence between two signs of life, in ms. */
export const HEARTBEAT_PERIOD = 'heartbeat';

/**
 * The period in ms that a comment announces, a whole number above 0 and at most `Number.MAX_SAFE_INTEGER`; `undefined` for any other
 * comment. Who hears nothing for more than that may take the connection for dead.
 *
 * @param comment without the colon and the space before it
 */
export function heartbeatOf(comment: string): number | undefined {
  return Math.min(Number(/^heartbeat (\d+)$/.exec(comment)?.[1]), Number.MAX_SAFE_INTEGER) || undefined;
}

/** Begins the comment that names the topic of an event, where a stream is asked to. */
export const TOPIC_NAME = 'topic';

/**
 * The topic that a comment names; `undefined` for any other comment. It is one of the server's own right behind the `id:` line of its
 * event, and nowhere else: those that follow are the author's of the event.
 *
 * @param comment without the colon and the space before it
 */
export function topicOf(comment: string): string | undefined {
  return /^topic (.+)$/s.exec(comment)?.[1];
}

/** Why events may be missing before the first entry of a page. */
export type HoleReason = 'trimmed' | 'epoch' | 'ahead' | 'diverged' | 'unknown';

/** Why a client cannot have everything that followed its position. */
export type ResetReason = HoleReason | 'skipped';

/** Why the module ended a stream. */
export type EndReason =
  'complete' | 'stopped' | 'expired' | 'revoked' | 'slow-consumer' | 'lifetime' | 'shutdown' | 'closed';

/** Why a stream is over, also when the module did not end it: the client left, or its source failed. */
export type CloseReason = EndReason | 'disconnected' | 'failed';

/** Why a stream was not opened, though the request was in order. The first three are limits that were reached. */
export type RefusalReason =
  'connections' | 'connectionsPerPrincipal' | 'connectionsPerAddress' | 'expired' | 'shutdown' | 'unavailable';

/** Whether a client should come back after each reason, unless the caller says otherwise. */
export const RECONNECTS: Readonly<Record<EndReason, boolean>> = {
  complete: false,
  stopped: false,
  expired: true,
  revoked: false,
  'slow-consumer': true,
  lifetime: true,
  shutdown: true,
  closed: false,
};
