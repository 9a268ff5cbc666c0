import { defineTopic, type } from 'nestjs-event-stream';

export const answersTopic = defineTopic('answers/:id', {
  events: {
    start: type<{ question: string }>(),
    token: type<string>(),
    done: type<{ reason: 'complete' | 'stopped' }>(),
  },
  // Room for a whole answer: a page that comes back gets all of it, however late.
  history: { maxEvents: 2_000 },
});
