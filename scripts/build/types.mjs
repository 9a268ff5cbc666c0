// Bundles the declarations, into the same files for both module formats.
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { clientEntries, entriesIn, isExternal, shared } from './entries.mjs';

/** For programs whose own `lib` has no `Symbol.asyncDispose`. */
const DISPOSABLE = '/// <reference lib="esnext.disposable" />';

export async function bundleTypes(from, folders) {
  await write(entriesIn(from, '.d.ts'), folders, { chunk: 'shared' });
  // By themselves: a page that has the client need not have Nest, not even its types.
  await write(clientEntries(from, '.d.ts'), folders, { chunk: 'client/shared', banner: DISPOSABLE });
}

async function write(input, folders, { chunk, banner = '' }) {
  const bundle = await rollup({ input, external: isExternal, plugins: [dts()] });
  for (const dir of folders) {
    await bundle.write({
      dir,
      entryFileNames: '[name].d.ts',
      chunkFileNames: '[name].d.ts',
      banner,
      minifyInternalExports: false,
      manualChunks: (id, about) => shared(id, about) && chunk,
    });
  }
  await bundle.close();
}
