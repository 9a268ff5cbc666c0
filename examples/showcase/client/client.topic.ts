import { defineTopic, type } from 'nestjs-event-stream';

/** So many are kept for each visitor: little enough that more can be published at once. */
export const KEPT = 200;

/** One topic for each visitor, so that its numbers start at 1, and nobody disturbs another. */
export const clientTopic = defineTopic('client/:visitor', {
  events: { number: type<{ n: number; at: number }>() },
  history: { maxEvents: KEPT },
});
