/**
 * `npm run bench`: runs every measurement in a process of its own, one after the other, and writes results.json, the tables
 * of docs/performance.md and the charts. `--quick`: fewer and shorter rounds, and nothing is written but the terminal.
 * `--only=storm,heap`: those measurements alone, which write nothing either. Exits with 1 if a target is missed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.mjs';
import { judge, machine, print, write } from './report.mjs';
import { BARE, OURS } from './subjects.mjs';

const quick = process.argv.includes('--quick');
const only = process.argv
  .find((argument) => argument.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');

/** A young generation that holds a whole round, so that no collection falls into what is counted. */
const COUNT_BYTES = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64'];

const rounds = quick ? 3 : 7;
const SHORT_TOKENS = [
  OURS,
  '@qelos/plugin-play, getSdkForUrl',
  'axios-auth-refresh, defaults',
  'axios-auth-refresh, deduplicateRefresh: false',
  'google-auth-library',
];

/** What is measured: the file, its options, the flags of its process. */
const MEASUREMENTS = {
  'per-request': () => run('per-request', { rounds }, COUNT_BYTES),
  throughput: () => run('throughput', { rounds, sliceMs: quick ? 200 : 500 }),
  storm: () =>
    run('storm', {
      rounds,
      crowds: [...[1, 10, 100, 1_000].map((crowd) => [crowd, 'all']), [10_000, quick ? 'only ours' : 'ours']],
    }),
  'short-tokens': () => run('short-tokens', { seconds: quick ? 6 : 60, subjects: SHORT_TOKENS }),
  'start-up': () => run('start-up', { rounds: quick ? 7 : 21 }),
  /** Both at the same time: what is counted does not depend on the time it takes. */
  heap: async () => {
    const requests = quick ? 100_000 : 1_000_000;
    const names = [OURS, BARE];
    const grown = await Promise.all(names.map((subject) => run('heap', { subject, requests }, ['--expose-gc'])));
    return Object.fromEntries(names.map((name, i) => [name, grown[i]]));
  },
  'fetch-and-sdk': () => run('fetch-and-sdk', { rounds, sliceMs: quick ? 200 : 500 }),
};

async function run(file, options, execArgv = []) {
  const child = fork(fileURLToPath(new URL(`${file}.mjs`, import.meta.url)), [JSON.stringify(options)], { execArgv });
  const [result] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (typeof result !== 'object' || result === null) throw new Error(`${file} ended with ${result}`);
  return result;
}

await prepare();
const results = { machine: machine() };
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (only && !only.includes(name)) continue;
  const begun = performance.now();
  results[name] = await measure();
  console.log(`${name} (${((performance.now() - begun) / 1_000).toFixed(0)} s)`);
}
const targets = judge(results);
if (quick || only) print(results);
else await write(results, targets);
for (const { target, measured, passed } of targets) console.log(`${passed ? 'pass' : 'FAIL'}  ${target}: ${measured}`);
if (targets.some(({ passed }) => !passed)) process.exitCode = 1;
