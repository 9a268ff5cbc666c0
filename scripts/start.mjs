// `npm start`: builds what has changed, and serves the showcase.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const port = readPort();

// Before the building: nobody should wait for it to hear that the port is taken.
await checkPort();
const { status } = spawnSync(process.execPath, ['scripts/build-showcase.mjs'], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
console.log('Starting …');
await import(new URL('../.cache/examples/showcase/main.js', import.meta.url)).catch(tellStart);

function readPort() {
  const given = process.env.PORT || '3000';
  if (/^\d{1,5}$/.test(given) && Number(given) <= 65_535) return Number(given);
  return fail(`PORT must be a whole number from 0 to 65535, got "${given}"`);
}

async function checkPort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(port, resolve)).catch(tellStart);
  await new Promise((resolve) => probe.close(resolve));
}

function tellStart(error) {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
  const why = error.code === 'EADDRINUSE' ? `Port ${port} is taken` : `Port ${port} may not be used`;
  fail(`${why}. Another one: PORT=${port < 1_024 ? 3_000 : port + 1} npm start`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
