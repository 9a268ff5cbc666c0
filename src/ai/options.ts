import { SseError, describe as described } from '../errors.js';
import { anyFunction, checkOptions } from '../rules.js';
import type { Rules } from '../rules.js';
import { unawaited } from '../wire/profile.js';
import type { WireFailure } from '../wire/profile.js';

/** The options of each profile of this entry point. */
export interface WireOptions {
  /**
   * What a client is told of an error that has ended its stream, such as that of a model that is overloaded. Everybody can read it.
   *
   * @default a general sentence that says nothing of the error
   */
  readonly describe?: ((error: unknown) => string) | undefined;
}

/** The sentence that a client is told of a failure. */
export type Tell = (failure: WireFailure) => string;

const RULES: Rules<WireOptions> = { describe: anyFunction };

/** Tells what the failure itself says. */
export const tellNothing: Tell = ({ message }) => message;

/**
 * @param where the profile whose options they are
 * @throws SseError `invalid-options`
 */
export function tellWith(where: string, options: WireOptions): Tell {
  checkOptions(where, options, RULES);
  const { describe } = options;
  if (describe === undefined) return tellNothing;
  return ({ message, error }) => {
    if (error === undefined) return message;
    const text: unknown = unawaited(describe(error));
    if (typeof text === 'string') return text;
    throw new SseError('invalid-event', `${where}: describe() must give a string, got ${described(text)}.`);
  };
}
