// `nest add nestjs-event-stream`: imports SseModule into the root module of an application, with an engine if one is asked for.
// Either all of it can be done, or nothing is touched and the lines to add are printed.
'use strict';
const { isBuiltin } = require('node:module');
const { name: PACKAGE, peerDependencies } = require('../package.json');
const { importIntoRootModule } = require('./root-module.cjs');
const { readText } = require('./source.cjs');

/** For each engine: what makes it, the driver it needs (any of them; the first is added), and what is left to do. */
const ENGINES = {
  redis: {
    create: 'redisEngine',
    options: '{ url: process.env.REDIS_URL }',
    drivers: ['ioredis', 'redis'],
    hint: 'Set REDIS_URL, as in redis://127.0.0.1:6379: without it the application does not start.',
  },
  postgres: {
    create: 'postgresEngine',
    options: '{ connectionString: process.env.DATABASE_URL }',
    drivers: ['pg'],
    hint: 'Set DATABASE_URL, as in postgres://user:password@127.0.0.1:5432/app: without it the application does not start.',
  },
  nats: {
    create: 'natsEngine',
    options: '{ servers: process.env.NATS_URL }',
    drivers: ['@nats-io/transport-node'],
    hint: 'Set NATS_URL, as in nats://127.0.0.1:4222: without it the application does not start.',
  },
  sqlite: {
    create: 'sqliteEngine',
    options: "{ path: 'events.db' }",
    drivers: isBuiltin('node:sqlite') ? [] : ['better-sqlite3'],
    hint: 'The log is events.db in the working directory: give it a path that outlives a deployment.',
  },
};

/** The rule that the CLI runs. A tree is the project's files, of which none is written before the rule has returned. */
function nestAdd({ sourceRoot = 'src', engine, skipInstall, s }) {
  return (tree, context) => {
    const { logger } = context;
    const wanted = wantedOf(engine);
    let root, manifest;
    try {
      root = importIntoRootModule(tree, sourceRoot, wanted);
      manifest = addDriver(tree, wanted.drivers);
    } catch (error) {
      logger.warn(`Nothing was changed: ${error.message}. What to add by hand:`);
      logger.info(linesOf(wanted));
      return;
    }
    logger.info(root.text === undefined ? `${root.file} has SseModule already.` : `${root.file} imports SseModule.`);
    if (root.text !== undefined) tree.overwrite(root.file, root.text);
    if (manifest.said) logger.info(manifest.said);
    if (manifest.text !== undefined) {
      tree.overwrite('package.json', manifest.text);
      if (!skipInstall && !s) context.addTask(installTask(tree));
      else logger.info('Install it with your package manager.');
    }
    if (root.text !== undefined && wanted.hint) logger.info(wanted.hint);
  };
}

function wantedOf(engine) {
  const imports = [{ name: 'SseModule', from: PACKAGE }];
  if (engine === undefined) return { imports, options: '', drivers: [] };
  const { create, options, drivers, hint } = ENGINES[engine];
  imports.push({ name: create, from: `${PACKAGE}/${engine}` });
  return { imports, options: `{ engine: ${create}(${options}) }`, drivers, hint };
}

/** What package.json becomes; without a text when it is to stay as it is. */
function addDriver(tree, drivers) {
  if (drivers.length === 0) return {};
  const text = readText(tree, 'package.json');
  const manifest = JSON.parse(text);
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const present = { ...optionalDependencies, ...devDependencies, ...dependencies };
  const found = drivers.find((name) => name in present);
  if (found !== undefined) {
    return { said: `package.json has ${found} ${present[found]}; needed is ${peerDependencies[found]}.` };
  }
  const [name] = drivers;
  const entries = Object.entries({ ...dependencies, [name]: rangeOf(name) });
  manifest.dependencies = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, 'en')));
  const indent = /^\{\s*?\n([ \t]+)/.exec(text)?.[1] ?? 2;
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const after = JSON.stringify(manifest, null, indent).replaceAll('\n', eol) + (/\s*$/.exec(text)?.[0] ?? '');
  return { text: after, said: `package.json depends on ${name} ${rangeOf(name)}.` };
}

/** The newest versions that the engine takes; of better-sqlite3 the older ones, since Node has SQLite itself where 13 runs. */
function rangeOf(driver) {
  return peerDependencies[driver].split(' || ').at(driver === 'better-sqlite3' ? 0 : -1);
}

/** As `new NodePackageInstallTask()` of the devkit, which is the CLI's and not ours to load. Scripts run as with any install. */
function installTask(tree) {
  const isBun = tree.exists('bun.lock') || tree.exists('bun.lockb');
  const options = { command: 'install', quiet: true, allowScripts: true, ...(isBun && { packageManager: 'bun' }) };
  return { toConfiguration: () => ({ name: 'node-package', options }) };
}

function linesOf({ imports, options, drivers }) {
  const lines = imports.map(({ name, from }) => `import { ${name} } from '${from}';`);
  const driver =
    drivers.length > 0 ? ['', `package.json, dependencies: "${drivers[0]}": "${rangeOf(drivers[0])}"`] : [];
  return ['', ...lines, '', `@Module({ imports: [SseModule.forRoot(${options})] })`, ...driver, ''].join('\n');
}

module.exports = { nestAdd };
