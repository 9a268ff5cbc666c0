import { type Engine } from 'nestjs-event-stream';
import { natsEngine } from 'nestjs-event-stream/nats';
import { postgresEngine } from 'nestjs-event-stream/postgres';
import { redisEngine } from 'nestjs-event-stream/redis';

/** An application has one of these lines, and installs the driver that it needs: this one shows all. */
export function engineAt(url = 'redis://127.0.0.1:6379'): Engine {
  switch (new URL(url).protocol) {
    case 'redis:':
    case 'rediss:':
      return redisEngine({ url });
    case 'postgres:':
    case 'postgresql:':
      return postgresEngine({ connectionString: url });
    case 'nats:':
      return natsEngine({ servers: url });
    default:
      throw new Error(`ENGINE_URL must begin with redis:, postgres: or nats:, got ${new URL(url).protocol}`);
  }
}
