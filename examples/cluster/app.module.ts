import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { Counter } from './counter.js';
import { engineAt } from './engine.js';
import { NumbersController } from './numbers.controller.js';

/** The same as for one process, but for the engine: the log is where all processes find it. */
@Module({
  imports: [SseModule.forRoot({ engine: engineAt(process.env.ENGINE_URL) })],
  controllers: [NumbersController],
  providers: [Counter],
})
export class AppModule {}
