// npm run test:replicas [-- part of a name]: everything at full size. Needs redis-server.
import { inWords } from './fleet';
import { SCENARIOS, type Size } from './scenarios';

const FULL: Size = { processes: 16, callers: 50, runMs: 30_000 };
/** Enough for what is about one moment. */
const SHORT: Size = { processes: 6, callers: 20, runMs: 15_000 };

async function main(part = ''): Promise<void> {
  let failed = 0;
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(part))) {
    const report = await scenario.run(scenario.name.startsWith('one session') ? FULL : SHORT);
    const faults = scenario.faults(report);
    if (faults.length > 0) failed++;
    console.log(`${faults.length > 0 ? '✗' : '✓'} ${scenario.name}\n    ${inWords(report)}`);
    for (const fault of faults) console.log(`    ${fault}`);
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

main(process.argv[2]);
