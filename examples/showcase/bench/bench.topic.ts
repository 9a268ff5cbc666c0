import { defineTopic, type } from 'nestjs-event-stream';

/** One topic for each open page, so that its numbers start at 1. */
export const benchTopic = defineTopic('bench/:page', { events: { number: type<{ n: number }>() } });
