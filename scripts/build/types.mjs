// Bundles the declarations, into the same files for both module formats.
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { entriesIn, isExternal, shared } from './entries.mjs';

export async function bundleTypes(from, folders) {
  const bundle = await rollup({ input: entriesIn(from, '.d.ts'), external: isExternal, plugins: [dts()] });
  for (const dir of folders) {
    await bundle.write({
      dir,
      entryFileNames: '[name].d.ts',
      chunkFileNames: '[name].d.ts',
      minifyInternalExports: false,
      manualChunks: shared,
    });
  }
  await bundle.close();
}
