// What one response may hold of the process, in bytes and in time.

/**
 * What is handed over at once of something large. A client that takes this much in time is alive, however slow its link
 * and however long all of an event takes it.
 */
export const SLICE_BYTES = 65_536;

/**
 * With so much waiting in the process, no more is asked for. Not the socket's own mark, which is four times as high from
 * Node 22 on, for each client that does not read.
 */
export const MAX_WAITING_BYTES = 16_384;

/** What has waited for so long since the last write is not leaving. */
export const QUIET_MS = 1_000;

/** From here on a text is no longer copied into a Buffer of its own. */
export const MIN_TEXT_BYTES = 4_096;

/** What is gathered for one write. */
export const MAX_GATHERED_BYTES = 32_768;

/** What one stream hands over before others have a turn of the event loop. */
export const MAX_TURN_BYTES = 262_144;
