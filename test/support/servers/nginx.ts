import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerSpec } from '../server-process.js';

/** nginx with the file of docs/scaling.md, in front of one node. */
export function nginxServer(nodePort: number): ServerSpec {
  return {
    name: 'nginx',
    command: (port, folder) => {
      writeFileSync(join(folder, 'nginx.conf'), configuration(port, nodePort));
      return ['nginx', '-p', folder, '-e', 'stderr', '-c', 'nginx.conf'];
    },
    stopSignal: 'SIGTERM',
  };
}

function configuration(port: number, nodePort: number): string {
  const [, , sample = ''] =
    /### nginx\n([^]*?)```nginx\n([^]*?)^```$/m.exec(readFileSync('docs/scaling.md', 'utf8')) ?? [];
  const http = [
    ['  server 10.0.0.1:3000 ', `  server 127.0.0.1:${nodePort} `],
    ['  server 10.0.0.2:3000 max_fails=0;\n', ''],
    ['listen 443 ssl http2;', `listen 127.0.0.1:${port};`],
  ].reduce((text, [from = '', to = '']) => {
    if (!text.includes(from)) throw new Error(`The file of docs/scaling.md has no ${from}`);
    return text.replace(from, to);
  }, sample);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
  return [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off; pid nginx.pid; error_log stderr warn; events {}',
    `http { access_log off; ${temporary.join(' ')}`,
    http,
    '}\n',
  ].join('\n');
}
