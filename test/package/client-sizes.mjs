// What the client costs a page: each part as esbuild bundles it for a browser, minified and by gzip -9.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const CLIENT = './dist/esm/client/index.js';

const BINDINGS = ['react', 'vue', '../index.js'];

/** By part: what a page imports, and how many bytes that may take. What a part stands on is counted with it, but for the bindings, which count alone. */
const PARTS = {
  'the parser': { budget: 600, code: `export { createStreamParser } from '${CLIENT}'` },
  openStream: { budget: 5_200, code: `export { openStream } from '${CLIENT}'` },
  'openStream and EventSource': { budget: 5_900, code: `export { EventSource, openStream } from '${CLIENT}'` },
  'openStream and shareStream': { budget: 7_100, code: `export { openStream, shareStream } from '${CLIENT}'` },
  'useStream for React': { budget: 850, code: "export * from './dist/esm/client/react/index.js'", external: BINDINGS },
  'useStream for Vue': { budget: 850, code: "export * from './dist/esm/client/vue/index.js'", external: BINDINGS },
};

/** @returns {Promise<{ part: string, bytes: number, budget: number }[]>} */
export function clientSizes() {
  return Promise.all(
    Object.entries(PARTS).map(async ([part, { budget, code, external = [] }]) => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: '.' },
        bundle: true,
        minify: true,
        format: 'esm',
        target: 'es2022',
        external,
        write: false,
      });
      return { part, budget, bytes: gzipSync(outputFiles[0].contents, { level: 9 }).length };
    }),
  );
}
