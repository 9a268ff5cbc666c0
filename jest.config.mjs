/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Longer than any wait within a test, so that what is waited for in vain says what it was.
  testTimeout: 20_000,
  // What modules of specs leave behind is not collected: a worker has grown to 2.2 GB, and takes as long to end.
  workerIdleMemoryLimit: '1GB',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/test/consumers/'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cache'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    '^nestjs-event-stream$': '<rootDir>/src/index.ts',
    '^nestjs-event-stream/(testing|runs|ai|sqlite|redis|postgres|nats|client|client/react|client/vue)$':
      '<rootDir>/src/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
