/** A seeded source of random numbers (mulberry32), so that a run can be repeated. */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    /** A whole number from `from` up to but not including `to`. */
    int: (from, to) => from + Math.floor(next() * (to - from)),
    chance: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)],
    sample(values, count) {
      const rest = [...values];
      return Array.from({ length: count }, () => rest.splice(Math.floor(next() * rest.length), 1)[0]);
    },
  };
}
