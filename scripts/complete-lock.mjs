// Adds to the lock files what a registry mirror may lack: the packages of other platforms, such as @swc/core-darwin-arm64.
// npm 11 locks without a word what it could find, and then `npm ci` refuses that lock as incomplete, on every platform.
// Run `npm run lock` after an install that brought a package with binaries; where nothing is missing it changes nothing.
import { readFileSync, writeFileSync } from 'node:fs';

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

for (const file of process.argv.slice(2)) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  for (const { dev, optionalDependencies = {} } of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const key = `node_modules/${name}`;
      const words = name.split(/[/-]/);
      const os = systems.filter((word) => words.includes(word));
      const cpu = processors.filter((word) => words.includes(word));
      if (key in lock.packages || os.length === 0 || cpu.length === 0) continue;
      lock.packages[key] = { version, cpu, ...(dev && { dev }), optional: true, os };
      console.log(`${file}: ${name}@${version}`);
    }
  }
  const packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
}
