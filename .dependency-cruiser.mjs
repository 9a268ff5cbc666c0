// Refuses what "Architecture" in CONTRIBUTING.md rules out: imports against the one direction, cycles, and Nest, RxJS, drivers or Node
// where they do not belong. Each layer is listed with the layers that it may import.
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';

// From the bottom to the top: each sees those before it.
const core = [
  'errors',
  'rules',
  'signals',
  'wire',
  'http',
  'topic',
  'engine',
  'feed',
  'hub',
  'connection',
  'access',
  'node',
];
const driver = ['errors', 'rules', 'wire', 'topic', 'engine'];

const layers = {
  ...Object.fromEntries(core.map((layer, at) => [layer, core.slice(0, at)])),
  nest: core,
  testing: [...core, 'nest'],
  dashboard: [...core, 'nest'],
  runs: [...core, 'nest'],
  client: ['errors', 'wire'],
  ai: ['errors', 'rules', 'wire'],
  sqlite: driver,
  redis: driver,
  nats: driver,
  postgres: driver,
};

const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** A folder of src, or the single file that stands for it (errors.ts, rules.ts). */
const inLayers = (...names) => `^src/(${names.join('|')})(/|\\.ts$)`;
/** A package, both when it is installed and when it could not be resolved. */
const packages = (...names) => `(^|node_modules/)(${names.join('|')})(/|$)`;

const onlyIn = (name, allowed, forbidden) => ({
  name,
  severity: 'error',
  from: { path: '^src/', pathNot: allowed },
  to: { path: forbidden },
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(layers).map(([layer, seen]) => ({
      name: `direction-of-${layer}`,
      severity: 'error',
      from: { path: inLayers(layer) },
      to: { path: '^src/', pathNot: inLayers(layer, ...seen) },
    })),
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'entry-points-are-not-imported',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: ['^src/index\\.ts$', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'kit-is-for-engines',
      comment: 'whoever uses an engine goes by its contract',
      severity: 'error',
      from: { path: '^src/', pathNot: inLayers('engine', 'sqlite', 'redis', 'nats', 'postgres') },
      to: { path: '^src/engine/kit/' },
    },
    {
      name: 'every-folder-is-a-layer',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/index\\.ts$', inLayers(...Object.keys(layers))] },
      to: {},
    },
    onlyIn('react-in-its-binding', '^src/client/react/', packages('react', 'react-dom')),
    onlyIn('vue-in-its-binding', '^src/client/vue/', packages('vue', '@vue/[^/]+')),
    onlyIn(
      'nest-at-the-edge',
      inLayers('nest', 'testing', 'dashboard', 'runs'),
      packages('@nestjs/[^/]+', 'reflect-metadata'),
    ),
    // Observables come in as sources, and topics go out as Observables.
    onlyIn(
      'rxjs-at-the-edge',
      [inLayers('nest', 'testing'), '^src/connection/(observe|selection)\\.ts$'],
      packages('rxjs'),
    ),
    {
      name: 'only-what-users-install',
      comment: 'devDependencies are not there for whoever installs the package, not even as types',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/', pathNot: packages(...Object.keys({ ...dependencies, ...peerDependencies })) },
    },
    {
      name: 'browser-safe',
      severity: 'error',
      from: { path: '^src/(client|wire)/' },
      to: { path: `^(node:)?(${builtinModules.join('|')})$`, reachable: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: { path: '\\.spec\\.ts$' },
    doNotFollow: { path: 'node_modules' },
  },
};
