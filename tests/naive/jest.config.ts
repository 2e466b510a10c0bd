/** @jest-config-loader esbuild-register */
import { join } from 'node:path';
import type { Config } from 'jest';
import project from '../../jest.config';

const naive = '<rootDir>/tests/naive/naive-auth.ts';

/** The fault tests as they are, with the naive client wherever they import an entry of the library. */
const config: Config = {
  ...project,
  rootDir: join(__dirname, '..', '..'),
  roots: ['<rootDir>/tests'],
  testMatch: [
    '<rootDir>/tests/naive/*.test.ts',
    '<rootDir>/tests/{http,e2e,strategies}/**/*.test.ts',
    '<rootDir>/tests/{config,container,events}.test.ts',
  ],
  // What a request costs is measured in a process of its own, which no mapping reaches.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/tests/http/cost.test.ts'],
  moduleNameMapper: {
    ...project.moduleNameMapper,
    '^qelos-auth$': naive,
    '^\\.\\./support/secrets$': '<rootDir>/tests/naive/secrets.ts',
    '^(?:\\.\\./)+src(?:/(?:index|config|container|qelos-auth))?$': naive,
  },
  testTimeout: 3_000,
  bail: 0,
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
  forceExit: true,
};

export default config;
