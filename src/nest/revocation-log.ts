import { Revocations } from '../connection/revocations.js';
import type { Revocation } from '../connection/revocations.js';
import type { Engine, Retention } from '../engine/engine.js';
import type { Hub } from '../hub/hub.js';
import { OwnTopic } from '../hub/own-topic.js';

type RevocationMessage = Revocation &
  ({ readonly op: 'revoke'; readonly forMs: number } | { readonly op: 'reinstate' });

/** A revocation holds for as long as it says, which is up to the application; so age does not bound them. */
const RETENTION: Retention = { maxEvents: 100_000, maxBytes: 33_554_432, maxAgeMs: Infinity };

/** The revocations that all nodes know of, those that were made before this one was started too. */
export class RevocationLog {
  readonly current = new Revocations();
  readonly #topic: OwnTopic<RevocationMessage>;
  readonly #onRevoked: (principalId: string) => void;
  #loaded: Promise<void> | undefined;

  /** @param onRevoked is called when streams of a principal may have to end */
  constructor(hub: Hub, engine: Engine, onRevoked: (principalId: string) => void) {
    this.#onRevoked = onRevoked;
    const onMessage = (message: RevocationMessage, atMs: number): void => this.#take(message, atMs);
    this.#topic = new OwnTopic(hub, engine, { name: '/revocations', retention: RETENTION, onMessage });
  }

  /** Resolves when all that was revoked is known here. */
  load(): Promise<void> {
    return (this.#loaded ??= this.#topic.load());
  }

  async revoke(revocation: Revocation, forMs: number): Promise<void> {
    this.#add(revocation, Date.now(), forMs);
    await this.#topic.send({ op: 'revoke', ...revocation, forMs });
  }

  async reinstate(revocation: Revocation): Promise<void> {
    this.current.delete(revocation);
    await this.#topic.send({ op: 'reinstate', ...revocation });
  }

  close(): void {
    this.#topic.close();
  }

  #take({ op, principalId, topic, ...more }: RevocationMessage, atMs: number): void {
    const forMs = 'forMs' in more ? more.forMs : 0;
    if (op === 'reinstate') this.current.delete({ principalId, topic });
    else if (op === 'revoke' && atMs + forMs > Date.now()) this.#add({ principalId, topic }, atMs, forMs);
  }

  #add(revocation: Revocation, atMs: number, forMs: number): void {
    this.current.add(revocation, atMs, forMs);
    this.#onRevoked(revocation.principalId);
  }
}
