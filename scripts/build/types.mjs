// Bundles the declarations, into the same files for both module formats.
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { clientEntries, entriesIn, isExternal, shared } from './entries.mjs';

export async function bundleTypes(from, folders) {
  await write(entriesIn(from, '.d.ts'), folders, 'shared');
  // By themselves: a page that has the client need not have Nest, not even its types.
  await write(clientEntries(from, '.d.ts'), folders, 'client/shared');
}

async function write(input, folders, chunk) {
  const bundle = await rollup({ input, external: isExternal, plugins: [dts()] });
  for (const dir of folders) {
    await bundle.write({
      dir,
      entryFileNames: '[name].d.ts',
      chunkFileNames: '[name].d.ts',
      minifyInternalExports: false,
      manualChunks: (id, about) => shared(id, about) && chunk,
    });
  }
  await bundle.close();
}
