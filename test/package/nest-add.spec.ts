import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

interface Options {
  readonly sourceRoot?: string;
  readonly engine?: string;
  readonly skipInstall?: boolean;
}
interface Task {
  toConfiguration(): { readonly name: string; readonly options: Record<string, unknown> };
}
type Rule = (tree: object, context: object) => void;
type Files = Record<string, string>;

const path: string = '../../schematics/nest-add.cjs';
const { nestAdd } = ((await import(path)) as { default: { nestAdd: (options: Options) => Rule } }).default;
const { exports, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, object>;
  peerDependencies: Record<string, string>;
};
const schema = JSON.parse(readFileSync('schematics/schema.json', 'utf8')) as {
  properties: { engine: { enum: string[] } };
};

const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
await app.listen(3000);
`;
const IMPORT = `import { SseModule } from 'nestjs-event-stream';\n`;

/** A root module that imports this, or with this in the place of its whole metadata. */
const moduleWith = (imports: string, added = ''): string => withMetadata(`{\n  imports: ${imports},\n}`, added);
const withMetadata = (metadata: string, added = ''): string =>
  `import { Module } from '@nestjs/common';
${added}import { CatsModule, common } from './cats.js';

@Module(${metadata})
export class AppModule {}
`;

let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'nest-add-'));
  jest.spyOn(process, 'cwd').mockReturnValue(project);
});

afterEach(() => {
  jest.restoreAllMocks();
  rmSync(project, { recursive: true });
});

describe('the root module', () => {
  const cases: [title: string, before: string, after: string][] = [
    [
      'with a list of imports gets one more',
      moduleWith('[CatsModule]'),
      moduleWith('[CatsModule, SseModule.forRoot()]', IMPORT),
    ],
    ['with an empty list gets the first', moduleWith('[]'), moduleWith('[SseModule.forRoot()]', IMPORT)],
    [
      'with a comma after the last gets one after its own',
      moduleWith('[CatsModule,]'),
      moduleWith('[CatsModule, SseModule.forRoot(),]', IMPORT),
    ],
    [
      'with a line for each gets a line, with a comma',
      moduleWith('[\n    CatsModule,\n  ]'),
      moduleWith('[\n    CatsModule,\n    SseModule.forRoot(),\n  ]', IMPORT),
    ],
    [
      'with a line for each, and no comma after the last, gets none there',
      moduleWith('[\n\t\tCatsModule\n\t]'),
      moduleWith('[\n\t\tCatsModule,\n\t\tSseModule.forRoot()\n\t]', IMPORT),
    ],
    [
      'with calls of several lines in its list gets one more after them',
      moduleWith('[CatsModule.with({\n    lives: 9,\n  }), CatsModule]'),
      moduleWith('[CatsModule.with({\n    lives: 9,\n  }), CatsModule, SseModule.forRoot()]', IMPORT),
    ],
    [
      'keeps comments with what they are about',
      moduleWith('[\n    // Cats.\n    CatsModule, // all of them\n    // DogsModule,\n  ]'),
      moduleWith(
        '[\n    // Cats.\n    CatsModule, // all of them\n    SseModule.forRoot(),\n    // DogsModule,\n  ]',
        IMPORT,
      ),
    ],
    [
      'keeps a comment after the last that has no comma',
      moduleWith('[\n    CatsModule // all of them\n  ]'),
      moduleWith('[\n    CatsModule, // all of them\n    SseModule.forRoot()\n  ]', IMPORT),
    ],
    [
      'puts nothing behind a comment to the end of the line',
      moduleWith('[\n    CatsModule, CatsModule // twice\n  ]'),
      moduleWith('[\n    CatsModule, CatsModule, SseModule.forRoot() // twice\n  ]', IMPORT),
    ],
    [
      'with nothing but a comment in its list keeps it',
      moduleWith('[\n    // SseModule.forRoot(),\n  ]'),
      moduleWith('[SseModule.forRoot()\n    // SseModule.forRoot(),\n  ]', IMPORT),
    ],
    [
      'with a spread gets one after it',
      moduleWith('[...common]'),
      moduleWith('[...common, SseModule.forRoot()]', IMPORT),
    ],
    [
      'without imports gets some',
      withMetadata('{\n  // What is served.\n  controllers: [],\n}'),
      withMetadata('{\n  imports: [SseModule.forRoot()],\n  // What is served.\n  controllers: [],\n}', IMPORT),
    ],
    [
      'without imports, on one line, keeps to it',
      withMetadata('{ controllers: [] }'),
      withMetadata('{ imports: [SseModule.forRoot()], controllers: [] }', IMPORT),
    ],
    ['without anything gets imports', withMetadata('{}'), withMetadata('{ imports: [SseModule.forRoot()] }', IMPORT)],
    [
      'with its key in quotes is read as any other',
      withMetadata(`{ 'imports': [CatsModule] }`),
      withMetadata(`{ 'imports': [CatsModule, SseModule.forRoot()] }`, IMPORT),
    ],
    [
      'with line ends of Windows gets no others',
      moduleWith('[\n    CatsModule,\n  ]').replaceAll('\n', '\r\n'),
      moduleWith('[\n    CatsModule,\n    SseModule.forRoot(),\n  ]', IMPORT).replaceAll('\n', '\r\n'),
    ],
    ['keeps its byte order mark', `\uFEFF${moduleWith('[]')}`, `\uFEFF${moduleWith('[SseModule.forRoot()]', IMPORT)}`],
    [
      'with double quotes gets double quotes',
      moduleWith('[]').replaceAll(`'`, '"'),
      moduleWith('[SseModule.forRoot()]', IMPORT).replaceAll(`'`, '"'),
    ],
    [
      'without semicolons gets none',
      moduleWith('[]').replaceAll(';', ''),
      moduleWith('[SseModule.forRoot()]', IMPORT).replaceAll(';', ''),
    ],
    [
      'that imports from the package already has one import of it',
      moduleWith('[]', `import { type Topic, EventStreamService } from 'nestjs-event-stream';\n`),
      moduleWith(
        '[SseModule.forRoot()]',
        `import { type Topic, EventStreamService, SseModule } from 'nestjs-event-stream';\n`,
      ),
    ],
    [
      'that has topics of the module for itself has the import already',
      moduleWith('[SseModule.forFeature([])]', IMPORT),
      moduleWith('[SseModule.forFeature([]), SseModule.forRoot()]', IMPORT),
    ],
    [
      'with types of the package gets an import of its own',
      moduleWith('[]', `import type { Topic } from 'nestjs-event-stream';\n`),
      moduleWith('[SseModule.forRoot()]', `import type { Topic } from 'nestjs-event-stream';\n${IMPORT}`),
    ],
    [
      'keeps the comment behind the last import',
      moduleWith('[]').replace(`common';`, `common'; // Nest`),
      moduleWith('[SseModule.forRoot()]', IMPORT).replace(`common';`, `common'; // Nest`),
    ],
    [
      'with another name for @Module() is found',
      moduleWith('[]').replace('{ Module }', '{ Module as Part }').replace('@Module', '@Part'),
      moduleWith('[SseModule.forRoot()]', IMPORT)
        .replace('{ Module }', '{ Module as Part }')
        .replace('@Module', '@Part'),
    ],
  ];

  test.each(cases)('%s', (_, before, after) => {
    const { files } = add({ 'src/main.ts': MAIN, 'src/app.module.ts': before });

    expect(files).toEqual({ 'src/main.ts': MAIN, 'src/app.module.ts': after });
  });

  test.each(cases)('%s, once: a second run changes no byte', (_, before) => {
    const first = add({ 'src/main.ts': MAIN, 'src/app.module.ts': before });
    const second = add({});

    expect(second.files).toEqual(first.files);
    expect(second.said).toContain('src/app.module.ts has SseModule already.');
  });
});

describe('the root module is found', () => {
  const before = moduleWith('[]');
  const after = moduleWith('[SseModule.forRoot()]', IMPORT);
  const named = (name: string): Files => ({ [name]: after });

  const mains: [title: string, main: string][] = [
    ['in a CommonJS project', MAIN.replace('.module.js', '.module')],
    ['with the file’s own ending', MAIN.replace('.module.js', '.module.ts')],
    ['with Fastify', MAIN.replace('(AppModule)', '<NestFastifyApplication>(AppModule, new FastifyAdapter())')],
    ['of a worker', MAIN.replace('.create(', '.createApplicationContext(')],
    [
      'of a microservice',
      MAIN.replace('(AppModule)', '<MicroserviceOptions>(AppModule, {})').replace('.create', '.createMicroservice'),
    ],
    ['under another name', MAIN.replace('{ AppModule }', '{ AppModule as Root }').replace('(AppModule)', '(Root)')],
    [
      'with another name for NestFactory',
      MAIN.replace('{ NestFactory }', '{ NestFactory as Nest }').replace('NestFactory.', 'Nest.'),
    ],
    ['where it is given twice', `${MAIN}await NestFactory.createApplicationContext(AppModule);\n`],
  ];
  test.each(mains)('%s', (_, main) => {
    const { files } = add({ 'src/main.ts': main, 'src/app.module.ts': before });

    expect(files).toMatchObject(named('src/app.module.ts'));
  });

  test('in main.ts itself', () => {
    const { files } = add({ 'src/main.ts': `${before}${MAIN.replace(/import .*app\.module.*\n/, '')}` });

    expect(files['src/main.ts']).toContain('imports: [SseModule.forRoot()]');
  });

  test.each([
    ['as a default export', before.replace('export class', 'export default class')],
    ['as a default export without a name', before.replace('export class AppModule', 'export default class')],
    ['as a default export of its own line', `${before.replace('export class', 'class')}export default AppModule;\n`],
  ])('%s', (_, root) => {
    const main = MAIN.replace('{ AppModule }', 'AppModule');
    const { files } = add({ 'src/main.ts': main, 'src/app.module.ts': root });

    expect(files['src/app.module.ts']).toContain('imports: [SseModule.forRoot()]');
  });

  test('by the paths of tsconfig.json, which may be in a base that has comments', () => {
    const { files } = add({
      'tsconfig.json': '{ "extends": "./tsconfig.base.json" }',
      'tsconfig.base.json': '{ /* ours */ "compilerOptions": { "paths": { "@app/*": ["./src/app/*"] } } }',
      'src/main.ts': MAIN.replace('./app.module.js', '@app/app.module'),
      'src/app/app.module.ts': before,
    });

    expect(files).toMatchObject(named('src/app/app.module.ts'));
  });

  test('in the project of a monorepo that the CLI names', () => {
    const { files } = add(
      {
        'nest-cli.json': '{ "sourceRoot": "apps/shop/src", "projects": { "api": { "sourceRoot": "apps/api/src" } } }',
        'apps/shop/src/main.ts': MAIN,
        'apps/shop/src/app.module.ts': before,
        'apps/api/src/main.ts': MAIN,
        'apps/api/src/app.module.ts': before,
      },
      { sourceRoot: 'apps/api/src' },
    );

    expect(files).toMatchObject({ 'apps/api/src/app.module.ts': after, 'apps/shop/src/app.module.ts': before });
  });

  test.each(['server', 'src/server'])('from the entry file %s of nest-cli.json', (entryFile) => {
    const { files } = add({
      'nest-cli.json': JSON.stringify({ sourceRoot: 'src', entryFile }),
      'src/server.ts': MAIN,
      'src/app.module.ts': before,
    });

    expect(files).toMatchObject(named('src/app.module.ts'));
  });

  test('with the TypeScript of the CLI, if that of the project is one that cannot be called', () => {
    writeFiles({
      'node_modules/typescript/package.json': '{ "main": "version.cjs" }',
      'node_modules/typescript/version.cjs': `module.exports = { version: '7.0.2' };`,
      'node_modules/@nestjs/cli/package.json': '{}',
    });
    link('node_modules/@nestjs/cli/node_modules/typescript');
    const { files } = add({ 'src/main.ts': MAIN, 'src/app.module.ts': before });

    expect(files).toMatchObject(named('src/app.module.ts'));
  });
});

describe('nothing is touched, and the lines are printed', () => {
  const plain = { 'src/main.ts': MAIN, 'src/app.module.ts': moduleWith('[]') };
  const cases: [title: string, files: Files, reason: string][] = [
    ['without a main.ts', { 'src/app.module.ts': moduleWith('[]') }, 'src/main.ts is not there'],
    [
      'when main.ts creates nothing',
      { ...plain, 'src/main.ts': `import './app.module.js';\n` },
      'src/main.ts does not show the one root module',
    ],
    [
      'when the root module is made by a call',
      { ...plain, 'src/main.ts': MAIN.replace('(AppModule)', '(AppModule.with({}))') },
      'src/main.ts does not show the one root module',
    ],
    [
      'when there are two of them',
      { ...plain, 'src/main.ts': `${MAIN}await NestFactory.create(WorkerModule);\n` },
      'src/main.ts does not show the one root module',
    ],
    [
      'when the root module is of a package',
      { ...plain, 'src/main.ts': MAIN.replace('./app.module.js', 'cats') },
      '"cats" of src/main.ts leads to no source file',
    ],
    [
      'when the file of the root module only passes it on',
      { ...plain, 'src/app.module.ts': `export { AppModule } from './other.js';\n` },
      'src/app.module.ts shows no @Module({ … })',
    ],
    [
      'when the metadata is a variable',
      { ...plain, 'src/app.module.ts': withMetadata('common') },
      'src/app.module.ts shows no @Module({ … })',
    ],
    [
      'when the metadata has a spread',
      { ...plain, 'src/app.module.ts': withMetadata('{ ...common }') },
      'the @Module() of src/app.module.ts is put together elsewhere',
    ],
    [
      'when the imports are a variable',
      { ...plain, 'src/app.module.ts': moduleWith('common') },
      'the imports of the @Module() of src/app.module.ts are not a list in brackets',
    ],
    [
      'when the imports are a variable of that name',
      { ...plain, 'src/app.module.ts': withMetadata('{ imports }') },
      'the imports of the @Module() of src/app.module.ts are not a list in brackets',
    ],
    [
      'when the imports are computed',
      { ...plain, 'src/app.module.ts': moduleWith('[CatsModule].concat(common)') },
      'the imports of the @Module() of src/app.module.ts are not a list in brackets',
    ],
    [
      'when the name is taken',
      { ...plain, 'src/app.module.ts': moduleWith('[SseModule]', `import { SseModule } from './sse.js';\n`) },
      'src/app.module.ts has a SseModule of its own',
    ],
    [
      'when the file does not compile',
      { ...plain, 'src/app.module.ts': `${moduleWith('[]')}}\n` },
      'src/app.module.ts is not understood',
    ],
  ];
  test.each(cases)('%s', (_, before, reason) => {
    const { files, said, tasks } = add(before, { engine: 'nats' });

    expect(files).toEqual(before);
    expect(tasks).toEqual([]);
    expect(said).toContain(`Nothing was changed: ${reason}`);
    expect(said).toContain(`${IMPORT}import { natsEngine } from 'nestjs-event-stream/nats';\n`);
    expect(said).toContain('imports: [SseModule.forRoot({ engine: natsEngine({ servers: process.env.NATS_URL }) })]');
    expect(said).toContain(`"@nats-io/transport-node": "${peerDependencies['@nats-io/transport-node']}"`);
  });

  test('when the project has no TypeScript', () => {
    rmSync(join(project, 'node_modules'), { recursive: true, force: true });
    writeFiles({ 'node_modules/cats/package.json': '{}' });
    const { files, said } = add(plain);

    expect(files).toEqual(plain);
    expect(said).toContain('the project has no TypeScript that could read it');
  });

  test('when the file is not UTF-8: it would not be the same when it is written', () => {
    writeFiles(plain);
    const latin1 = Buffer.from(`// Bären\n${moduleWith('[]')}`, 'latin1');
    writeFileSync(join(project, 'src/app.module.ts'), latin1);
    const { said } = add({});

    expect(readFileSync(join(project, 'src/app.module.ts'))).toEqual(latin1);
    expect(said).toContain('src/app.module.ts is not UTF-8');
  });

  test('when another module of the application has it without that engine', () => {
    const before = { ...plain, 'src/core.module.ts': moduleWith('[SseModule.forRoot()]', IMPORT) };
    const { files, said } = add(before, { engine: 'redis' });

    expect(files).toEqual(before);
    expect(said).toContain('Nothing was changed: src/core.module.ts has SseModule already, without redisEngine.');
  });

  test('when another module of the application has it: two would not share their log', () => {
    const before = { ...plain, 'src/core.module.ts': moduleWith('[SseModule.forRootAsync({})]', IMPORT) };
    const { files, said } = add(before);

    expect(files).toEqual(before);
    expect(said).toBe('src/core.module.ts has SseModule already.');
  });
});

test('a module that only a test has is not the application’s', () => {
  const { files } = add({
    'src/main.ts': MAIN,
    'src/app.module.ts': moduleWith('[]'),
    'src/app.spec.ts': moduleWith('[SseModule.forRoot()]', IMPORT),
  });

  expect(files['src/app.module.ts']).toBe(moduleWith('[SseModule.forRoot()]', IMPORT));
});

describe('an engine', () => {
  const source = { 'src/main.ts': MAIN, 'src/app.module.ts': moduleWith('[]') };
  const manifest = (dependencies: object, more = {}): string =>
    `${JSON.stringify({ dependencies, ...more }, null, 2)}\n`;

  test.each([
    ['redis', 'redisEngine({ url: process.env.REDIS_URL })', 'ioredis', '^6.0.0'],
    ['postgres', 'postgresEngine({ connectionString: process.env.DATABASE_URL })', 'pg', '^8.11.0'],
    ['nats', 'natsEngine({ servers: process.env.NATS_URL })', '@nats-io/transport-node', '^3.0.0'],
  ])('%s comes with its import, its option and its driver', (engine, option, driver, range) => {
    const { files, said, tasks } = add({ ...source, 'package.json': manifest({ zod: '^4.0.0' }) }, { engine });

    const imports = `${IMPORT}import { ${engine}Engine } from 'nestjs-event-stream/${engine}';\n`;
    expect(files['src/app.module.ts']).toBe(moduleWith(`[SseModule.forRoot({ engine: ${option} })]`, imports));
    expect(files['package.json']).toBe(manifest({ [driver]: range, zod: '^4.0.0' }));
    expect(peerDependencies[driver]!.split(' || ')).toContain(range);
    expect(said).toMatch(/Set [A-Z]+_URL, as in/);
    expect(tasks).toEqual(['install']);
    expect(add({}, { engine })).toMatchObject({ files, tasks: [] });
  });

  const pages = readdirSync('docs/engines').filter((page) => page !== 'README.md');
  test.each(pages.map((page) => page.replace('.md', '')))('%s is known, as it has a page', (name) => {
    const { files } = add({ ...source, 'package.json': '{}' }, { engine: name });

    expect(exports).toHaveProperty([`./${name}`]);
    expect(schema.properties.engine.enum).toContain(name);
    expect(files['src/app.module.ts']).toContain(`import { ${name}Engine } from 'nestjs-event-stream/${name}';`);
  });

  test('sqlite has its path in the quotes of the file, and a driver only where Node has none', () => {
    const { files } = add(
      { 'src/main.ts': MAIN, 'src/app.module.ts': moduleWith('[]').replaceAll(`'`, '"'), 'package.json': '{}' },
      { engine: 'sqlite' },
    );
    const hasSqlite = process.getBuiltinModule('node:module').isBuiltin('node:sqlite');

    expect(files['src/app.module.ts']).toContain('SseModule.forRoot({ engine: sqliteEngine({ path: "events.db" }) })');
    expect(JSON.parse(files['package.json']!)).toEqual(
      hasSqlite ? {} : { dependencies: { 'better-sqlite3': '^12.0.0' } },
    );
  });

  test.each([
    ['the other driver', manifest({ redis: '^5.9.0' }), 'package.json has redis ^5.9.0; needed is ^5.9.0 || ^6.0.0.'],
    ['an older one', manifest({ ioredis: '^4.0.0' }), 'package.json has ioredis ^4.0.0; needed is ^5.9.2 || ^6.0.0.'],
    ['one for tests', manifest({}, { devDependencies: { ioredis: '6.0.0' } }), 'package.json has ioredis 6.0.0'],
  ])('leaves package.json alone, and says so, if it has %s', (_, before, expected) => {
    const { files, said, tasks } = add({ ...source, 'package.json': before }, { engine: 'redis' });

    expect(files['package.json']).toBe(before);
    expect(said).toContain(expected);
    expect(tasks).toEqual([]);
  });

  test('is not installed when that is to be skipped', () => {
    const { tasks, said } = add({ ...source, 'package.json': '{}' }, { engine: 'postgres', skipInstall: true });

    expect(tasks).toEqual([]);
    expect(said).toContain('Install it with your package manager.');
  });

  test('keeps the indent, the line ends and the end of package.json', () => {
    const { files } = add({ ...source, 'package.json': '{\r\n\t"name": "shop"\r\n}' }, { engine: 'postgres' });

    expect(files['package.json']).toBe(
      '{\r\n\t"name": "shop",\r\n\t"dependencies": {\r\n\t\t"pg": "^8.11.0"\r\n\t}\r\n}',
    );
  });

  test.each([
    ['is not there', {}],
    ['is empty', { 'package.json': '' }],
    ['is no JSON', { 'package.json': '{ "name": ' }],
  ])('is not begun when package.json %s', (_, more: Files) => {
    const before = { ...source, ...more };
    const { files, said } = add(before, { engine: 'postgres' });

    expect(files).toEqual(before);
    expect(said).toContain('Nothing was changed: ');
  });
});

/** Writes the files into the project and runs the rule there, with the TypeScript of this repository. */
function add(before: Files, options: Options = {}): { files: Files; said: string; tasks: unknown[] } {
  writeFiles(before);
  if (!existsSync(join(project, 'node_modules'))) link('node_modules/typescript');
  const said: string[] = [];
  const tasks: unknown[] = [];
  const log = (message: string): unknown => said.push(message);
  const addTask = (task: Task): unknown => tasks.push(task.toConfiguration().options.command);
  nestAdd(options)(treeOf(project), { logger: { info: log, warn: log }, addTask });
  return { files: filesOf(project), said: said.join('\n'), tasks };
}

/** What a rule needs of a tree of the devkit. */
function treeOf(root: string): object {
  const isFile = (name: string): boolean => statSync(join(root, name), { throwIfNoEntry: false })?.isFile() ?? false;
  return {
    exists: isFile,
    read: (name: string) => (isFile(name) ? readFileSync(join(root, name)) : null),
    overwrite: (name: string, text: string) => writeFileSync(join(root, name), text),
    getDir: (name: string) => ({
      visit: (visitor: (name: string) => void) =>
        Object.keys(filesOf(join(root, name))).forEach((each) => visitor(join(name, each))),
    }),
  };
}

function filesOf(root: string): Files {
  if (!existsSync(root)) return {};
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => !name.startsWith('node_modules') && statSync(join(root, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(root, name), 'utf8')]));
}

function writeFiles(files: Files): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  }
}

function link(name: string): void {
  mkdirSync(dirname(join(project, name)), { recursive: true });
  symlinkSync(resolve(import.meta.dirname, '../../node_modules/typescript'), join(project, name));
}
