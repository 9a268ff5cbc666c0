// Writes the samples of the README that are files into src/readme.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const readme = readFileSync('node_modules/nestjs-event-stream/README.md', 'utf8');
mkdirSync('src/readme', { recursive: true });
for (const [, text, name] of readme.matchAll(/^```ts\n(\/\/ (\S+\.ts)\n[^]*?)^```$/gm)) {
  writeFileSync(`src/readme/${name}`, text);
}
