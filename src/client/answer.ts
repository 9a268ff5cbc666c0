import { retryAfterMs } from './retries.js';
import type { StreamOptions } from './options.js';
import type { Outcome } from './outcome.js';
import { StreamError } from './state.js';

/** What becomes of an answer that is no stream; `undefined` when it is one. @param canRepeat whether the same may be asked again; @param canAskAgain whether another token can be had */
export function judge(
  response: Response,
  retryOn: StreamOptions['retryOn'],
  canRepeat: boolean,
  canAskAgain: boolean,
): Outcome | undefined {
  const { status, headers, body } = response;
  if (status === 204) return { closes: 'complete', status };
  const wish = status !== 200 && retryOn?.({ status, response });
  if (typeof wish === 'number') return { reason: 'status', status, exactMs: wish };
  // For now.
  if (wish || (wish == null && canRepeat && /^(408|425|429|5(?!01|05)..)$/.test(`${status}`)))
    return { reason: 'status', status, leastMs: retryAfterMs(headers.get('retry-after')) };
  if (status === 401 && canAskAgain && wish == null) return { reason: 'unauthorized', status, isAgain: true };
  const type = headers.get('content-type') ?? 'nothing';
  const problem =
    status !== 200
      ? (['status', status] as const)
      : /^text\/event-stream\s*(;|$)/i.test(type)
        ? body
          ? undefined
          : (['no-body', 'no body to be read; React Native needs the fetch of expo/fetch'] as const)
        : (['content-type', type] as const);
  return (
    problem && {
      closes: 'refused',
      status,
      error: new StreamError(problem[0], `The answer was ${problem[1]}`, response),
    }
  );
}
