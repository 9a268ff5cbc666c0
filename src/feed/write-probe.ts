import type { AppendRequest, Engine } from '../engine/engine.js';
import type { OwnTopicName } from '../topic/own-name.js';
import { packEvent } from '../wire/payload.js';

const topic: OwnTopicName = '/probe';
const REQUEST: AppendRequest = {
  topic,
  data: packEvent({ data: null }),
  retention: { maxEvents: 1, maxBytes: 1_024, maxAgeMs: 600_000 },
};

/**
 * Stores what nobody reads, to learn whether the engine stores; rejects when it does not. Twice, and one is kept: a Redis without
 * memory takes the first event of a topic, and one that is forgotten at once.
 */
export async function probeWrites(engine: Engine): Promise<void> {
  await engine.append(REQUEST);
  await engine.append(REQUEST);
}
