// Proves that the fault tests can fail: runs them against tests/naive/naive-auth.ts, the client that everybody writes first,
// in place of the library. The naive client has to get along on the main road, and has to fail the tests of at least
// AT_LEAST faults. Prints one line per fault. Tests that start a process of their own use the library there, so a fault
// that only they and the tests of the library's parts look for counts as passed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AT_LEAST = 25;
/** A run that takes longer is cut short; what has been tested until then counts. */
const LIMIT_MS = 200_000;
/** Left out, because the naive client takes minutes for them: the largest crowds, and the same tests in other ways. */
const LEFT_OUT = [
  '.*10000 calls',
  'through auth\\.(fetch|sdk|http with|http over)',
  'what comes out of the adapter (fetch|custom|http over)',
  'the tools of this file',
];

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const config = fileURLToPath(new URL('../tests/naive/jest.config.ts', import.meta.url));
const reporter = fileURLToPath(new URL('../tests/naive/reporter.cjs', import.meta.url));

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

/** Runs everything and returns what the reporter wrote. */
function run() {
  const scratch = mkdtempSync(join(tmpdir(), 'qelos-auth-naive-'));
  try {
    const results = join(scratch, 'results');
    writeFileSync(results, '');
    const pattern = `^(?!${LEFT_OUT.join('|')})`;
    const args = [jest, '--config', config, '--reporters', reporter, '--testNamePattern', pattern, '--silent'];
    const { error, status } = spawnSync(process.execPath, args, {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, NAIVE_RESULTS: results },
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      stdio: 'ignore',
    });
    if (error) console.error(`jest was cut short: ${error.message}`);
    else if (status === 0) console.error('not one test failed');
    const lines = readFileSync(results, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const results = run();
for (const { broken, reason } of results)
  if (broken) console.error(`ended early: ${broken}: ${reason || 'an error that nobody caught'}`);
const tests = results.filter(({ status }) => status === 'passed' || status === 'failed');

const mainRoad = tests.filter(({ fullName }) => fullName.startsWith('the naive client '));
const lost = mainRoad.filter(({ status }) => status === 'failed');
if (mainRoad.length === 0 || lost.length > 0) {
  const names = lost.map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join('\n')}`);
  fail(`The naive client does not get along on the main road, so its failures say nothing.\n${names.join('\n')}`);
}

/** The tests that passed or failed, by the fault they look for. */
const byFault = new Map();
for (const test of tests) {
  for (const fault of new Set(test.fullName.match(/\bF\d\d\b/g))) {
    byFault.set(fault, [...(byFault.get(fault) ?? []), test]);
  }
}

let failing = 0;
for (const [fault, looking] of [...byFault].sort(([a], [b]) => a.localeCompare(b))) {
  const failed = looking.filter(({ status }) => status === 'failed');
  if (failed.length > 0) failing++;
  console.log(
    failed.length > 0
      ? `${fault} fails: ${failed[0].fullName} (${failed.length} of ${looking.length})`
      : `${fault} passes (${looking.length})`,
  );
}
console.log(`The naive client fails ${failing} of ${byFault.size} faults (at least ${AT_LEAST} expected).`);
if (failing < AT_LEAST) process.exitCode = 1;
