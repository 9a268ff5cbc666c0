import { Body, Controller, Get, HttpCode, Param, Post, RequestMethod, UseGuards } from '@nestjs/common';
import { InjectTopic, SseStream, StreamGuard, type Topic, type TopicFamily } from 'nestjs-event-stream';
import { fieldsOf, nameOf, oneOf } from '../validate.js';
import { ClientGuard } from './client.guard.js';
import { ClientService } from './client.service.js';
import { clientTopic } from './client.topic.js';

const DISTURBANCES = [
  'cut',
  'silence',
  'shutdown',
  'lifetime',
  'complete',
  'expire',
  'fail',
  'trim',
  'busy',
  'forbid',
] as const satisfies (keyof ClientService)[];

/** A client is told to come back in a while, and how often it hears something: after three seconds without, nobody is there. */
const SETTINGS = { retryMs: 1_500, heartbeatMs: 1_000 };

/** A stream that its reader may disturb, to see what a client makes of it. */
@Controller('api/client/:visitor')
export class ClientController {
  constructor(
    @InjectTopic(clientTopic) private readonly numbers: TopicFamily<typeof clientTopic>,
    private readonly service: ClientService,
  ) {}

  @SseStream(SETTINGS)
  @UseGuards(ClientGuard, StreamGuard)
  watch(@Param('visitor', { transform: visitorOf }) visitor: string): Topic {
    return this.numbers({ visitor });
  }

  /** The same by `POST`, which may not be sent twice: it says where it goes on when it is cut. */
  @SseStream({ ...SETTINGS, method: RequestMethod.POST, resumeAt: ({ topics }) => `/api/${topics[0]}` })
  @UseGuards(ClientGuard, StreamGuard)
  ask(@Param('visitor', { transform: visitorOf }) visitor: string): Topic {
    return this.numbers({ visitor });
  }

  /** What a page shows before the stream goes on: the last number, and where it is in the stream. */
  @Get('state')
  state(@Param('visitor', { transform: visitorOf }) visitor: string): Promise<{ n: number; lastEventId: string }> {
    return this.service.stateOf(visitor);
  }

  /** For the demo everyone gets one. A real app asks for the session first. */
  @Post('token')
  token(@Param('visitor', { transform: visitorOf }) visitor: string): { token: string } {
    return this.service.newToken(visitor);
  }

  @Post('disturb')
  @HttpCode(204)
  disturb(
    @Param('visitor', { transform: visitorOf }) visitor: string,
    @Body({ transform: disturbanceIn }) how: (typeof DISTURBANCES)[number],
  ): Promise<void> {
    return this.service[how](visitor);
  }
}

function disturbanceIn(body: unknown): (typeof DISTURBANCES)[number] {
  return oneOf(fieldsOf(body).how, 'how', DISTURBANCES);
}

function visitorOf(visitor: unknown): string {
  return nameOf(visitor, 'visitor');
}
