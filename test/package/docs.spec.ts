import { beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const root = process.cwd();
const docs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
/** Declares what samples import that has no types here. */
const NOT_INSTALLED = 'test/types/not-installed.d.ts';

const pages = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.map((name) => `docs/${name}`)];

/** A sample that stands alone. `ts fragment` marks the others, which are not compiled. */
interface Sample {
  readonly page: string;
  /** The line of the page before the sample's first. */
  readonly line: number;
  /** Where the compiler finds it: a page is a folder, and samples that begin with `// name.ts` can import each other. */
  readonly file: string;
  readonly text: string;
}

const samples = pages.flatMap(samplesOf);

describe('the samples', () => {
  let problems: readonly string[];
  beforeAll(() => {
    problems = compile();
  }, 120_000);

  test('there are some on most pages', () => {
    expect(new Set(samples.map(({ page }) => page)).size).toBeGreaterThan(8);
  });

  test.each(pages)('of %s compile', (page) => {
    expect(problems.filter((problem) => problem.startsWith(`${page}:`))).toEqual([]);
  });
});

describe.each(pages)('%s', (page) => {
  test('links to files and headings that exist', () => {
    expect(linksOf(page).filter((target) => !leadsSomewhere(page, target))).toEqual([]);
  });

  test('names tests and benches that exist: it does not link to them, because the package does not have them', () => {
    const named = readFileSync(page, 'utf8').matchAll(/`((?:bench|test|src)\/[\w/-]+\.(?:spec\.ts|mjs|md))`/g);
    expect([...named].map(([, file]) => file!).filter((file) => !existsSync(file))).toEqual([]);
  });

  test('names no path of a machine', () => {
    expect(readFileSync(page, 'utf8')).not.toMatch(/(^|[\s"'`(])\/(home|root|tmp|work|Users)\//m);
  });
});

test('the words are those of the code', () => {
  const rows = readFileSync('CONTRIBUTING.md', 'utf8').matchAll(/^\| [\w -]+ \| .+ \| `(\w+)` \|$/gm);
  const code = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) => readFileSync(join('src', file), 'utf8'))
    .join('\n');
  const names = [...rows].map(([, name]) => name!);

  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !new RegExp(`(class|interface|type|function) ${name}\\b`).test(code))).toEqual([]);
});

test('the index links to every page', () => {
  const linked = linksOf('docs/README.md').map((target) => target.split('#')[0]);
  expect(docs.filter((name) => name !== 'README.md' && !linked.includes(name))).toEqual([]);
});

test('the versions are those that recipes for frameworks are run with', () => {
  const [, table = ''] = readFileSync('docs/clients-frameworks.md', 'utf8').split('## Versions');
  const named = [...table.matchAll(/^\| `([^`]+)` \| ([\d.]+)/gm)].map(([, name, version]) => [name!, version]);
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, object>;

  expect(named.length).toBe(7);
  expect(devDependencies).toMatchObject(Object.fromEntries(named));
});

test('the tests exist that are named beside the faults known elsewhere', () => {
  const [, table = ''] = readFileSync('docs/engines/README.md', 'utf8').split('## Faults known elsewhere');
  const named = [...table.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  const suites = ['src/testing/contract', 'test/faults/support/nodes'].flatMap((folder) =>
    readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8')),
  );
  expect(named.filter((name) => !suites.some((suite) => suite.includes(`'${name}'`)))).toEqual([]);
  expect(named.length).toBe(4);
});

function samplesOf(page: string): Sample[] {
  return [...readFileSync(page, 'utf8').matchAll(/^```(tsx?)\n([^]*?)^```$/gm)].map(
    ({ index, 1: kind, 2: text = '' }) => {
      const line = readFileSync(page, 'utf8').slice(0, index).split('\n').length;
      const name = /^\/\/ (\S+\.tsx?)\n/.exec(text)?.[1] ?? `line-${line}.${kind}`;
      return { page, line, text, file: join(root, '.samples', page.replace(/\.md$/, ''), name) };
    },
  );
}

/** What the compiler says of the samples, as `page:line message`. */
function compile(): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root, {
    rootDir: root,
    jsx: ts.JsxEmit.ReactJSX,
  });
  const byFile = new Map(samples.map((sample) => [sample.file, sample]));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, directoryExists } = host;
  host.fileExists = (file) => byFile.has(file) || fileExists(file);
  host.readFile = (file) => byFile.get(file)?.text ?? readFile(file);
  host.directoryExists = (folder) =>
    [...byFile.keys()].some((file) => file.startsWith(`${folder}/`)) || directoryExists?.(folder) === true;
  host.getSourceFile = (file, target) => {
    const text = host.readFile(file);
    return text === undefined ? undefined : ts.createSourceFile(file, text, target);
  };

  const program = ts.createProgram([...byFile.keys(), NOT_INSTALLED], options, host);
  return [...byFile.values()].flatMap(({ file, page, line }) => {
    const source = program.getSourceFile(file);
    if (source === undefined) return [`${page}:${line} was not compiled`];
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    const alone = ts.isExternalModule(source) ? [] : [`${page}:${line} is no module: it imports and exports nothing`];
    return alone.concat(
      found.map(({ start = 0, messageText }) => {
        const at = line + 1 + source.getLineAndCharacterOfPosition(start).line;
        return `${page}:${at} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
      }),
    );
  });
}

/** The relative links of a page. */
function linksOf(page: string): string[] {
  const prose = proseOf(page).replace(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const defined = [...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return [...inline, ...defined].map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path === '' ? page : relative(root, resolve(dirname(page), path));
  if (file.startsWith('..') || !existsSync(file)) return false;
  return heading === undefined || (statSync(file).isFile() && headingsOf(file).includes(heading));
}

/** The anchors that a forge makes of a page's headings. */
function headingsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return [...proseOf(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, text = '']) => {
    const slug = text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

/** A page without its code blocks. */
function proseOf(page: string): string {
  return readFileSync(page, 'utf8').replace(/^```[^]*?^```$/gm, '');
}
