// Lets Node itself run the TypeScript that Jest runs here: `node --import ./test/support/typescript.mjs some.ts`.
import { existsSync, readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { transformSync } from '@swc/core';

/** The sources of the package, as for Jest. Where they are not beside the tests, it is installed. */
const sources = new URL('../../src/', import.meta.url);
const PACKAGE = /^nestjs-event-stream(\/\w+)?$/;

// Node 20 has the older way only, which loads this file once more, in a thread of its own. Later ones warn of it.
if (nodeModule.registerHooks !== undefined) nodeModule.registerHooks({ resolve, load });
else if (isMainThread) nodeModule.register(import.meta.url);

export function resolve(specifier, context, next) {
  const own = PACKAGE.exec(specifier);
  if (own !== null && existsSync(sources)) {
    return next(new URL(`.${own[1] ?? ''}/index.ts`, sources).href, context);
  }
  const isOfTypeScript = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return next(isOfTypeScript ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = transformSync(readFileSync(fileURLToPath(url), 'utf8'), {
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
    },
    module: { type: 'es6' },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
