/** `EventSource` of the client stands where that of a browser does. Never run: the compiler is the test. */
import { EventSource, StreamError } from 'nestjs-event-stream/client';

globalThis.EventSource = EventSource;
export const native: globalThis.EventSource = new EventSource('/events', { withCredentials: true });

const source = new EventSource(new URL('http://host.example'), { headers: () => ({ a: 'b' }), retryInterval: 500 });
source.onmessage = (event) => event.data.toUpperCase();
source.onerror = function (event) {
  if (this.readyState === EventSource.CLOSED && event.error instanceof StreamError) return event.status?.toFixed();
  return event.reason?.length;
};
source.addEventListener('price', (event) => event.data.toUpperCase(), { once: true });
source.addEventListener('open', (event) => event.type);
source.addEventListener('message', { handleEvent: (event) => event.type });

export class Own extends EventSource {
  readonly isOpen = this.readyState === this.OPEN;
}

// @ts-expect-error the state is the source's own
source.readyState = 1;
// @ts-expect-error `open` has no data
source.addEventListener('open', (event) => event.data);
// @ts-expect-error all data is text
new EventSource('/events', { text: [] });
// @ts-expect-error a stream that takes snapshots is one of openStream
new EventSource('/events', { snapshot: () => Promise.resolve() });
