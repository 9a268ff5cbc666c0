import { readFileSync } from 'node:fs';

/** The samples of docs/clients-frameworks.md that are files of their own, by the name in their first line. */
export const recipes: ReadonlyMap<string, string> = new Map(
  [
    ...readFileSync('docs/clients-frameworks.md', 'utf8').matchAll(/^```\w+\n((?:\/\/|<!--) (\S+\.\w+)[^]*?)^```$/gm),
  ].map(([, text = '', name = '']) => [name, text]),
);

/** Which recipe a recipe imports by `./name.js`. */
export function imported(specifier: string): string | undefined {
  const name = /^\.\/(\S+)\.js$/.exec(specifier)?.[1];
  return [`${name}.ts`, `${name}.tsx`].find((file) => recipes.has(file));
}
