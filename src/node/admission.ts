import { addressKey } from './address.js';

/** How many streams may be open at once. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerPrincipal: number;
  readonly connectionsPerAddress: number;
}

/** Whose streams are counted. */
export interface Counted {
  readonly principal: { readonly id: string } | null;
  readonly address: string | undefined;
}

/** Counts streams from the request to the end, and says when there are too many. */
export class Admission {
  readonly #limits: ConnectionLimits;
  readonly #byPrincipal = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  readonly #inside = new Set<Counted>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** How many are counted in. */
  get count(): number {
    return this.#inside.size;
  }

  /** Counts one in, or answers which limit is in the way. */
  enter(one: Counted): keyof ConnectionLimits | undefined {
    const { connections, connectionsPerPrincipal, connectionsPerAddress } = this.#limits;
    if (this.#inside.size >= connections) return 'connections';
    const { principal, address } = this.#keysOf(one);
    if (countOf(this.#byPrincipal, principal) >= connectionsPerPrincipal) return 'connectionsPerPrincipal';
    if (countOf(this.#byAddress, address) >= connectionsPerAddress) return 'connectionsPerAddress';
    this.#inside.add(one);
    add(this.#byPrincipal, principal, 1);
    add(this.#byAddress, address, 1);
    return undefined;
  }

  /** Counts one out; harmless for one that was not counted in. */
  leave(one: Counted): void {
    if (!this.#inside.delete(one)) return;
    const { principal, address } = this.#keysOf(one);
    add(this.#byPrincipal, principal, -1);
    add(this.#byAddress, address, -1);
  }

  /** An address is asked for only where addresses are counted: to know it has a price. */
  #keysOf(one: Counted): { principal: string | undefined; address: string | undefined } {
    const address = this.#limits.connectionsPerAddress === Infinity ? undefined : one.address;
    return { principal: one.principal?.id, address: address === undefined ? undefined : addressKey(address) };
  }
}

function countOf(counts: ReadonlyMap<string, number>, key: string | undefined): number {
  return key === undefined ? 0 : (counts.get(key) ?? 0);
}

function add(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return;
  const count = countOf(counts, key) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
