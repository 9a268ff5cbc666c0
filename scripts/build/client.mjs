// Bundles the client, which browsers load too: each of its entry points is one file for each module format, and what a bundler does not
// need of it is left out: it is made of the sources, as the compiler takes away the comments that say what has no effect. The bindings import
// the client itself, so that a page has it once.
import { dirname, relative } from 'node:path';
import { build } from 'esbuild';
import { clientEntries } from './entries.mjs';

/** A page without a bundler loads this one: the client in one small ES module, without imports. */
const MINIFIED = 'client.js';

const shared = { bundle: true, target: 'es2022', logLevel: 'warning' };
/** Once: the code of both formats is readable. */
const mapOf = (format) => format === 'esm' && 'linked';

export async function bundleClient(to) {
  const { 'client/index': client, ...bindings } = clientEntries('src', '.ts');
  const formats = ['esm', 'cjs'];
  await Promise.all([
    build({ ...shared, entryPoints: [client], format: 'esm', minify: true, outfile: `${to}/${MINIFIED}` }),
    ...formats.flatMap((format) => [
      build({
        ...shared,
        sourcemap: mapOf(format),
        entryPoints: [client],
        format,
        outfile: `${to}/${format}/client/index.js`,
      }),
      ...Object.entries(bindings).map(([name, entry]) =>
        build({
          ...shared,
          sourcemap: mapOf(format),
          entryPoints: [entry],
          format,
          packages: 'external',
          plugins: [clientItself(relative(dirname(entry), client).replace('.ts', '.js'))],
          outfile: `${to}/${format}/${name}.js`,
        }),
      ),
    ]),
  ]);
}

/** A binding imports `openStream` from the client's entry point. What else it needs of the client's files only bindings have. */
function clientItself(path) {
  return {
    name: 'client-itself',
    setup({ onResolve }) {
      onResolve({ filter: /\/open-stream\.js$/ }, () => ({ path, external: true }));
    },
  };
}
