import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';

/**
 * The map of a body, from that of its chunk: everything is a line further down, and indented with a character where there were four. Of each
 * line it keeps where another line of the sources begins: a debugger steps by lines and a stack trace names them, and a map of all columns
 * is four times as large. The sources are in it.
 */
export function bodyMap(map, folder) {
  const lines = decode(map.mappings).map(beginnings);
  const sourcesContent = map.sources.map((source) => readFileSync(resolve(folder, source), 'utf8'));
  return JSON.stringify({
    version: 3,
    sources: map.sources,
    sourcesContent,
    names: [],
    mappings: encode([[], ...lines]),
  });
}

/** From where on a line of code comes from which line of the sources. The first segment stands behind the indentation: from column 0 on is as good. */
function beginnings(segments) {
  const kept = [];
  for (const [column, source, line, sourceColumn] of segments) {
    if (source === undefined) continue;
    const before = kept.at(-1);
    if (before?.[1] === source && before[2] === line) continue;
    kept.push([before ? column : 0, source, line, sourceColumn]);
  }
  return kept;
}
