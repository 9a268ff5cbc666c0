/** So many ids that are no positions are remembered. */
const MOST_IDS = 256;

/** What lies behind the reader of a stream. */
export class Passed {
  /** Where it resumes. */
  place = '';
  /** Where it is: behind a reset that is not the place, as events are missing between. */
  spot = '';
  #epoch: string | undefined;
  #number = 0;
  /** Those that an application has given: they have no order. */
  readonly #ids: string[] = [];

  constructor(place: string) {
    this.goTo(place);
  }

  goTo(place: string, isReset = false): void {
    this.place = place;
    // No id has this character.
    this.spot = isReset ? `${place}\0` : place;
    const [epoch, number] = positionOf(place);
    if (epoch) {
      this.#epoch = epoch;
      this.#number = number;
    } else if (place && !this.#ids.includes(place) && this.#ids.push(place) > MOST_IDS) this.#ids.shift();
  }

  /** Whether all up to that spot is behind the reader; `false` also where nobody knows. */
  has(spot: string): boolean {
    return spot === this.spot || this.#ids.includes(spot) || this.#lead(spot) <= 0;
  }

  /** Whether what leads from one spot to the other follows on what is behind the reader. */
  isFollowedBy(from: string, to: string): boolean {
    // Where a place has no order, nobody knows whether it lies before this one.
    return from === this.spot || (this.has(from) && this.#lead(this.place) === 0 && this.#lead(to) > 0);
  }

  /** How far ahead of the last position. */
  #lead(spot: string): number {
    const [epoch, number] = positionOf(spot);
    return epoch === this.#epoch ? number - this.#number : NaN;
  }
}

/** Of an id that the log has given: those of one epoch have an order. */
function positionOf(id: string): [epoch: string | undefined, number: number] {
  const [, epoch, number = ''] = /^([\da-z]{6})\.([\da-z]+)\.[\da-z]+$/.exec(id) ?? [];
  return [epoch, parseInt(number, 36)];
}
