import type { AuthContext } from '../../src';
import { CredentialManager, type CredentialManagerOptions } from '../../src/credentials/credential-manager';
import { SimulatedStore } from './simulated-store';
import { type ServerCounts, UserRecord } from './user-record';
import { World } from './world';

export interface FleetOptions {
  readonly replicas: number;
  /** Whether they share their session through a store. */
  readonly isShared: boolean;
  readonly hours: number;
  /** Minutes that an access token lives. */
  readonly lifeMinutes: number;
  readonly seed: number;
}

export interface FleetCounts extends ServerCounts {
  readonly calls: number;
  /** Calls that got no credential. */
  readonly failedCalls: number;
  readonly storedSessions: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Each replica calls so often on the average, at random. */
const CALL_EVERY_MS = 5 * MINUTE_MS;
/** All start within this, and are replaced once, half-way, within the same. */
const ROLLOUT_MS = 5 * MINUTE_MS;
const TIMEOUT_MS = 20_000;
/** The simulated strategy asks no server over a client. */
const NO_CONTEXT = {} as AuthContext;

/**
 * Many processes of one user, each with the manager of this library, over simulated hours. Time is set for the whole process
 * (`Date.now`) while it runs.
 */
export async function simulateFleet({
  replicas,
  isShared,
  hours,
  lifeMinutes,
  seed,
}: FleetOptions): Promise<FleetCounts> {
  const world = new World(seed);
  const server = new UserRecord(world, lifeMinutes * MINUTE_MS);
  const store = isShared ? new SimulatedStore(world) : undefined;
  const clock = {
    now: () => world.now,
    schedule: (ms: number, callback: () => void) => world.schedule(ms, callback),
    random: () => world.random(),
  };
  let calls = 0;
  let failedCalls = 0;
  let hasBegunFlight = false;
  const options: CredentialManagerOptions = {
    strategy: server.strategy,
    context: () => NO_CONTEXT,
    events: { emit: () => {} },
    timeoutMs: TIMEOUT_MS,
    store,
    storeKey: 'fleet',
    clock,
    onFlight: () => {
      hasBegunFlight = true;
    },
  };
  const call = (manager: CredentialManager): 'settled' | undefined => {
    calls++;
    hasBegunFlight = false;
    const credential = manager.get();
    if (credential instanceof Promise) credential.catch(() => failedCalls++);
    else if (!hasBegunFlight) return 'settled';
    return undefined;
  };
  const replica = (endsAt: number) => {
    const manager = new CredentialManager(options);
    const next = () => {
      if (world.now >= endsAt) return manager.close();
      world.schedule(-Math.log(1 - world.random()) * CALL_EVERY_MS, next);
      return call(manager);
    };
    next();
  };

  const replacedAt = (hours * HOUR_MS) / 2;
  for (let i = 0; i < replicas; i++) {
    const delay = world.random() * ROLLOUT_MS;
    world.schedule(delay, () => replica(replacedAt + delay));
    world.schedule(replacedAt + delay, () => replica(hours * HOUR_MS));
  }
  const { now } = Date;
  const begun = now();
  Date.now = () => begun + Math.floor(world.now);
  try {
    await world.run(hours * HOUR_MS - 1);
  } finally {
    Date.now = now;
  }
  return { calls, failedCalls, storedSessions: server.storedSessions, ...server.counts };
}
