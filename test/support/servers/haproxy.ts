import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerSpec } from '../server-process.js';

/** HAProxy with the file of docs/scaling.md, in front of two nodes. */
export function haproxyServer(nodePorts: readonly [number, number]): ServerSpec {
  return {
    name: 'haproxy',
    command: (port, folder) => {
      writeFileSync(join(folder, 'later.http'), sample('http'));
      writeFileSync(join(folder, 'haproxy.cfg'), configuration(port, nodePorts, folder));
      return ['haproxy', '-f', join(folder, 'haproxy.cfg')];
    },
  };
}

function configuration(port: number, nodePorts: readonly [number, number], folder: string): string {
  return [
    ['bind :443 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1', `bind 127.0.0.1:${port}`],
    ['10.0.0.1:3000', `127.0.0.1:${nodePorts[0]}`],
    ['10.0.0.2:3000', `127.0.0.1:${nodePorts[1]}`],
    ['/etc/haproxy/later.http', join(folder, 'later.http')],
  ].reduce((text, [from = '', to = '']) => {
    if (!text.includes(from)) throw new Error(`The file of docs/scaling.md has no ${from}`);
    return text.replaceAll(from, to);
  }, sample('haproxy'));
}

function sample(language: string): string {
  const [, text = ''] = readFileSync('docs/scaling.md', 'utf8').split('### HAProxy\n');
  return new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(text)?.[1] ?? '';
}
