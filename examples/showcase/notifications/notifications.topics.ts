import { defineTopic, type } from 'nestjs-event-stream';

export interface Notification {
  text: string;
  /** When it was sent, in ms since 1970. */
  at: number;
}

export const inboxTopic = defineTopic('inbox/:user', {
  events: { mention: type<Notification>(), reminder: type<Notification>() },
});

export const everyoneTopic = defineTopic('everyone', { events: { announcement: type<Notification>() } });
