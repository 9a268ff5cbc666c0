// From the figures of all rounds to one table: medians, and medians of the ratios within each round.

/** The middle value; of an even number the mean of the two in the middle. Values that are none are left out. */
export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * One row for each server: the median of each column, of each ratio the median over the rounds, and what was wrong.
 *
 * @param {object} scenario
 * @param {{ server: string, round: number, figures: object, faults: object }[]} runs
 * @param {string[]} names in the order of the table
 */
export function summarise({ columns, ratios }, runs, names) {
  return names.map((server) => {
    const own = runs.filter((run) => run.server === server);
    return {
      server,
      figures: Object.fromEntries(columns.map(({ key }) => [key, median(own.map((run) => run.figures[key]))])),
      ratios: ratios.map((ratio) => median(own.map((run) => ratioOf(ratio, run, runs)))),
      faults: sumOf(own.map(({ faults }) => faults)),
      errors: own.flatMap(({ error }) => error ?? []),
      busiestClient: Math.max(0, ...own.map(({ figures }) => figures.clientShare ?? 0)),
    };
  });
}

/** In the same round, or to the server itself when `within` names another of its own figures. */
function ratioOf({ key, to, within, isInverse = false }, run, runs) {
  const other = runs.find(({ server, round }) => server === (to ?? run.server) && round === run.round);
  const ratio = run.figures[key] / other?.figures[within ?? key];
  return isInverse ? 1 / ratio : ratio;
}

function sumOf(all) {
  const sum = {};
  for (const faults of all) for (const [fault, count] of Object.entries(faults)) sum[fault] = (sum[fault] ?? 0) + count;
  return sum;
}
