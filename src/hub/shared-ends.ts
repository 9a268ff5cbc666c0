import type { Engine } from '../engine/engine.js';
import { TELL_RETENTION } from './final-ends.js';
import type { FinalEnd } from './final-ends.js';
import type { Hub } from './hub.js';
import { OwnTopic } from './own-topic.js';

/** Has a process tell the others which topics have ended for good, and hear of theirs. */
export function shareEnds(hub: Hub, engine: Engine): void {
  const onMessage = (end: FinalEnd): void => hub.finalEnds.note(end);
  hub.finalEnds.connect(new OwnTopic<FinalEnd>(hub, engine, { name: '/ends', retention: TELL_RETENTION, onMessage }));
}
