// Writes what was found: a page for people and the same, with every single run, as JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { isPinned } from './cores.mjs';
import { casesOf, isWrong } from './rounds.mjs';

const folder = fileURLToPath(new URL('../results/', import.meta.url));

export async function writeResults({ where, settings, results, scenarios }, name = 'performance') {
  const parts = [
    '# Performance',
    header(where, settings),
    ...results.map((result) =>
      section(
        result,
        scenarios.find((scenario) => scenario.name === result.name),
      ),
    ),
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, `${parts.join('\n\n')}\n`);
  // As `npm run lint` wants it.
  const json = await format(JSON.stringify({ where, settings, results }), { parser: 'json', printWidth: 120 });
  writeFileSync(`${folder}${name}.json`, json);
  return `${folder}${name}.md`;
}

function header(where, { rounds, isQuick, skipped }) {
  const versions = Object.entries(where.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${where.date} · ${where.cpus} × ${where.cpu} · ${where.os} · load before ${where.load.toFixed(2)} · took ${Math.round(where.tookMs / 60_000)} min${where.commit ? ` · commit ${where.commit}` : ''}`,
    versions.join(' · '),
    [
      `Medians of ${rounds} paired rounds${isQuick ? ', **quick mode: short runs, for trying the harness only**' : ''}.`,
      isPinned
        ? 'The server has core 0, the load client core 1.'
        : '**Server and load client were not pinned to a core each: the figures say little.**',
      'A ratio is that of one round, and the median of those. Every event was checked for its place in the sequence of its connection.',
      ...Object.entries(skipped).map(([server, reason]) => `Without ${server}: ${reason}.`),
    ].join(' '),
  ].join('\n\n');
}

function section({ rows, title, about, loadBefore, rounds }, scenario) {
  const { columns, ratios } = scenario;
  const titles = new Map(casesOf(scenario).map((each) => [each.name, each.title]));
  const head = ['', ...columns.map(({ heading }) => heading), ...ratios.map(ratioHeading), 'wrong events'];
  const body = rows.map((row) => [
    titles.get(row.server),
    ...columns.map(({ key, digits }) => number(row.figures[key], digits)),
    ...row.ratios.map((ratio) => number(ratio, 2)),
    isWrong(row) ? `**WRONG** ${[...row.errors, faultsOf(row)].join(' ')}` : '0',
  ]);
  const busy = rows.filter(({ busiestClient }) => busiestClient > 0.9).map(({ server }) => server);
  const warning = busy.length === 0 ? [] : [`The load client was busy above 90 % with: ${busy.join(', ')}.`];
  const run = `Rounds: ${rounds}. Load before: ${loadBefore.toFixed(2)}.`;
  return [`## ${title}`, about, table([head, ...body]), ...warning, run].join('\n\n');
}

function ratioHeading({ heading, to, isInverse = false }) {
  return heading ?? (isInverse ? `${to} ÷ own` : `× ${to}`);
}

function faultsOf({ faults }) {
  return Object.entries(faults)
    .map(([fault, count]) => `${fault}: ${count}`)
    .join(', ');
}

function number(value, digits) {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
