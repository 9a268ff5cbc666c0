export interface Random {
  next(): number;
  int(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  sample<T>(values: readonly T[], count: number): T[];
}

export function createRandom(seed: number): Random;
