/**
 * The HTTP status that an error stands for: that of an exception of Nest, or of an error of an HTTP client which has one. `undefined`: none.
 */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  try {
    const { getStatus, status, statusCode } = error as Record<string, unknown>;
    const given: unknown = typeof getStatus === 'function' ? getStatus.call(error) : (status ?? statusCode);
    return Number.isSafeInteger(given) && Number(given) >= 400 && Number(given) <= 599 ? Number(given) : undefined;
  } catch {
    return undefined;
  }
}
