import { ConfigurableModuleBuilder, Inject, Module, Optional } from '@nestjs/common';
import type { DynamicModule, Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { SseError } from '../errors.js';
import { Node } from '../node/node.js';
import type { TopicDefinition } from '../topic/define.js';
import { AppServer } from './app-server.js';
import { Callbacks } from './callbacks.js';
import { DirectRoutes } from './direct-routes.js';
import { EventStreamService } from './event-stream.service.js';
import { FailureFilters } from './failure-filters.js';
import { SseHealthIndicator } from './health.indicator.js';
import { createHubController } from './hub.controller.js';
import { Lifecycle } from './lifecycle.js';
import { Reception } from './reception.js';
import { resolveOptions } from './resolve-options.js';
import type { ResolvedOptions } from './resolve-options.js';
import type { HubRouteOptions, SseModuleOptions } from './sse-options.js';
import { SseSignals } from './sse-signals.js';
import { StreamRoutes } from './stream-route.js';
import { StreamGuard } from './stream.guard.js';
import { RESOLVED_OPTIONS, SSE_OPTIONS, getTopicToken } from './tokens.js';
import { createTopicFamily } from './topic-family.js';

/** What Nest must know before the options of `forRootAsync` are made. */
export interface SseModuleExtras {
  /**
   * Whether other modules can use this one without importing it.
   *
   * @default true
   */
  readonly isGlobal?: boolean | undefined;
  /** The ready-made route, see `SseModuleOptions.hub`. Beside `useFactory`, because routes are made before options are. */
  readonly hub?: HubRouteOptions | undefined;
  /** Topic definitions, see `SseModuleOptions.topics`. Beside `useFactory`, so that `@InjectTopic()` knows them. */
  readonly topics?: readonly TopicDefinition[] | undefined;
}

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<SseModuleOptions>({
  optionsInjectionToken: SSE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setExtras<SseModuleExtras>({ isGlobal: true }, (definition) => definition)
  .build();

type RootOptions = SseModuleOptions & Pick<SseModuleExtras, 'isGlobal'>;
type AsyncOptions = Parameters<typeof ConfigurableModuleClass.forRootAsync>[0] & SseModuleExtras;

/** Server-Sent Events: live topics with exact resume, and routes that stream. */
@Module({})
export class SseModule {
  readonly #directRoutes: DirectRoutes | undefined;

  /** @internal Without providers when a module imports it by its bare name. */
  constructor(@Optional() @Inject(DirectRoutes) directRoutes?: DirectRoutes) {
    this.#directRoutes = directRoutes;
  }

  /** @internal Nest calls it, for middleware, right before it makes the routes of all modules. */
  configure(): void {
    this.#directRoutes?.find();
  }

  /** Every option has a default: `SseModule.forRoot()` keeps events in this process. */
  static forRoot(options: RootOptions = {}): DynamicModule {
    const { isGlobal = true, ...own } = options;
    resolveOptions(own);
    return compose(
      { module: SseModule, providers: [{ provide: SSE_OPTIONS, useValue: own }] },
      { isGlobal, hub: own.hub, topics: own.topics },
    );
  }

  /** The options from a factory or a class. `hub` and `topics` are given here, beside it. */
  static forRootAsync(options: AsyncOptions): DynamicModule {
    const { isGlobal = true, hub, topics, ...factory } = options;
    const made = ConfigurableModuleClass.forRootAsync(factory);
    return compose({ ...made, module: SseModule }, { isGlobal, hub, topics });
  }

  /** Makes the topics of these definitions injectable with `@InjectTopic()`. Needs the global module that `forRoot` makes. */
  static forFeature(definitions: readonly TopicDefinition[]): DynamicModule {
    const families = familiesOf(definitions);
    return { module: SseFeatureModule, providers: families, exports: families };
  }
}

/** What users inject. */
const PROVIDED = [EventStreamService, StreamGuard, SseHealthIndicator, SseSignals];

/** Holds what `SseModule.forFeature()` provides. */
@Module({})
export class SseFeatureModule {}

function compose(base: DynamicModule, { isGlobal, hub, topics = [] }: SseModuleExtras): DynamicModule {
  const families = familiesOf(topics);
  return {
    ...base,
    global: isGlobal ?? true,
    controllers: hub === undefined ? [] : [createHubController(hub.path)],
    providers: [
      ...(base.providers ?? []),
      {
        provide: RESOLVED_OPTIONS,
        inject: [SSE_OPTIONS, ModulesContainer],
        useFactory: (options: SseModuleOptions, modules: ModulesContainer) => {
          checkAlone(modules);
          return openEngine(resolveAll(options, hub, topics));
        },
      },
      AppServer,
      {
        provide: Callbacks,
        inject: [RESOLVED_OPTIONS],
        useFactory: (options: ResolvedOptions) => new Callbacks(options),
      },
      {
        provide: Node,
        inject: [RESOLVED_OPTIONS, Callbacks],
        useFactory: createNode,
      },
      Lifecycle,
      DirectRoutes,
      FailureFilters,
      Reception,
      StreamRoutes,
      ...PROVIDED,
      ...families,
    ],
    exports: [RESOLVED_OPTIONS, Node, Reception, StreamRoutes, ...PROVIDED, ...families],
  };
}

function createNode(options: ResolvedOptions, callbacks: Callbacks): Node {
  const isHeard = Object.keys(options.hooks).length > 0;
  const node = new Node({ ...options, isHeard }, callbacks);
  callbacks.listen(node.signals);
  return node;
}

/**
 * Refuses a second module in one application: what is published to the log of the one reaches nobody who streams from the
 * other. Found by the token, which other loaded copies of this package have as well.
 */
function checkAlone(modules: ModulesContainer): void {
  const count = [...modules.values()].filter(({ providers }) => providers.has(RESOLVED_OPTIONS)).length;
  if (count === 1) return;
  throw new SseError(
    'invalid-options',
    `SseModule: forRoot() or forRootAsync() is imported ${count} times in this application, and each would have a log of its own. ` +
      'Import it once, in the root module: it is global. With `isGlobal: false`, keep what forRoot() returns in a constant ' +
      'and import that where it is needed, or import it in one module that exports SseModule. For topics there is forFeature().',
  );
}

/** The application's own engine, in place of that which was given for all that are made of these options. */
async function openEngine(options: ResolvedOptions): Promise<ResolvedOptions> {
  const { engine } = options;
  return engine.open === undefined ? options : { ...options, engine: await engine.open() };
}

function resolveAll(
  options: SseModuleOptions,
  hub: HubRouteOptions | undefined,
  topics: readonly TopicDefinition[],
): ResolvedOptions {
  if (options?.hub !== undefined && hub === undefined) {
    throw new SseError(
      'invalid-options',
      'SseModule: with forRootAsync, `hub` must stand beside useFactory: routes are made before it runs',
    );
  }
  const given = options?.topics ?? [];
  return resolveOptions({
    ...options,
    hub,
    topics: Array.isArray(given) ? [...(given as readonly TopicDefinition[]), ...topics] : given,
  });
}

function familiesOf(definitions: readonly TopicDefinition[]): Provider[] {
  return [...new Set(definitions)].map((definition) => ({
    provide: getTopicToken(definition),
    inject: [Node],
    useFactory: (node: Node) => {
      node.registry.add(definition);
      return createTopicFamily(node, definition);
    },
  }));
}
