// Mutation testing: changes the sources in small ways and sees whether the tests notice. `npm run test:mutation`, or with
// the files to change: `npm run test:mutation -- 'src/strategies/*.ts'`. Stryker is installed in a copy of the project
// alone, so that nobody who only wants to build or test has to install it. Takes long; not part of the checks.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mutate =
  process.argv.length > 2 ? process.argv.slice(2) : ['credentials', 'http', 'strategies'].map((d) => `src/${d}/*.ts`);
const dir = mkdtempSync(join(tmpdir(), 'qelos-auth-mutation-'));
const run = (command, ...args) => execFileSync(command, args, { cwd: dir, stdio: 'inherit' });

try {
  const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).trim().split('\n');
  for (const file of files) cpSync(file, join(dir, file));
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

  // What is quick and next to the code: the model, the storms and the walks through errors need minutes for each mutant.
  const tests = ['credentials/credential*.test.ts', 'strategies/*.test.ts', 'errors.test.ts'];
  if (mutate.some((pattern) => pattern.includes('http'))) tests.push('http/!(cost|exposure).test.ts');
  writeFileSync(
    join(dir, 'jest.mutation.config.ts'),
    `/** @jest-config-loader esbuild-register */
import base from './jest.config';
export default {
  ...base,
  testMatch: ${JSON.stringify(tests.map((pattern) => `<rootDir>/tests/${pattern}`))},
  testPathIgnorePatterns: ['\\\\.model\\\\.test\\\\.ts$'],
};
`,
  );
  writeFileSync(
    join(dir, 'stryker.config.json'),
    JSON.stringify({
      mutate,
      testRunner: 'jest',
      jest: { configFile: 'jest.mutation.config.ts', enableFindRelatedTests: false },
      coverageAnalysis: 'perTest',
      ignoreStatic: true,
      // Stryker 9 reads the project's TypeScript configuration with an interface that TypeScript 7 does not have.
      tsconfigFile: 'does-not-exist.json',
      reporters: ['clear-text', 'progress-append-only'],
      concurrency: 2,
      timeoutMS: 10_000,
      thresholds: { high: 95, low: 90, break: 90 },
    }),
  );
  run('npx', 'stryker', 'run');
} finally {
  rmSync(dir, { recursive: true, force: true });
}
