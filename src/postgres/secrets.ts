import { cleanError, secretsOf } from '../engine/kit/clean-error.js';

/** What must not be told of how an engine connects. */
export class Secrets {
  readonly #known = new Set<string>();

  /** Learns those of a `connectionString`, or of settings of the package `pg`. */
  learn(given: unknown): void {
    if (typeof given === 'string') this.#addAddress(given);
    if (typeof given !== 'object' || given === null) return;
    const { connectionString, password } = given as { connectionString?: unknown; password?: unknown };
    if (typeof connectionString === 'string') this.#addAddress(connectionString);
    if (typeof password === 'string') this.#add(password);
  }

  /** The same settings, of which a password that is only made for each connection is learnt when it is. */
  watch<T extends object>(config: T): T {
    const { password } = config as { password?: unknown };
    this.learn(config);
    if (typeof password !== 'function') return config;
    const watched = async (...args: unknown[]): Promise<unknown> => {
      const made: unknown = await Reflect.apply(password, config, args);
      if (typeof made === 'string') this.#add(made);
      return made;
    };
    return { ...config, password: watched };
  }

  readonly clean = (error: unknown): Error => {
    // What is part of another must not be taken out before it.
    return cleanError(
      error,
      [...this.#known, process.env['PGPASSWORD'] ?? ''].sort((one, other) => other.length - one.length),
    );
  };

  #add(password: string): void {
    this.#known.add(password).add(encodeURIComponent(password));
  }

  #addAddress(address: string): void {
    for (const secret of secretsOf(address)) this.#known.add(secret);
    const query = address.slice(address.indexOf('?') + 1);
    if (address.includes('?')) this.#addQuery(query);
  }

  /** Settings may also stand behind the address. */
  #addQuery(query: string): void {
    for (const pair of query.split('&')) if (pair.startsWith('password=')) this.#known.add(pair.slice(9));
    const password = new URLSearchParams(query).get('password');
    if (password !== null && password !== '') this.#add(password);
  }
}
