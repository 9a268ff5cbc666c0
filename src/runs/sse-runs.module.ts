import { ConfigurableModuleBuilder, Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { resolveRunsOptions } from './options.js';
import type { SseRunsModuleOptions } from './options.js';
import { RunService } from './run.service.js';
import { GIVEN_RUNS_OPTIONS, RUNS_OPTIONS } from './tokens.js';

/** What Nest must know before the options of `forRootAsync` are made. */
export interface SseRunsModuleExtras {
  /**
   * Whether other modules can use this one without importing it.
   *
   * @default true
   */
  readonly isGlobal?: boolean | undefined;
}

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<SseRunsModuleOptions>({
  optionsInjectionToken: GIVEN_RUNS_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setExtras<SseRunsModuleExtras>({ isGlobal: true }, (definition) => definition)
  .build();

type RootOptions = SseRunsModuleOptions & SseRunsModuleExtras;
type AsyncOptions = Parameters<typeof ConfigurableModuleClass.forRootAsync>[0] & SseRunsModuleExtras;

/** Runs: work that one request starts, and that whoever may can watch, leave, come back to, and stop. Stands beside `SseModule`. */
@Module({})
export class SseRunsModule {
  /** Every option has a default. */
  static forRoot(options: RootOptions = {}): DynamicModule {
    const { isGlobal = true, ...own } = options;
    resolveRunsOptions(own);
    return compose({ module: SseRunsModule, providers: [{ provide: GIVEN_RUNS_OPTIONS, useValue: own }] }, isGlobal);
  }

  /** The options from a factory or a class. */
  static forRootAsync(options: AsyncOptions): DynamicModule {
    const { isGlobal = true, ...factory } = options;
    return compose({ ...ConfigurableModuleClass.forRootAsync(factory), module: SseRunsModule }, isGlobal ?? true);
  }
}

function compose(base: DynamicModule, isGlobal: boolean): DynamicModule {
  return {
    ...base,
    global: isGlobal,
    providers: [
      ...(base.providers ?? []),
      { provide: RUNS_OPTIONS, inject: [GIVEN_RUNS_OPTIONS], useFactory: resolveRunsOptions },
      RunService,
    ],
    exports: [RunService],
  };
}
