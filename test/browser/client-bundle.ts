import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const CLIENT = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url));

/** The client as a script for pages, which has its exports as the global `sse`; or as an ES module. */
export async function bundleClient(format: 'iife' | 'esm' = 'iife'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [CLIENT],
    bundle: true,
    format,
    globalName: 'sse',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]!.text;
}
