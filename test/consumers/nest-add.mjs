// Runs the real `nest add` in applications of a consumer: the one of the README, and some that it shall leave alone.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { type = 'commonjs' } = JSON.parse(readFileSync('package.json', 'utf8'));
const bin = (path) => join(process.cwd(), 'node_modules', path);
const NEST = bin('@nestjs/cli/bin/nest.js');

const readme = readFileSync('node_modules/nestjs-event-stream/README.md', 'utf8');
const samples = Object.fromEntries(
  [...readme.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([^]*?)^```$/gm)].map(([, name, text]) => [name, inModules(text)]),
);
const finished = samples['app.module.ts'];
const before = finished.replace(/^import { SseModule.*\n/m, '').replace(/^ *imports: .*\n/m, '');
assert.ok(!before.includes('SseModule'));

await addToTheReadme();
installAnEngine();
refuseAnEngineThatIsNone();
leaveAloneWhatIsDoubtful();
console.log('nest add makes the application of the README');

async function addToTheReadme() {
  const app = create('readme', before);
  run(app, NEST, 'add', 'nestjs-event-stream', '--skip-install');
  assert.equal(read(app, 'src/app.module.ts'), finished);
  run(app, bin('typescript/bin/tsc'));
  await listen(app);
  changesNothing(app, 'add', 'nestjs-event-stream', '--skip-install');
}

/** As `nest add nestjs-event-stream --engine=redis` goes on once it has installed the package, which no registry has yet. */
function installAnEngine() {
  const app = create('engine', before);
  const schematics = bin('@angular-devkit/schematics-cli/bin/schematics.js');
  run(app, schematics, 'nestjs-event-stream:nest-add', '--source-root=src', '--engine=redis');
  assert.match(read(app, 'src/app.module.ts'), /redisEngine\({ url: process\.env\.REDIS_URL }\)/);
  assert.ok(existsSync(join(app, 'node_modules/ioredis')), 'the driver is installed');
  run(app, bin('typescript/bin/tsc'));
  changesNothing(app, 'add', 'nestjs-event-stream', '--engine=redis', '--skip-install');
}

function refuseAnEngineThatIsNone() {
  const output = changesNothing(create('refused', before), 'add', 'nestjs-event-stream', '-s', '--engine', 'mongo');
  assert.match(output, /"redis", "postgres", "nats", "sqlite"/);
}

function leaveAloneWhatIsDoubtful() {
  const app = create('doubtful', before.replace('@Module({', 'const imports: [] = [];\n\n@Module({\n  imports,'));
  const output = changesNothing(app, 'add', 'nestjs-event-stream', '--skip-install');
  assert.match(output, /^ *import { SseModule } from 'nestjs-event-stream';$/m);
  run(app, bin('typescript/bin/tsc'));
}

/** An application beside the others, which finds the packages of the consumer. */
function create(name, appModule) {
  const app = join('apps', name);
  rmSync(app, { recursive: true, force: true });
  mkdirSync(join(app, 'src'), { recursive: true });
  const files = {
    ...samples,
    'app.module.ts': appModule,
    'main.ts': inModules(`import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  console.log(await app.getUrl());
}
void bootstrap();
`),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(app, 'src', file), text);
  writeFileSync(join(app, 'package.json'), `${JSON.stringify({ name, private: true, type }, null, 2)}\n`);
  writeFileSync(join(app, 'nest-cli.json'), '{ "sourceRoot": "src" }\n');
  writeFileSync(join(app, 'tsconfig.json'), '{ "extends": "../../tsconfig.json", "include": ["src"] }\n');
  return app;
}

/** CommonJS applications leave off the `.js`, as the README says. */
function inModules(text) {
  return type === 'module' ? text : text.replace(/(from '\.\/.*)\.js'/g, `$1'`);
}

function run(app, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: app, encoding: 'utf8' });
  assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`);
}

function changesNothing(app, ...args) {
  const files = readdirSync(app, { recursive: true }).filter((name) => /^(src.|[^/\\]+\.json$)/.test(name));
  const texts = () => files.map((name) => read(app, name));
  const earlier = texts();
  const { stdout, stderr } = spawnSync(process.execPath, [NEST, ...args], { cwd: app, encoding: 'utf8' });
  assert.deepEqual(texts(), earlier);
  return stdout + stderr;
}

function read(app, name) {
  return readFileSync(join(app, name), 'utf8');
}

/** What `curl` shows in the README. */
async function listen(app) {
  const server = spawn(process.execPath, [join(app, 'dist/main.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const signal = AbortSignal.timeout(20_000);
    const [url] = await once(server.stdout.setEncoding('utf8'), 'data', { signal });
    const response = await fetch(`${url.trim()}/stocks/AAPL`, { signal });
    let received = '';
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      received += text;
      if (/^event: tick\ndata: {"price":[\d.]+}$/m.test(received)) return;
    }
    assert.fail(`there is no price in ${received}`);
  } finally {
    server.kill();
  }
}
