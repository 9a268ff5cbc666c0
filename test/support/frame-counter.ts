import { type DynamicModule, Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { SseSignals } from 'nestjs-event-stream';

/** The options of {@link FrameCounterModule}. */
export interface FrameCounterOptions {
  /** Streams that end for this reason are not counted. */
  readonly except?: string | undefined;
}

const OPTIONS = Symbol('the options of the frame counter');

/** Counts what has gone out on streams that are over. */
@Injectable()
export class FrameCounter implements OnModuleDestroy {
  streams = 0;
  frames = 0;
  events = 0;
  bytes = 0;
  readonly #leave: () => void;

  constructor(@Inject(SseSignals) signals: SseSignals, @Inject(OPTIONS) { except }: FrameCounterOptions) {
    this.#leave = signals.on('closed', ({ reason, frames, events, bytes }) => {
      if (reason === except) return;
      this.streams++;
      this.frames += frames;
      this.events += events;
      this.bytes += bytes;
    });
  }

  onModuleDestroy(): void {
    this.#leave();
  }
}

/** A room that somebody else builds: a module of its own, with options of its own, on nothing but what the package exports. */
@Module({})
export class FrameCounterModule {
  static forRoot(options: FrameCounterOptions = {}): DynamicModule {
    return {
      module: FrameCounterModule,
      providers: [{ provide: OPTIONS, useValue: options }, FrameCounter],
      exports: [FrameCounter],
    };
  }
}
