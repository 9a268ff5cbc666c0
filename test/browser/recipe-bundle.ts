import { NgtscProgram } from '@angular/compiler-cli';
import { build, type Plugin } from 'esbuild';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile as compileSvelte } from 'svelte/compiler';
import ts from 'typescript';
import { compileScript, parse } from 'vue/compiler-sfc';
import { recipes } from '../package/recipes.js';

const ROOT = process.cwd();
const PAGES = fileURLToPath(new URL('pages', import.meta.url));
/** Where the recipes are written to, for compilers to find them and what they import. */
const FOLDER = join(ROOT, '.cache/recipes');

/** The page of the recipes, compiled as each framework does, as a script. What a compiler has to say of them fails this. */
export async function bundleRecipes(): Promise<string> {
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, text] of recipes) writeFileSync(join(FOLDER, name), text);

  const { outputFiles, warnings } = await build({
    entryPoints: [join(PAGES, 'recipes.ts')],
    bundle: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    },
    plugins: [recipesPlugin(compileAngular([join(FOLDER, 'price.component.ts'), join(PAGES, 'angular-root.ts')]))],
    logLevel: 'silent',
    write: false,
  });
  refuse(warnings.map(({ text }) => text));
  return outputFiles[0]!.text;
}

/** @param compiled the files that are compiled already, by their path */
function recipesPlugin(compiled: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'recipes',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^recipe:/ }, ({ path }) => ({
        path: join(FOLDER, path.replace(/^recipe:/, '').replace(/\.js$/, '.ts')),
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = compiled.get(path);
        return contents === undefined ? undefined : { contents, loader: 'js' };
      });
      onLoad({ filter: /\.svelte$/ }, ({ path }) => {
        const { js, warnings } = compileSvelte(readFileSync(path, 'utf8'), { filename: path, dev: true });
        refuse(warnings.map(({ message }) => message));
        return { contents: js.code, loader: 'js' };
      });
      onLoad({ filter: /\.vue$/ }, ({ path }) => {
        const { descriptor, errors } = parse(readFileSync(path, 'utf8'), { filename: path });
        refuse(errors.map(String));
        const { content } = compileScript(descriptor, { id: path, inlineTemplate: true });
        return { contents: content, loader: 'ts' };
      });
    },
  };
}

/** Compiles ahead of time, with the types of templates. Answers JavaScript by the path of its source. */
function compileAngular(files: readonly string[]): ReadonlyMap<string, string> {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, ROOT, {
    noEmit: false,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    // Asks for more than the types of Angular itself keep to.
    emitDecoratorMetadata: false,
  });
  const compiled = new Map<string, string>();
  const host = ts.createIncrementalCompilerHost(options);
  host.writeFile = (_name, text, _mark, _onError, sources) => void compiled.set(sources![0]!.fileName, text);
  const program = new NgtscProgram(
    files,
    { ...options, paths: { ...options.paths, 'recipe:*': [`${FOLDER}/*`] }, strictTemplates: true, rootDir: ROOT },
    host,
  );
  refuse(
    [
      ...program.getTsSyntacticDiagnostics(),
      ...program.getTsSemanticDiagnostics(),
      ...program.getNgOptionDiagnostics(),
      ...program.getNgStructuralDiagnostics(),
      ...program.getNgSemanticDiagnostics(),
    ].map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`),
  );
  program.emit({});
  return compiled;
}

function refuse(complaints: readonly string[]): void {
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}
