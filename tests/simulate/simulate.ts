/**
 * What a day costs a fleet whose processes sign in as one user, with and without a shared session: the managers of this library
 * over 24 simulated hours. `npm run simulate` prints the table of docs/operations.md; `npm run simulate -- --write` writes it there,
 * and draws docs/fleet.svg.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FleetCounts, simulateFleet } from './fleet';
import { drawing, rowOf, withTable } from './report';

const DOCS = join(__dirname, '..', '..', 'docs');
const SIZES = [10, 100, 1_000, 10_000];
/** Qelos' default, and one that a deployment may set. */
const LIVES_IN_MINUTES = [300, 10];

async function main(): Promise<void> {
  const rows: string[] = [];
  const drawn: { replicas: number; isShared: boolean; counts: FleetCounts }[] = [];
  for (const lifeMinutes of LIVES_IN_MINUTES) {
    for (const replicas of SIZES) {
      for (const isShared of [false, true]) {
        const counts = await simulateFleet({ replicas, isShared, lifeMinutes, hours: 24, seed: 1 });
        const row = rowOf({ replicas, isShared, lifeMinutes }, counts);
        console.log(row);
        rows.push(row);
        if (lifeMinutes === LIVES_IN_MINUTES[0]) drawn.push({ replicas, isShared, counts });
      }
    }
  }
  if (!process.argv.includes('--write')) return;
  const file = join(DOCS, 'operations.md');
  writeFileSync(file, withTable(readFileSync(file, 'utf8'), rows));
  writeFileSync(join(DOCS, 'fleet.svg'), drawing(drawn));
}

main();
