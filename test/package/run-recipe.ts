import * as query from '@tanstack/react-query';
import { transformSync } from 'esbuild';
import * as client from 'nestjs-event-stream/client';
import * as reactBinding from 'nestjs-event-stream/client/react';
import * as vueBinding from 'nestjs-event-stream/client/vue';
import * as react from 'react';
import * as jsx from 'react/jsx-runtime';
import * as rxjs from 'rxjs';
// @ts-expect-error -- only what Svelte compiles imports it, and it has no types
import * as svelteServer from 'svelte/internal/server';
import * as swr from 'swr/subscription';
import * as vue from 'vue';
import { imported, recipes } from './recipes.js';

/** What the recipes of docs/clients-frameworks.md import. */
const packages: Readonly<Record<string, unknown>> = {
  '@tanstack/react-query': query,
  'nestjs-event-stream/client': client,
  'nestjs-event-stream/client/react': reactBinding,
  'nestjs-event-stream/client/vue': vueBinding,
  react,
  'react/jsx-runtime': jsx,
  rxjs,
  'svelte/internal/server': svelteServer,
  // What is required has its default export in this way only.
  'swr/subscription': { __esModule: true, ...swr },
  vue,
};

/** What a recipe exports. */
export function recipe(name: string): Record<string, any> {
  const text = recipes.get(name);
  if (text === undefined) throw new Error(`There is no recipe ${name}`);
  return run(text);
}

/** What JavaScript, TypeScript or JSX exports that imports what recipes may import. */
export function run(code: string): Record<string, any> {
  const { code: script } = transformSync(code, { loader: 'tsx', format: 'cjs', jsx: 'automatic' });
  const module = { exports: {} };
  const require = (name: string): unknown => packages[name] ?? recipe(imported(name) ?? name);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  new Function('module', 'exports', 'require', script)(module, module.exports, require);
  return module.exports;
}
