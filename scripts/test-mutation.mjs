// Mutation testing: changes the sources in small ways and sees whether the tests notice. `npm run test:mutation`, or with
// the files to change: `npm run test:mutation -- 'src/strategies/*.ts'`. With MUTATION_STATE=<folder>, what is known from
// the last run and was not touched since is not tested again. Stryker is installed in a copy of the project alone, so that
// nobody who only wants to build or test has to install it. Takes long; not part of the checks.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The sources, and the tests next to them; the first that fits counts. Tests farther away would notice more, but they, the
 * model, the storms and the walks through errors need minutes for each mutant.
 */
const TESTS = {
  'src/contract/credential.ts': ['contract/credential.test.ts'],
  'src/credentials/obtain-errors.ts': ['credentials/obtain-errors.test.ts', 'strategies/oauth-refresh.test.ts'],
  'src/credentials/': ['credentials/credential-manager{,.siege,.weather,.look}.test.ts'],
  'src/http/answer.ts': ['http/{answer,streams}.test.ts'],
  'src/http/exposure.ts': ['http/exposure.test.ts'],
  'src/http/bare-client.ts': ['http/bare-client.test.ts', 'strategies/*.test.ts'],
  'src/http/auth-interceptor.ts': [
    'http/{auth-interceptor,mock-adapter,origin,redirects,replay,siege,signing}.test.ts',
  ],
  'src/http/fetch': ['http/{fetch,mock-adapter}.test.ts'],
  'src/http/exchange.ts': ['http/{siege,streams,time-outs}.test.ts'],
  'src/http/limits.ts': ['http/time-outs.test.ts'],
  'src/http/answer-': ['http/{fetch,streams}.test.ts'],
  'src/http/web-answer-stream.ts': ['http/streams.test.ts'],
  'src/http/owned-stream.ts': ['http/streams.test.ts'],
  'src/http/upload.ts': ['http/{replay,siege}.test.ts'],
  'src/http/sealed-agent.ts': ['http/{global-agent,siege}.test.ts', 'ecosystem/cookie-jar.test.ts'],
  'src/http/': ['http/{origin,redirects}.test.ts'],
  'src/undici/': ['undici/*.test.ts'],
  'src/tenants/': ['tenants/tenant-{auth,failures,moves,pool,settings}.test.ts'],
  'src/plugin-play/': ['plugin-play/*.test.ts'],
  'src/strategies/cli-login.ts': ['strategies/cli-login.test.ts'],
  'src/strategies/': ['strategies/*.test.ts'],
};

const { MUTATION_STATE } = process.env;
const listed = (...patterns) =>
  execFileSync('git', ['ls-files', ...patterns], { encoding: 'utf8' })
    .trim()
    .split('\n');
const mutate = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TESTS);
const groups = Object.fromEntries(Object.keys(TESTS).map((start) => [start, []]));
for (const file of listed(...mutate)) {
  const start = Object.keys(TESTS).find((start) => file.startsWith(start));
  if (!start) throw new Error(`There are no tests next to ${file}.`);
  groups[start].push(file);
}

const dir = mkdtempSync(join(tmpdir(), 'qelos-auth-mutation-'));
const run = (command, ...args) => execFileSync(command, args, { cwd: dir, stdio: 'inherit' });

try {
  for (const file of listed()) cpSync(file, join(dir, file));
  run('npm', 'ci', '--no-audit', '--no-fund');
  run(
    'npm',
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '@stryker-mutator/core@9.6.1',
    '@stryker-mutator/jest-runner@9.6.1',
  );

  for (const [start, files] of Object.entries(groups)) {
    if (files.length === 0) continue;
    const name = start.replaceAll(/\W+/g, '-');
    writeFileSync(
      join(dir, 'jest.mutation.config.ts'),
      `/** @jest-config-loader esbuild-register */
import base from './jest.config';
export default { ...base, testMatch: ${JSON.stringify(TESTS[start].map((tests) => `<rootDir>/tests/${tests}`))} };
`,
    );
    writeFileSync(
      join(dir, 'stryker.config.json'),
      JSON.stringify({
        mutate: files,
        testRunner: 'jest',
        jest: { configFile: 'jest.mutation.config.ts', enableFindRelatedTests: false },
        coverageAnalysis: 'perTest',
        ignoreStatic: true,
        plugins: ['@stryker-mutator/jest-runner', './scripts/mutation-plugin.mjs'],
        ignorers: ['texts'],
        // Stryker 9 reads the project's TypeScript configuration with an interface that TypeScript 7 does not have.
        tsconfigFile: 'does-not-exist.json',
        reporters: ['unnoticed', 'clear-text', 'progress-append-only'],
        clearTextReporter: { reportMutants: false, reportTests: false },
        ...(MUTATION_STATE && { incremental: true, incrementalFile: resolve(MUTATION_STATE, `${name}.json`) }),
        concurrency: 2,
        timeoutMS: 4_000,
        thresholds: { high: 95, low: 90, break: 90 },
      }),
    );
    const { status } = spawnSync('npx', ['stryker', 'run'], { cwd: dir, stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
