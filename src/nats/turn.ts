import { randomUUID } from 'node:crypto';
import { pause } from '../engine/kit/deadline.js';
import type { NatsLink } from './link.js';

/** How long others have to object. */
const BID_MS = 100;
const BUSY = '!';

/**
 * Has one node at a time make the stream, and tells whether it was this one. nats-server 2.9.10 can grant two creations of
 * one name that meet: one of the two streams is listed, the other is not but acknowledges what it is sent, and nobody can
 * read it. Eight at once met in 208 of 15,839 tries.
 *
 * Whoever wants to says so with a random name. The smallest goes first, and while it does, all others are told to wait.
 */
export async function takeTurn(
  link: NatsLink,
  subject: string,
  deadline: number,
  signal: AbortSignal,
  task: () => Promise<void>,
): Promise<boolean> {
  const own = randomUUID();
  const say = (bid: string): void => link.publish(subject, Buffer.from(bid));
  let isOutbid = false;
  let isBusy = false;
  const subscription = link.subscribe(subject, ({ data }) => {
    const bid = Buffer.from(data).toString();
    if (bid === own || (isBusy && bid === BUSY)) return;
    if (isBusy) say(BUSY);
    else if (bid < own) isOutbid = true;
    else if (!isOutbid) say(own);
  });
  try {
    await link.flush(deadline);
    say(own);
    await pause(BID_MS, signal);
    // When this process was busy, objections may be there and not have been read: first that is done.
    await link.flush(deadline);
    if (isOutbid) return false;
    isBusy = true;
    say(BUSY);
    await task();
    return true;
  } finally {
    subscription?.unsubscribe();
  }
}
