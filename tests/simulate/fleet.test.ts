import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { AuthContext, Credential } from '../../src';
import { simulateFleet } from './fleet';
import { rowOf } from './report';
import { UserRecord } from './user-record';
import { World } from './world';

const NO_CONTEXT = {} as AuthContext;
const LIFE_MS = 300 * 60_000;
const RUNS = 100;

/** How many of some calls at once succeed, at least and at most, over many runs. */
async function range(count: number, prepare: (server: UserRecord, count: number) => Promise<(() => unknown)[]>) {
  const tallies: number[] = [];
  for (let seed = 0; seed < RUNS; seed++) {
    const world = new World(seed);
    const server = new UserRecord(world, LIFE_MS);
    const prepared = prepare(server, count);
    await world.run(3_600_000);
    const outcome = Promise.allSettled((await prepared).map((call) => call()));
    await world.run(7_200_000);
    tallies.push((await outcome).filter(({ status }) => status === 'fulfilled').length);
  }
  return { least: Math.min(...tallies), most: Math.max(...tallies) };
}

/** Signs in one after the other. */
async function sessions(server: UserRecord, count: number): Promise<Credential[]> {
  const credentials: Credential[] = [];
  for (let i = 0; i < count; i++) credentials.push(await server.strategy.signIn(NO_CONTEXT));
  return credentials;
}

describe('the simulated server answers as the real one was recorded to', () => {
  it.each([
    [10, 1, 5],
    [50, 1, 23],
  ])('of %i sign-ins at once of a user with many sessions, %i to %i succeed (S17, S18)', async (count, least, most) => {
    const found = await range(count, async (server) => {
      await sessions(server, 11);
      return Array.from({ length: count }, () => () => server.strategy.signIn(NO_CONTEXT));
    });
    expect(found.least).toBeGreaterThanOrEqual(least);
    expect(found.most).toBeLessThanOrEqual(most);
  });

  it.each([
    [2, 1, 1],
    [50, 23, 35],
  ])('of %i refreshes at once of sessions of one user, %i to %i succeed', async (count, least, most) => {
    const found = await range(count, async (server) => {
      const credentials = await sessions(server, count);
      return credentials.map((credential) => () => server.strategy.refresh?.(credential, NO_CONTEXT));
    });
    expect(found.least).toBeGreaterThanOrEqual(least);
    expect(found.most).toBeLessThanOrEqual(most);
  });
});

describe('a fleet', () => {
  const documented = readFileSync(join(__dirname, '..', '..', 'docs', 'operations.md'), 'utf8');

  it.each([10, 100])('of %i replicas costs what docs/operations.md says', async (replicas) => {
    for (const isShared of [false, true]) {
      const counts = await simulateFleet({ replicas, isShared, lifeMinutes: 300, hours: 24, seed: 1 });
      expect(documented).toContain(rowOf({ replicas, isShared, lifeMinutes: 300 }, counts));
    }
  });

  it('that shares its session signs in once, and no call fails', async () => {
    const counts = await simulateFleet({ replicas: 200, isShared: true, lifeMinutes: 10, hours: 2, seed: 7 });
    expect(counts).toMatchObject({ signIns: 1, conflicts: 0, storedSessions: 1, failedCalls: 0 });
    expect(counts.refreshes).toBeLessThanOrEqual(120 / 8); // none before the last fifth of a life
  });
});
