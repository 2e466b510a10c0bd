/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/tests', '<rootDir>/examples/strategies', '<rootDir>/template'],
  // Belong to projects that have the packed library installed: see scripts/check-consumers.mjs.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/tests/consumers/', '<rootDir>/tests/naive/'],
  setupFiles: ['reflect-metadata'],
  // Examples and the README's code blocks import the package by its name, as users do.
  moduleNameMapper: {
    '^qelos-auth$': '<rootDir>/src/index.ts',
    '^qelos-auth/(.+)$': '<rootDir>/src/$1/index.ts',
    '^node:test$': '<rootDir>/tests/support/node-test.ts',
  },
  transform: {
    '^.+\\.[cm]?[jt]s$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
        sourceMaps: true,
      },
    ],
  },
  // @qelos/sdk ships ESM syntax without "type": "module": let swc turn it into CommonJS.
  transformIgnorePatterns: [
    '/node_modules/(?!(@qelos|ky|axios-cookiejar-support|http-cookie-agent|agent-base|rettime|until-async|@open-draft)/)',
  ],
  clearMocks: true,
  restoreMocks: true,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts', '!src/**/*.types.ts'],
};

export default config;
