import { retryAfterMs } from './backoff.js';
import type { StreamOptions } from './options.js';
import type { Outcome } from './outcome.js';
import { StreamError } from './state.js';

/** What becomes of an answer that is no stream; `undefined` when it is one. @param canAskAgain whether another token can be had */
export function judge(
  response: Response,
  retryOn: StreamOptions['retryOn'],
  canAskAgain: boolean,
): Outcome | undefined {
  const { status, headers } = response;
  if (status === 204) return { closes: 'complete', status };
  const wish = status === 200 ? undefined : retryOn?.({ status, response });
  const waits = { reason: 'status', status, leastMs: retryAfterMs(headers.get('retry-after')) } as const;
  if (typeof wish === 'number') return { ...waits, leastMs: 0, exactMs: wish };
  if (wish ?? isForNow(status)) return waits;
  if (status === 401 && canAskAgain && wish === undefined) return { reason: 'unauthorized', status, isAgain: true };
  if (status !== 200) return refused('status', `The answer was ${status}`, response);
  const type = headers.get('content-type');
  if (!/^text\/event-stream\s*(;|$)/i.test(type ?? ''))
    return refused('content-type', `The answer is no event stream but ${type}`, response);
  if (!response.body)
    return refused(
      'no-body',
      'The answer has no body that can be streamed; on React Native, give a `fetch` that has: that of expo/fetch',
      response,
    );
  return undefined;
}

function isForNow(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

function refused(code: string, message: string, response: Response): Outcome {
  return { closes: 'refused', status: response.status, error: new StreamError(code, message, response) };
}
