import { setTimeout } from 'node:timers/promises';

/** Stands in for a language model: the same text for every question, in small pieces, 20 to 40 a second. */
export async function* writeAnswer(signal: AbortSignal): AsyncGenerator<string> {
  for (const piece of ANSWER.match(/\s*\S{1,6}/g) ?? []) {
    if (signal.aborted) return;
    yield piece;
    await setTimeout(25 + Math.random() * 25);
  }
}

export const ANSWER = `\
A stream of server-sent events is an ordinary HTTP response that does not end. The browser reads it line by line and hands every finished event to the page. That is simple, and it has one weak point: connections break. A laptop sleeps, a phone walks out of the house, a proxy loses patience, the server is restarted for an update. What happens to the events that were sent while nobody was listening?

The standard answers with a bookmark. Each event may carry an id, and the browser remembers the last one it saw. When the connection drops, EventSource waits for the time the server asked for with "retry", connects again on its own, and puts the bookmark into the request header Last-Event-ID. The page does not have to do anything, and often does not even notice.

The header only says where the reader stopped. Whether anything useful follows is up to the server, and many servers ignore it: they number events anew on every connection, or keep nothing to send again. The line looks healthy, yet it has a hole in it.

This server treats a topic as a log. Publishing appends an event to the log and gives it a position; the id on the wire is that position in text form. An open connection is then a reader standing somewhere in the log. As long as it is at the end, it receives what is new. If it comes back with an older position, it simply starts further back and reads forward until it has caught up. Replay and live delivery are the same movement, so there is no seam between them at which an event could be lost or sent twice.

A log cannot grow for ever, so it keeps a limited number of events for a limited time. When a reader returns after its place was thrown away, silence would be the worst reply. It gets an event called "stream.reset" instead, which says that something is missing and why, and the page can load a fresh state before it reads on.

You can try all this right now. Reload the page while these words are still arriving. The page has kept the id of the last word in its session storage, and asks for the rest from exactly there. The text has been written on in the meantime, so the part you missed appears at once, and the remainder follows at reading speed. Count the words if you like: none is missing, and none is there twice.
`.trimEnd();
