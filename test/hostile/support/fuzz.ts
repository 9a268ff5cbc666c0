import { createRandom, type Random } from '../../faults/support/random.mjs';

/** How the cases of one run are shared out; together they are `FUZZ_CASES`. */
const SHARES = { parser: 0.6, position: 0.3, resume: 0.04, publish: 0.06 };

export interface Fuzz {
  readonly seed: number;
  readonly cases: number;
  readonly random: Random;
}

/** `FUZZ_SEED` repeats a run, `FUZZ_CASES` makes it longer or shorter. The seed is printed, so that it can be repeated. */
export function startFuzz(kind: keyof typeof SHARES): Fuzz {
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const cases = Math.ceil(Number(process.env.FUZZ_CASES ?? 1_050_000) * SHARES[kind]);
  process.stdout.write(`fuzz ${kind}: FUZZ_SEED=${seed}, ${cases} cases\n`);
  return { seed, cases, random: createRandom(seed) };
}

/** What a test throws for one bad case, with all that is needed to repeat it. */
export function caseFailed({ seed }: Fuzz, number: number, what: string, input: unknown): Error {
  return new Error(`FUZZ_SEED=${seed}, case ${number}: ${what}\n${JSON.stringify(input)}`);
}

/** Changes a string a little, in one of the ways in which strings get damaged. */
export function mutate(text: string, random: Random, alphabet: readonly string[]): string {
  const at = random.int(0, text.length + 1);
  const other = random.pick(alphabet);
  switch (random.int(0, 8)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(at);
    case 2:
      return text.slice(0, at) + other + text.slice(at);
    case 3:
      return text.slice(0, at) + other + text.slice(at + 1);
    case 4:
      return text.slice(0, at) + text.slice(at + random.int(1, 4));
    case 5:
      return text.slice(0, at) + text.slice(at, at + 3).repeat(random.int(2, 5)) + text.slice(at + 3);
    case 6:
      return text.toUpperCase();
    default:
      return text + other + text;
  }
}

/** ES2024, but not in the `lib` that this project compiles against. */
export function wellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}
