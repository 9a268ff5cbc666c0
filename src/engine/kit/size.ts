import { SseError } from '../../errors.js';
import type { AppendRequest } from '../engine.js';

/**
 * To be asked before anything of an event is sent or stored: what is too large is the publisher's mistake, and says nothing of the engine.
 *
 * @throws SseError `invalid-event`
 */
export function checkSize(engine: string, { data }: AppendRequest, maxEventBytes: number): void {
  if (data.byteLength <= maxEventBytes) return;
  throw new SseError(
    'invalid-event',
    `The ${engine} engine takes events of at most ${maxEventBytes} bytes; this one has ${data.byteLength}`,
  );
}
