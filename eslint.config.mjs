// The part of "Style" in CONTRIBUTING.md that a machine can check. `npm run lint` reports, `npm run format` repairs.
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const nodeGlobals = [
  'AbortSignal',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'setTimeout',
  'TextDecoderStream',
  'URL',
];

export default defineConfig(
  // The consumers are compiled against the packed package, which is not there when this runs.
  globalIgnores(['dist', '.cache', 'coverage', 'test/consumers/*/**', '**/public/vendor']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{cjs,mjs}'],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
  },
  { files: ['examples/**/public/**/*.js'], rules: { 'no-undef': 'off' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-else-return': 'error',
      // Does not see what only a decorator uses.
      'no-useless-assignment': 'off',
      // Leaves alone the files that have decorators: there an injected class needs to be imported as a value.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // An `async` method without `await` rejects where a plain one would throw, which is what an engine promises.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'max-lines': ['error', 300],
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'process', property: 'exit' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'List the names, so that the public API is read in one place.' },
        { selector: 'ExportDefaultDeclaration', message: 'Export it by its name.' },
      ],
      'no-warning-comments': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
    },
  },
  {
    // What browsers run as well. Imports of Node are refused by the layers; these need none.
    files: ['src/wire/**/*.ts', 'src/client/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': ['error', 'Buffer', 'process', 'global', 'setImmediate', '__dirname', 'require'],
    },
  },
  {
    // Tests hand in what the types rule out, and read JSON whose shape the assertion states.
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
