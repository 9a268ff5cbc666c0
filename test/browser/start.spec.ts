import { describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Program } from './program.js';

jest.setTimeout(180_000);

describe('npm start', () => {
  it('says what it does, and where the showcase is', async () => {
    await using program = await Program.start('scripts/start.mjs', { PORT: '0' });

    const page = await fetch(program.origin);

    expect(page.status).toBe(200);
    expect(program.lines.at(-2)).toBe('Starting …');
    expect(program.lines.at(-1)).toMatch(/^Ready: http:\/\/localhost:\d+ /);
  });

  it('says of a port that is taken how to choose another', async () => {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;

    const lines = await Program.linesOf('scripts/start.mjs', { PORT: String(port) });
    server.close();

    expect(lines).toEqual([`Port ${port} is taken. Another one: PORT=${port + 1} npm start`]);
  });

  it.each(['abc', '-1', '70000'])('refuses the port %s', async (port) => {
    const lines = await Program.linesOf('scripts/start.mjs', { PORT: port });

    expect(lines).toEqual([`PORT must be a whole number from 0 to 65535, got "${port}"`]);
  });
});
