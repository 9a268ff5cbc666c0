// Bundles the compiled code. A chunk has one body and two doors:
// - the body is a function of the modules that the chunk imports, which gives what the chunk exports
// - the doors import these modules as their format does, call the body, and export what it gives
// So the code and its source map are there once, and are the same in both formats.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rollup } from 'rollup';
import { bodyOf } from './body.mjs';
import { cjsDoor, esmDoor } from './doors.mjs';
import { entriesIn, isExternal, shared } from './entries.mjs';
import { bodyMap } from './source-map.mjs';

export async function bundleCode(from, to) {
  const bundle = await rollup({
    input: entriesIn(from, '.js'),
    external: (id) => isExternal(id) && id !== 'tslib',
    plugins: [helpers, compiled],
    onLog: (_, { message }) => fail(message),
  });
  const { output } = await bundle.generate({
    dir: join(to, 'body'),
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
    manualChunks: shared,
    sourcemap: 'hidden',
  });
  for (const chunk of output.filter(({ type }) => type === 'chunk')) writeChunk(to, chunk);
  await bundle.close();
}

/** The helpers that the compiler imports, such as `__decorate`: from a package that users need not install. */
const helpers = {
  name: 'helpers',
  resolveId: (id) => (id === 'tslib' ? join(process.cwd(), 'node_modules/tslib/tslib.es6.mjs') : undefined),
};

/** With the compiler's source maps, which lead to src. */
const compiled = {
  name: 'compiled',
  load(id) {
    if (id.includes('/node_modules/')) return undefined;
    return { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(`${id}.map`, 'utf8')) };
  },
};

function writeChunk(to, { fileName, code, map }) {
  const renamed = code.match(/^(?:let \w+ = )?class \w+\$\d+/m);
  if (renamed) fail(`${fileName}: two classes have one name, and one of them would lose it: ${renamed[0]}`);
  const body = bodyOf(code);
  const path = relative(dirname(fileName), join('..', 'body', fileName));
  write(join(to, 'body', fileName), `${body.code}//# sourceMappingURL=${fileName.split('/').at(-1)}.map\n`);
  write(join(to, 'body', `${fileName}.map`), bodyMap(map, dirname(join(to, 'body', fileName))));
  write(join(to, 'esm', fileName), esmDoor(path, body));
  write(join(to, 'cjs', fileName), cjsDoor(path, body));
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function fail(message) {
  throw new Error(`The package cannot be bundled: ${message}`);
}
