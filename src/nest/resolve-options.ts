import type { AccessOptions } from '../access/access.js';
import { ACCESS_RULES, DEFAULT_READER_LIMITS } from '../access/options.js';
import { DEFAULT_SETTINGS, SETTING_RULES, layOver } from '../connection/stream-settings.js';
import type { ResolvedSettings } from '../connection/stream-settings.js';
import { memoryEngine } from '../engine/memory.js';
import type { NodeOptions } from '../node/node.js';
import { DEFAULT_DRAIN, DEFAULT_HISTORY, DEFAULT_STREAM_LIMITS, NODE_RULES } from '../node/options.js';
import type { ErrorContext } from '../node/reporter.js';
import { anyFunction, checkOptions, group, refuse } from '../rules.js';
import type { Rules } from '../rules.js';
import type { HubRouteOptions, SseModuleOptions, StreamHooks } from './sse-options.js';

/** The options after all defaults. */
export interface ResolvedOptions extends AccessOptions, Omit<NodeOptions, 'isHeard'> {
  readonly settings: ResolvedSettings;
  readonly hub: HubRouteOptions | undefined;
  readonly hooks: StreamHooks;
  readonly onError: (error: unknown, context: ErrorContext) => void;
}

const HUB_RULES: Rules<HubRouteOptions> = {
  path: { expected: 'a string', allows: (value) => typeof value === 'string' },
};

const HOOK_RULES: Rules<StreamHooks> = {
  onOpened: anyFunction,
  onClosed: anyFunction,
  onReset: anyFunction,
  onSlow: anyFunction,
  onRefused: anyFunction,
  onEngineState: anyFunction,
};

const RULES: Rules<SseModuleOptions> = {
  ...SETTING_RULES,
  ...ACCESS_RULES,
  ...NODE_RULES,
  hub: group(HUB_RULES),
  hooks: group(HOOK_RULES),
  onError: anyFunction,
};

/**
 * Checks the module's options and fills in the defaults.
 *
 * @throws SseError `invalid-options`, naming the option
 */
export function resolveOptions(options: SseModuleOptions = {}): ResolvedOptions {
  checkOptions('SseModule', options, RULES);
  const { engine = memoryEngine(), history, limits, drain, topics = [], authenticate, authorize } = options;
  const { hub, hooks = {}, onError = () => undefined } = options;
  if (hub !== undefined && hub.path === undefined) refuse('SseModule', 'hub.path must be a string; got undefined');
  if (hub !== undefined && authorize === undefined)
    refuse('SseModule', "authorize must be a function or 'public' when `hub` is set; got undefined");
  const { topicsPerConnection, patternsPerConnection, ...streams } = filled(
    { ...DEFAULT_READER_LIMITS, ...DEFAULT_STREAM_LIMITS },
    limits,
  );
  return {
    engine,
    history: history === false ? false : filled(DEFAULT_HISTORY, history),
    settings: layOver(DEFAULT_SETTINGS, options),
    topicsPerConnection,
    patternsPerConnection,
    limits: streams,
    hooks,
    drain: filled(DEFAULT_DRAIN, drain),
    topics,
    authenticate,
    authorize,
    hub,
    onError,
  };
}

function filled<T extends object>(defaults: T, given: { readonly [Name in keyof T]?: T[Name] | undefined } = {}): T {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...(Object.fromEntries(set) as Partial<T>) };
}
