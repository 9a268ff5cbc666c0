import type { WireProfile } from '../wire/profile.js';
import { unnamed } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';

const SHARED = make(tellNothing);

/**
 * The events of AG-UI, from `RUN_STARTED` to `RUN_FINISHED`, each an unnamed event. A stream that ends otherwise ends with `RUN_ERROR`. Who
 * asks for JSON gets an array of them.
 *
 * @throws SseError `invalid-options`
 */
export function agUi(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('agUi()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'agUi',
    encode: unnamed,
    error: (failure) => [{ data: { type: 'RUN_ERROR', message: tell(failure), code: failure.code } }],
  });
}
