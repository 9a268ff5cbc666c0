import { Body, Controller, Post, Query } from '@nestjs/common';
import { EventStreamService, InjectTopic, SseStream, type Selection, type TopicFamily } from 'nestjs-event-stream';
import { fieldsOf, nameOf, oneOf, textOf } from '../validate.js';
import { everyoneTopic, inboxTopic } from './notifications.topics.js';

@Controller('api/notifications')
export class NotificationsController {
  constructor(
    private readonly streams: EventStreamService,
    @InjectTopic(inboxTopic) private readonly inbox: TopicFamily<typeof inboxTopic>,
    @InjectTopic(everyoneTopic) private readonly everyone: TopicFamily<typeof everyoneTopic>,
  ) {}

  /** Two topics in one stream; one id resumes them both. */
  @SseStream()
  watch(@Query('user', { transform: userOf }) user: string): Selection {
    return this.streams.topics(this.inbox({ user }), this.everyone());
  }

  @Post()
  send(@Body({ transform: letterOf }) letter: Letter): Promise<{ id: string }> {
    const data = { text: letter.text, at: Date.now() };
    return letter.type === 'announcement'
      ? this.everyone().publish({ type: letter.type, data })
      : this.inbox({ user: letter.to }).publish({ type: letter.type, data });
  }
}

type Letter = { text: string } & ({ type: 'announcement' } | { type: 'mention' | 'reminder'; to: string });

function letterOf(body: unknown): Letter {
  const fields = fieldsOf(body);
  const type = oneOf(fields.type, 'type', ['mention', 'reminder', 'announcement']);
  const text = textOf(fields.text, 'text', 500);
  return type === 'announcement' ? { type, text } : { type, to: nameOf(fields.to, 'to'), text };
}

/** For the demo anyone may be anyone. A real app takes the user from its session, in a guard. */
function userOf(user: unknown): string {
  return nameOf(user, 'user');
}
