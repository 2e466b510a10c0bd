/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';
import project from './jest.config';

/** What takes more than two or three seconds a file: storms, whole models, processes of their own, documents that are compiled. */
const SLOW = [
  'examples/',
  'tests/cli/',
  'tests/conformance/',
  'tests/credentials/credential-manager\\.model',
  'tests/docs/readme',
  'tests/e2e/',
  'tests/ecosystem/',
  'tests/http/(cost|exposure|redirects|siege|streams|time-outs)\\.',
  'tests/plugin-play/',
  'tests/sdk/(other-credentials|time-outs)\\.',
  'tests/strategies/oauth-refresh\\.',
  'tests/tenants/tenant-(auth|bursts)\\.',
  'tests/testing/(describe-auth-strategy|qelos-server)',
  'tests/types/',
  'tests/undici/',
];

/** The fast part of the suite, to run while one works. `npm test` runs all of it. */
const config: Config = {
  ...project,
  testPathIgnorePatterns: [...(project.testPathIgnorePatterns ?? []), ...SLOW.map((path) => `<rootDir>/${path}`)],
};

export default config;
