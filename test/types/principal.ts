/** An application can say what its principals have. Never run: the compiler is the test. */
import { SseModule, type SseConnection, defineTopic } from 'nestjs-event-stream';

// Optional, because it holds for all of this project. A consumer has one that is not.
declare module 'nestjs-event-stream' {
  interface Principal {
    readonly plan?: 'free' | 'paid' | undefined;
  }
}

SseModule.forRoot({
  authenticate: () => ({ id: 'ann', plan: 'free' }),
  authorize: (principal) => principal?.plan === 'paid',
});
defineTopic('reports/:of', { authorize: (principal, { of }) => principal?.plan?.length === of.length });
declare const connection: SseConnection;
const plan: 'free' | 'paid' | undefined = connection.principal?.plan;
void plan;
// @ts-expect-error -- there is no such plan
SseModule.forRoot({ authenticate: () => ({ id: 'ann', plan: 'none' }) });
// @ts-expect-error -- there is no such plan
SseModule.forRoot({ authorize: (principal) => principal?.plan === 'none' });
