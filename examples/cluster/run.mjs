// `npm run cluster`: a server for the log, two nodes of the application beside this file, and a load balancer before them.
//
//   --engine redis|postgres|nats   where the log lives; otherwise the first whose server is installed
//   --url redis://…                a server that runs already, instead of one that is started here
//   --nodes 2                      how many nodes, up to 9
//   --balancer nginx|node          otherwise nginx, when it is installed
//   --port 3001                    where the balancer listens, beside the showcase on 3000; 0: somewhere
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createBalancer } from './balancer.mjs';
import { engines, findProgram, freePort, isFree } from './servers.mjs';

const RESTART_MS = 3_000;
const START_DEADLINE_MS = 30_000;
/** Longer than the nodes need to say good-bye to their clients. */
const STOP_DEADLINE_MS = 8_000;

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, '.cache/cluster');

const options = readOptions();
const folder = mkdtempSync(join(tmpdir(), 'sse-cluster-'));
/** What was started and has not ended. */
const running = new Set();
let isStopping = false;

// Whatever ends this process, nothing is left behind. A negative number stands for a process and those that it has started.
process.on('exit', () => {
  for (const { pid } of running) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop(0));

try {
  // Before the building: nobody should wait for it to hear that the port is taken.
  await checkPort();
  compile();
  const engineUrl = options.url ?? (await startEngine());
  const nodes = await startNodes(engineUrl);
  const runnerPort = await startRunner(nodes);
  const port = Number(options.port) || (await freePort());
  const balancer = await startBalancer(port, nodes, runnerPort);
  console.log(`Ready, behind ${balancer}: http://localhost:${port} (Ctrl-C ends everything)`);
} catch (error) {
  if (!isStopping) fail(error.message);
}

function readOptions() {
  const names = ['engine', 'url', 'nodes', 'balancer', 'port'];
  const defaults = { nodes: '2', port: '3001' };
  const known = Object.fromEntries(names.map((name) => [name, { type: 'string', default: defaults[name] }]));
  const values = parse(known);
  const { engine, nodes, balancer } = values;
  if (engine !== undefined && !(engine in engines)) fail(`--engine must be one of ${Object.keys(engines).join(', ')}`);
  if (!/^[1-9]$/.test(nodes)) fail('--nodes must be 1 to 9');
  if (balancer !== undefined && !['nginx', 'node'].includes(balancer)) fail('--balancer must be nginx or node');
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) fail('--port must be 0 to 65535');
  return values;
}

function parse(known) {
  try {
    return parseArgs({ options: known }).values;
  } catch (error) {
    return fail(error.message);
  }
}

async function checkPort() {
  const port = Number(options.port);
  if (await isFree(port)) return;
  fail(`Port ${port} is taken or may not be used. Another one: npm run cluster -- --port ${port + 1}`);
}

/** The package, when its sources have changed, and the examples. */
function compile() {
  console.log('Compiling the example …');
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.examples.json', '--outDir', built];
  for (const args of [[join(root, 'scripts/build.mjs'), '--if-stale'], tsc]) {
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) throw new Error(`${args[0]} has failed`);
  }
  for (const part of [
    'public',
    '../showcase/public/chat',
    '../showcase/public/lib',
    '../showcase/public/style.css',
    '../showcase/public/icon.svg',
    '../../dist/client.js',
  ]) {
    const name = part === 'public' ? '' : basename(part);
    cpSync(join(here, part), join(built, 'cluster/public', name), { recursive: true });
  }
}

async function startEngine() {
  const name = options.engine ?? Object.keys(engines).find((each) => engines[each].program !== undefined);
  if (name === undefined) fail(`No server to keep the log on: ${Object.values(engines).map(install).join(', or ')}`);
  const engine = engines[name];
  if (engine.program === undefined) fail(`There is no server for --engine ${name}: ${install(engine)}`);
  const port = await freePort();
  const { program, args, user, signal } = engine.command(engine.program, String(port), folder);
  startServer(program, args, { ...user, signal, cwd: folder });
  await listening(port);
  console.log(`${name}: port ${port}`);
  return engine.url(port);
}

function install({ debian }) {
  return `apt-get install ${debian}`;
}

/** The nodes, each with its name, its port and its process; one that ends is started again. */
async function startNodes(engineUrl) {
  const nodes = [];
  for (const name of 'abcdefghi'.slice(0, Number(options.nodes))) {
    const node = { name, port: await freePort(), state: 'starting', child: undefined };
    nodes.push(node);
    void keepAlive(node, engineUrl);
  }
  await Promise.all(nodes.map(({ port }) => listening(port)));
  console.log(`nodes: ${nodes.map(({ name, port }) => `${name} on port ${port}`).join(', ')}`);
  return nodes;
}

async function keepAlive(node, engineUrl) {
  const env = { ...process.env, PORT: node.port, NODE_NAME: node.name, ENGINE_URL: engineUrl };
  while (!isStopping) {
    node.state = 'starting';
    node.child = start(process.execPath, [join(built, 'cluster/main.js')], { env }, (text) =>
      process.stdout.write(text.replace(/^(?=.)/gm, `[${node.name}] `)),
    );
    const ended = new Promise((resolve) => node.child.once('exit', resolve));
    await Promise.race([listening(node.port).catch(() => undefined), ended]);
    if (node.child.exitCode === null && node.child.signalCode === null) node.state = 'up';
    await ended;
    node.state = 'down';
    await delay(RESTART_MS, undefined, { ref: false });
  }
}

/** What the buttons of the page ask for. */
async function startRunner(nodes) {
  const port = await freePort();
  const server = createServer(({ method, url }, response) => {
    const [, name] = /^\/runner\/nodes\/([a-i])\/kill$/.exec(url) ?? [];
    const node = nodes.find((each) => each.name === name);
    if (method === 'POST' && node !== undefined) kill(node);
    else if (method !== 'GET' || url !== '/runner/nodes') return response.writeHead(404).end();
    response.setHeader('content-type', 'application/json');
    response.setHeader('cache-control', 'no-store');
    response.end(JSON.stringify(nodes.map(({ name, state }) => ({ name, state }))));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return port;
}

function kill(node) {
  if (node.child.kill('SIGKILL')) node.state = 'down';
}

async function startBalancer(port, nodes, runnerPort) {
  const nginx = options.balancer === 'node' ? undefined : findProgram('nginx', process.env.NGINX);
  const nodePorts = nodes.map((node) => node.port);
  if (nginx === undefined) {
    if (options.balancer === 'nginx') fail('There is no nginx: apt-get install nginx');
    const server = createBalancer(nodePorts, runnerPort);
    await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return 'a balancer in Node';
  }
  const servers = nodePorts.map((each) => `server 127.0.0.1:${each} max_fails=0;`);
  const values = { PORT: port, RUNNER_PORT: runnerPort, NODES: servers.join('\n    ') };
  const template = readFileSync(join(here, 'nginx.conf'), 'utf8');
  const conf = join(folder, 'nginx.conf');
  writeFileSync(
    conf,
    template.replace(/\$\{([A-Z_]+)\}/g, (text, name) => values[name] ?? text),
  );
  startServer(nginx, ['-p', folder, '-c', conf, '-e', 'stderr']);
  await listening(port);
  return 'nginx';
}

/** Starts a program that has to run until the end. What it has said is shown when it does not. */
function startServer(program, args, options) {
  let said = '';
  const server = start(program, args, options, (text) => (said = (said + text).slice(-2_000)));
  server.once('close', () => isStopping || fail(`${program} has ended\n${said}`));
}

/** Starts a program in a process group of its own: Ctrl-C is for this process, which ends the others in order. */
function start(program, args, { signal = 'SIGTERM', ...more } = {}, onOutput) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...more });
  child.once('error', ({ message }) => fail(`${program}: ${message}`));
  child.once('spawn', () => running.add(child)).once('exit', () => running.delete(child));
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onOutput);
  return Object.assign(child, { stopSignal: signal });
}

/** Waits until somebody listens on a port. */
async function listening(port) {
  for (const deadline = Date.now() + START_DEADLINE_MS; !isStopping;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (Date.now() > deadline) throw new Error(`Nobody listens on port ${port}`);
    await delay(50);
  }
}

/** Ends the nodes, then what they use. */
async function stop(code) {
  if (isStopping) return;
  isStopping = true;
  const [others, nodes] = [[], []];
  for (const child of running) (child.spawnfile === process.execPath ? nodes : others).push(child);
  for (const group of [nodes, others]) {
    for (const child of group) child.kill(child.stopSignal);
    const deadline = Date.now() + STOP_DEADLINE_MS;
    while (group.some((child) => running.has(child)) && Date.now() < deadline) await delay(20);
  }
  process.exit(code);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
