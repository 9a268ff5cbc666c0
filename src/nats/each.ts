/** How many questions of one call are under way at once. */
const CONCURRENCY = 64;

/** Does it for each, some at once, and keeps the order of the answers. After a failure nothing more is begun. */
export async function each<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  let hasFailed = false;
  const work = async (): Promise<void> => {
    try {
      for (const [n, item] of rest) {
        if (hasFailed) return;
        results[n] = await task(item);
      }
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, work));
  return results;
}
