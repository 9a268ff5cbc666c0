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

/** Why events may be missing before the first entry of a page. */
export type HoleReason = 'trimmed' | 'epoch' | 'ahead' | 'diverged' | 'unknown';

/** Why a client cannot have everything that followed its position. */
export type ResetReason = HoleReason | 'skipped';

/** Why the module ended a stream. */
export type EndReason = 'complete' | 'expired' | 'revoked' | 'slow-consumer' | 'lifetime' | 'shutdown' | 'closed';

/** Why a stream is over, also when the module did not end it: the client left, or its source failed. */
export type CloseReason = EndReason | 'disconnected' | 'failed';

/** Why a stream was not opened, though the request was in order. The first three are limits that were reached. */
export type RefusalReason =
  'connections' | 'connectionsPerPrincipal' | 'connectionsPerAddress' | 'expired' | 'shutdown' | 'unavailable';

/** Whether a client should come back after each reason, unless the caller says otherwise. */
export const RECONNECTS: Readonly<Record<EndReason, boolean>> = {
  complete: false,
  expired: true,
  revoked: false,
  'slow-consumer': true,
  lifetime: true,
  shutdown: true,
  closed: false,
};

const HEARTBEAT_WORD = 'heartbeat ';
const TOPIC_WORD = 'topic ';

/** What a comment announces as the period of heartbeats, in ms. */
export function heartbeatOf(comment: string): number | undefined {
  return comment.startsWith(HEARTBEAT_WORD) ? Number(comment.slice(HEARTBEAT_WORD.length)) || undefined : undefined;
}

/** The topic that a comment names, which the event of its block is from. */
export function topicOf(comment: string): string | undefined {
  return comment.startsWith(TOPIC_WORD) ? comment.slice(TOPIC_WORD.length) : undefined;
}
