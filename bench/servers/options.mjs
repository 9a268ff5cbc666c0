import { readFileSync } from 'node:fs';

/**
 * What a Nest server was started with, as JSON: the module's options, and the Fastify adapter's with paths for key and
 * certificate.
 *
 * @param {string} [json]
 */
export function parseOptions(json = '{}') {
  // JSON has no Infinity: the text stands for it.
  const { module = {}, adapter = {} } = JSON.parse(json, (_key, value) => (value === 'Infinity' ? Infinity : value));
  if (adapter.https === undefined) return { module, adapter };
  const { key, cert } = adapter.https;
  return { module, adapter: { ...adapter, https: { key: readFileSync(key), cert: readFileSync(cert) } } };
}
