import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-event-stream';
import { SseRunsModule } from 'nestjs-event-stream/runs';
import { AnswersModule } from '../showcase/answers/answers.module.js';
import { Counter } from './counter.js';
import { engineAt } from './engine.js';
import { NumbersController } from './numbers.controller.js';

/** The same as for one process, but for the engine: the log is where all processes find it. */
@Module({
  imports: [
    SseModule.forRoot({ engine: engineAt(process.env.ENGINE_URL) }),
    // Who kills a node wants to see soon what has become of its answers. The default waits longer, for a node that only stands still.
    SseRunsModule.forRoot({ leaseMs: 2_000 }),
    AnswersModule,
  ],
  controllers: [NumbersController],
  providers: [Counter],
})
export class AppModule {}
