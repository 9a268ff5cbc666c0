/** More senders than a server mostly has connections. */
const MAX_SENDERS = 1_024;

/** What senders say that the newest number is. */
export type Claims = ReadonlyMap<number, number>;

/**
 * What notifications are worth. Any role that may log in to the database can send them, as many as it likes, so one says at most that it
 * is time to read; what there is stands in the tables. But a sender cannot choose the number of its process, which the server adds. Who
 * has claimed what turned out not to be there is not worth a read of its own any more, until a claim of his proves true.
 *
 * So whatever is sent, there is a read at once for each connection of a stranger and for each commit of ours, and beyond those as
 * many as "soon" allows.
 */
export class Alarm {
  readonly #liars = new Set<number>();
  #claims = new Map<number, number>();
  #isDoubtful = false;

  /** How soon the log is to be read. */
  get urgency(): 'now' | 'soon' | 'no' {
    for (const sender of this.#claims.keys()) if (!this.#liars.has(sender)) return 'now';
    return this.#isDoubtful ? 'soon' : 'no';
  }

  /** @param place up to where the log has been read */
  ring(sender: number, payload: string, place: number): void {
    // Probes, and what no node of ours has ever sent.
    if (!/^[1-9]\d{0,15}$/.test(payload)) return;
    const seq = Number(payload);
    const isOneMore = !this.#claims.has(sender) && this.#claims.size >= MAX_SENDERS;
    // What has been read was read with an earlier one; or the log has begun anew.
    if (seq > place && !isOneMore) this.#claims.set(sender, Math.max(seq, this.#claims.get(sender) ?? 0));
    this.#isDoubtful ||= seq <= place || isOneMore || this.#liars.has(sender);
  }

  /** The claims of before a read. */
  take(): Claims {
    const claims = this.#claims;
    this.#claims = new Map();
    this.#isDoubtful = false;
    return claims;
  }

  /** @param head the newest number, as of a read that began after the claims were taken */
  judge(claims: Claims, head: number): void {
    for (const [sender, seq] of claims) {
      this.#liars.delete(sender);
      if (seq > head) this.#liars.add(sender);
    }
    for (const [sender, seq] of this.#claims) if (seq <= head) this.#claims.delete(sender);
    for (const sender of this.#liars) {
      if (this.#liars.size <= MAX_SENDERS) return;
      this.#liars.delete(sender);
    }
  }
}
