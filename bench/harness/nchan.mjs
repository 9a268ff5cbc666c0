// nchan, the pub/sub module of nginx: the fastest server of its kind that is in wide use. One worker, messages in memory.
//
// It cannot publish by itself. Events come over HTTP, on one kept connection, from bench/load/publish.c on the other
// core: what nginx spends on receiving them is part of its CPU time, as it would be in use.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { program } from './build.mjs';
import { LOAD_CORE, SERVER_CORE } from './cores.mjs';
import { startLineProcess, startProcess } from './line-process.mjs';
import { childrenOf, cpuNs, residentBytes } from './usage.mjs';

const MODULES = [
  '/usr/lib/nginx/modules/ngx_nchan_module.so',
  '/usr/lib64/nginx/modules/ngx_nchan_module.so',
  '/usr/share/nginx/modules/ngx_nchan_module.so',
  '/etc/nginx/modules/ngx_nchan_module.so',
];

/** The module, if there is an nginx to load it. */
export function findNchan() {
  return spawnSync('nginx', ['-v']).error === undefined ? MODULES.find((path) => existsSync(path)) : undefined;
}

export async function startNchan() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nchan-'));
  const file = join(folder, 'nginx.conf');
  const port = await freePort();
  writeFileSync(file, configuration(folder, port));
  const { child, ended } = startProcess(SERVER_CORE, 'nginx', '-c', file, '-p', folder, '-e', 'stderr');
  // Killing the master would leave its worker behind.
  const quit = () => child.kill('SIGTERM');
  process.on('exit', quit);
  const publisher = await connectPublisher(port);
  const pids = [child.pid, ...childrenOf(child.pid)];
  return {
    port,
    call: publisher.call,
    cpuNs: () => cpuNs(pids),
    residentBytes: () => residentBytes(pids.slice(1)),
    async stop() {
      await publisher.stop();
      process.off('exit', quit);
      quit();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function connectPublisher(port) {
  for (let attempt = 0; ; attempt++) {
    await delay(100);
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/plain`);
      await answer.text();
      break;
    } catch (error) {
      if (attempt === 30) throw error;
    }
  }
  return startLineProcess(LOAD_CORE, program('publish'), String(port));
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** The buffer is as long as our default history. */
function configuration(folder, port) {
  return `
load_module ${findNchan()};
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  nchan_shared_memory_size 1024M;
  nchan_message_buffer_length 1000;
  nchan_message_timeout 10m;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/publish/(\\d+)$ { nchan_publisher http; nchan_channel_id $1; }
    location ~ ^/events/(\\d+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
    location /plain { return 200 "ok"; }
  }
}
`;
}
