// Prints what a bench has found, and keeps it beside the bench: a page for people, with the JSON below.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Where and when this was measured. */
export function surroundings() {
  return {
    date: new Date().toISOString(),
    node: process.version,
    os: `${process.platform} ${release()}`,
    cpus: cpus().length,
    cpu: cpus()[0]?.model.trim(),
    loadBefore: loadavg()[0],
  };
}

/** Writes `results/<name>.md` from paragraphs and tables, each a heading row and further rows. */
export function writeReport({ name, title, where, parts, data }) {
  const folder = fileURLToPath(new URL('../results/', import.meta.url));
  const { date, node, os, cpus: count, cpu, loadBefore } = where;
  const text = [
    `# ${title}`,
    `${date} · Node ${node} · ${os} · ${count} CPUs (${cpu}) · load before the run ${loadBefore.toFixed(1)}`,
    ...parts.map((part) => (typeof part === 'string' ? part : table(part))),
    `## As JSON\n\n\`\`\`json\n${JSON.stringify({ where, ...data }, undefined, 2)}\n\`\`\``,
  ].join('\n\n');
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, `${text}\n`);
  console.log(text);
}

/** The value below which `share` of the values are. */
export function quantile(sorted, share) {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const ms = (value) => `${value.toFixed(1)} ms`;
export const mib = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
export const kib = (bytes) => `${(bytes / 1_024).toFixed(1)} KiB`;

function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The value of `--name value` or `--name=value`, or whether `--name` is there. */
export function option(name, fallback) {
  const args = process.argv.slice(2);
  const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at < 0) return fallback;
  if (typeof fallback === 'boolean') return true;
  const value = args[at].split('=')[1] ?? args[at + 1];
  return typeof fallback === 'string' ? value : Number(value);
}
