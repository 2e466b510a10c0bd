import { describe, expect, it } from '@jest/globals';
import { Credential, type TenantAuth } from '../../src';
import { failureOf } from '../strategies/obtaining';
import { runChild } from '../support/child';
import { collectGarbage } from '../support/garbage';
import { NOWHERE, openTenants, strategyOf } from './open';

/** Lets go of all that nobody holds. */
async function collected(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate);
    collectGarbage();
  }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `tenant-${i}`);
/** Asks for tenants, all at once, and lets go of their handles. */
const askFor = (tenants: TenantAuth, ids: string[]) => Promise.all(ids.map((id) => tenants.for(id).then(() => {})));

describe('S08 a burst of cold tenants', () => {
  it('starts a few of them in each turn of the event loop, in the order of their coming', async () => {
    const started: string[] = [];
    const tenants = openTenants(
      (id) => {
        started.push(id);
        return NOWHERE;
      },
      { max: 100, strategies: () => [strategyOf('own')] },
    );
    const ids = names(1_000);
    const perTurn: number[] = [];
    let before = 0;
    const count = () => {
      perTurn.push(started.length - before);
      before = started.length;
      if (before < ids.length && perTurn.length < 1_000) setImmediate(count);
    };
    setImmediate(count);
    await askFor(tenants, ids);
    perTurn.push(started.length - before); // of the turn that it ended in
    expect(started).toEqual(ids);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(50);
    expect(tenants.size).toBe(100);
  });

  it('makes nobody wait whose tenant is warm', async () => {
    const tenants = openTenants(() => NOWHERE, { strategies: () => [strategyOf('own')] });
    await tenants.for('warm');
    let turns = 0;
    const count = () => void (++turns < 1_000 && setImmediate(count));
    setImmediate(count);
    const burst = askFor(tenants, names(500));
    await tenants.for('warm');
    expect(turns).toBe(0);
    await burst;
    expect(turns).toBeGreaterThan(5);
  });

  it('all calls for one of them are one load, wherever in the burst they come', async () => {
    let loads = 0;
    const tenants = openTenants(
      () => {
        loads++;
        return NOWHERE;
      },
      { strategies: () => [strategyOf('own')] },
    );
    await askFor(tenants, [...names(120), ...names(120)]);
    expect(loads).toBe(120);
  });

  it('lets nobody who comes later start before it, and makes nobody wait once it is over', async () => {
    const started: string[] = [];
    const load = (id: string) => {
      started.push(id);
      return NOWHERE;
    };
    const tenants = openTenants(load, { strategies: () => [strategyOf('own')] });
    const burst = askFor(tenants, names(160));
    await new Promise(setImmediate); // the first turn is over, two are to come
    await Promise.all([burst, tenants.for('late')]);
    expect(started.at(-1)).toBe('late');
    let turns = 0;
    setImmediate(() => turns++);
    await askFor(tenants, [...Array(100).fill('x'), 'y']);
    expect([started.slice(-2), turns]).toEqual([['x', 'y'], 0]);
  });

  it('that is closed meanwhile ends with ERR_AUTH_CLOSED, and nothing is loaded any more', async () => {
    let loads = 0;
    const tenants = openTenants(() => {
      loads++;
      return NOWHERE;
    });
    const errors = Promise.all(names(200).map((id) => failureOf(tenants.for(id))));
    await tenants.close();
    for (const error of await errors) expect(error).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(loads).toBeLessThanOrEqual(50);
  });

  it('of 20,000 leaves the event loop to others', async () => {
    const { stdout, stderr } = await runChild('tenants-burst.ts', { tenants: 20_000, max: 5_000 });
    expect(stderr).toBe('');
    const { size, turns, longestTurnMs } = JSON.parse(stdout);
    expect(size).toBe(5_000);
    expect(turns).toBeGreaterThanOrEqual(20_000 / 50);
    expect(longestTurnMs).toBeLessThan(1_000); // some 20 on a machine of its own
  }, 120_000);
});

it('S08 a call through a handle is a use of its tenant: another one makes room', async () => {
  const loads: string[] = [];
  const tenants = openTenants(
    (id) => {
      loads.push(id);
      return NOWHERE;
    },
    {
      max: 2,
      axios: { adapter: async (config) => ({ status: 200, statusText: 'OK', headers: {}, data: '', config }) },
      strategies: () => [{ name: 'own', missing: () => [], signIn: async () => Credential.apiKey('k') }],
    },
  );
  const useThem = async () => {
    const { http } = await tenants.for('a');
    await tenants.for('b');
    await http.get('/x'); // now b is the one used longest ago
    await tenants.for('c');
  };
  await useThem();
  await collected(); // what had to make room is gone, as nobody holds a handle of it
  await tenants.for('a');
  expect(loads).toEqual(['a', 'b', 'c']);
  await tenants.for('b');
  expect(loads).toEqual(['a', 'b', 'c', 'b']);
});
