const ANSWER_MS = 8_000;

/**
 * Asks the server, and never rejects: `answer` is what it said, or `problem` a sentence about what went wrong,
 * with the `status` of an answer.
 * `isUncertain` when the server may have done it all the same.
 */
export async function request(path, { method = 'GET', body } = {}) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(path, { method, headers, body: JSON.stringify(body), signal });
    const answer = await response.json().catch(() => undefined);
    if (response.ok) return { answer };
    const problem = `${answer?.message ?? `The server answered ${response.status}`}.`;
    return { problem, status: response.status };
  } catch (error) {
    return { problem: reasonOf(error), isUncertain: error.name === 'TimeoutError' };
  }
}

export function post(path, body = {}) {
  return request(path, { method: 'POST', body });
}

/** What a reader can make of an error of `fetch`. */
export function reasonOf(error) {
  if (error.name === 'TimeoutError') return `The server has not answered for ${ANSWER_MS / 1_000} seconds.`;
  return navigator.onLine ? 'The server cannot be reached.' : 'This device is offline.';
}
