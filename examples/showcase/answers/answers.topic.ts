import { defineTopic, type } from 'nestjs-event-stream';

export const answersTopic = defineTopic('answers/:id', {
  events: {
    /** Has the id of the answer for its own, so that whoever knows the answer can read it from here. */
    start: type<null>(),
    question: type<string>(),
    token: type<string>(),
    done: type<{ reason: WhyDone }>(),
  },
  // Room for a whole answer, and time to open it elsewhere: a page that comes late gets all of it.
  history: { maxEvents: 2_000, maxAgeMs: 3_600_000 },
});

/** `interrupted`: the server was shut down in the middle. */
export type WhyDone = 'complete' | 'stopped' | 'interrupted';
