// From windows to tables: for each figure of each server the median and the best, and what it is to others in the same
// round, as the median of the rounds' ratios and as the ratio of the best. The second is what the first would be on a
// machine where nothing else runs, so where the two differ, something else did.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { isPinned } from './cores.mjs';
import { SERVERS } from './servers.mjs';
import { median } from './statistics.mjs';

const folder = fileURLToPath(new URL('../results/', import.meta.url));
const BY_HAND = 'hand-written';

export async function writePaired({ where, settings, results }, name) {
  const parts = ['# Paired windows', header(where, settings), ...results.map(section)];
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, `${parts.join('\n\n')}\n`);
  const data = { where, settings, results: results.map(dataOf) };
  // As `npm run lint` wants it.
  writeFileSync(`${folder}${name}.json`, await format(JSON.stringify(data), { parser: 'json', printWidth: 120 }));
  return `bench/results/${name}.md`;
}

/** Windows in which an event was lost, repeated, out of order or astray. */
export function wrongOf({ windows }) {
  return windows.filter(({ faults }) => Object.keys(faults).length > 0);
}

function header(where, { isQuick, other }) {
  const { date, versions, cpus, cpu, os, load, tookMs, commit } = where;
  return [
    `${date} · Node ${versions.node} · Nest ${versions['@nestjs/core']} · ${cpus} × ${cpu} · ${os} · load before ${load.toFixed(2)} · took ${Math.round(tookMs / 60_000)} min`,
    `Build: ${commit ?? 'of no repository'}.${other === undefined ? '' : ` The other build: ${other}.`}`,
    [
      'All servers of a table stay up, and get short windows in turn, the rest held by SIGSTOP; the order moves on from round to round.',
      'A ratio is given twice: the median of the rounds’ ratios / the ratio of the best windows. Below 5 % is noise.',
      'CPU time is that of all threads of the server.',
      isPinned
        ? 'Servers have core 0, load clients core 1.'
        : '**Servers and clients were not pinned to a core each.**',
      ...(isQuick ? ['**Quick mode: short runs, for trying the harness only.**'] : []),
    ].join(' '),
  ].join('\n\n');
}

function section(result) {
  const { scenario, rounds, loadBefore } = result;
  const busy = busyClients(result);
  return [
    `## ${scenario.title}`,
    scenario.about,
    ...scenario.figures.map((figure) => table(tableOf(result, figure))),
    ...(busy.length > 0 ? [`The load client was busy above 90 % with: ${busy.join(', ')}.`] : []),
    `Rounds: ${rounds}. Load before: ${loadBefore.toFixed(2)}. ${verdictOf(result)}`,
  ].join('\n\n');
}

function verdictOf(result) {
  const wrong = wrongOf(result);
  if (wrong.length === 0) return 'No event was lost, repeated or out of order.';
  return `**WRONG**: ${wrong.map(({ server, faults }) => `${server} ${JSON.stringify(faults)}`).join(', ')}`;
}

function tableOf(result, figure) {
  const { names } = result;
  const references = REFERENCES.filter(({ of }) => names.some((name) => isReference(names, name, of(name))));
  const within = figure.within === undefined ? [] : [{ heading: figure.withinHeading, key: figure.within }];
  const head = [figure.heading, 'median', 'best', ...[...within, ...references].map(({ heading }) => heading)];
  const rows = names.map((name) => {
    const own = valuesOf(result, name, figure.key);
    return [
      SERVERS[name].title,
      number(median(own), figure.digits),
      number(bestOf(own, figure), figure.digits),
      ...within.map(({ key }) => ratio(own, valuesOf(result, name, key), figure)),
      ...references.map(({ of }) =>
        isReference(names, name, of(name)) ? ratio(own, valuesOf(result, of(name), figure.key), figure) : '',
      ),
    ];
  });
  return [head, ...rows];
}

/** What a server is compared to. */
const REFERENCES = [
  { heading: '÷ by hand', of: () => BY_HAND },
  { heading: '÷ `@Sse()`, same adapter', of: (name) => name.replace(/^(ours|other)-/, 'nest-') },
  { heading: '÷ the other build', of: (name) => name.replace(/^ours-/, 'other-') },
];

function isReference(names, name, other) {
  return name !== other && names.includes(other);
}

/** By round. */
function valuesOf({ windows }, name, key) {
  return windows.filter(({ server }) => server === name).map(({ figures }) => figures[key]);
}

function bestOf(values, { isRate = false }) {
  return isRate ? Math.max(...values) : Math.min(...values);
}

function ratio(own, others, figure) {
  const ofRounds = median(own.map((value, round) => value / others[round]));
  return `${number(ofRounds, 2)} / ${number(bestOf(own, figure) / bestOf(others, figure), 2)}`;
}

function busyClients({ names, ...result }) {
  return names.filter((name) => median(valuesOf(result, name, 'clientShare')) > 0.9);
}

/** Every window, by server and figure. */
function dataOf({ scenario, names, windows, rounds, loadBefore, tookMs }) {
  const keys = [...new Set(windows.flatMap(({ figures }) => Object.keys(figures)))];
  const short = (value) => (Number.isFinite(value) ? Number(value.toPrecision(5)) : value);
  const figures = Object.fromEntries(
    names.map((name) => [
      name,
      Object.fromEntries(keys.map((key) => [key, valuesOf({ windows }, name, key).map(short)])),
    ]),
  );
  return { name: scenario.name, rounds, loadBefore, tookMs, figures, wrong: wrongOf({ windows }) };
}

function number(value, digits) {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
