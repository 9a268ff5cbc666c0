import type { WireProfile } from '../wire/profile.js';
import { completionOf } from './chat-completion.js';
import { DONE, unnamed } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';

const SHARED = make(tellNothing);

/**
 * How OpenAI streams Chat Completions, which many servers and clients speak: an unnamed event for each `chat.completion.chunk`, and
 * `[DONE]` behind the last. Who asks for JSON gets the `chat.completion`.
 *
 * @throws SseError `invalid-options`
 */
export function openaiChat(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('openaiChat()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'openaiChat',
    encode: unnamed,
    // Without it, or an error, its client takes any end for the end of the answer.
    end: ({ reason }) => (reason === 'complete' ? [DONE] : undefined),
    error: (failure) => {
      const { code } = failure;
      return [{ data: { error: { message: tell(failure), type: 'server_error', param: null, code } } }];
    },
    reduce: completionOf,
  });
}
