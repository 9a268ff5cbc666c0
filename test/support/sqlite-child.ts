// A process that owns a log: `sqlite-child.ts <driver> <path> <life> [<uid>]`. It appends without end and writes a line for each event
// that was acknowledged, as JSON; or one line with the message of the error, and ends.
import { SseError } from '../../src/errors.js';
import type { Retention } from '../../src/engine/engine.js';
import { sqliteEngine } from '../../src/sqlite/index.js';
import { loadDrivers } from './sqlite.js';

const PUBLISHERS = 16;
const RETENTION: Retention = { maxEvents: Infinity, maxBytes: Infinity, maxAgeMs: Infinity };

const [, , driverName, path = '', life = '', uid] = process.argv;
const driver = loadDrivers().find(({ name }) => name === driverName)?.driver;
if (uid !== undefined) {
  // What is loaded with the first connection may not be there for that user.
  if (driver !== undefined) new driver(':memory:').close();
  process.setuid?.(Number(uid));
}
const engine = sqliteEngine({ path, driver });

async function publish(topic: string): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${life}:${topic}:${n}`;
    const { seq, epoch } = await engine.append({ topic, data: Buffer.from(text), retention: RETENTION });
    // Written at once: a pipe's writes are synchronous.
    process.stdout.write(`${JSON.stringify({ seq, epoch, topic, text })}\n`);
  }
}

const publishers = Array.from({ length: PUBLISHERS }, (_, n) => publish(`t/${n}`));
await Promise.all(publishers).catch(async (error: unknown) => {
  process.stdout.write(`${JSON.stringify({ code: SseError.is(error) && error.code, message: String(error) })}\n`);
  await engine.close();
});
// A parent that is gone no longer reads.
process.stdout.on('error', () => process.exit());
