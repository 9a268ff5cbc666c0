// Fan-out over TLS and HTTP/2, on Fastify, with a client in Node (bench/load/secure-client.mjs). TLS encrypts for each
// connection, so no bytes are shared there; what is left to share is the encoding of the event.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { program } from '../harness/build.mjs';
import { runOne } from '../harness/run-one.mjs';

const STREAMS = 200;
const PROTOCOLS = ['HTTP/1.1', 'HTTP/1.1, TLS', 'HTTP/2, TLS'];
const CLIENT = [process.execPath, fileURLToPath(new URL('../load/secure-client.mjs', import.meta.url))];

export const secure = {
  name: 'secure',
  title: 'TLS and HTTP/2',
  about: `${STREAMS} streams of one topic, events of 100 bytes, 20 a second; over HTTP/2 ten streams share a connection. The client is one in Node, so compare within this table only.`,
  cases: ['ours-fastify', 'nest-fastify'].flatMap((server) =>
    PROTOCOLS.map((title, protocol) => ({ name: `${server} ${protocol}`, title: `${server}, ${title}`, server })),
  ),
  columns: [
    { key: 'cpuPerDeliveryUs', heading: 'CPU µs per event', digits: 2 },
    { key: 'p50Us', heading: 'p50 µs', digits: 0 },
    { key: 'p99Us', heading: 'p99 µs', digits: 0 },
  ],
  ratios: [],
  maxRounds: 2,
  measure(name, { isQuick }) {
    const [server, number] = name.split(' ');
    const protocol = Number(number);
    const certificate = protocol === 0 ? {} : makeCertificate();
    const options = { adapter: protocol === 0 ? {} : { http2: protocol === 2, https: certificate } };
    return runOne(
      server,
      options,
      async (bench) => {
        await bench.open({ protocol, count: STREAMS });
        const deliveries = (published) => published * STREAMS;
        await bench.publish('paced', { rate: 20, seconds: isQuick ? 1 : 2 }, deliveries);
        return bench.publish('paced', { rate: 20, seconds: isQuick ? 2 : 4 }, deliveries);
      },
      CLIENT,
    );
  },
};

/** Paths of a key and a certificate for this run. */
function makeCertificate() {
  const [key, cert] = [program('key.pem'), program('cert.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=localhost', '-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) throw new Error('openssl is needed to make a certificate');
  return { key, cert };
}
