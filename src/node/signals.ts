import type { ConnectionSignals } from '../connection/signals.js';
import type { HubSignals } from '../hub/signals.js';

/** All that can be heard of in a process, by kind. */
export interface NodeSignals extends HubSignals, ConnectionSignals {}
