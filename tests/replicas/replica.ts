// One process of a fleet: begins when it is told to, makes calls for a while, and tells how they went.
import Redis from 'ioredis';
import { createClient } from 'redis';
import { type CredentialStore, createQelosAuth } from '../../src';
import { fileCredentialStore } from '../../src/file';
import { redisCredentialStore } from '../../src/redis';
import type { ReplicaReport, ReplicaTask, Step } from './replica.types';

const task: ReplicaTask = JSON.parse(process.argv[2] ?? '');
const { now } = Date;
Date.now = () => now() + (task.clockErrorMs ?? 0);

const say = (message: unknown) => process.send?.(message);

/** Over either client, so that both of them share. */
async function openStore({ store }: ReplicaTask): Promise<{ store: CredentialStore; close: () => unknown }> {
  if (store.kind === 'file') return { store: fileCredentialStore(store), close: () => {} };
  const { url, encryptionKey, over } = store;
  if (over === 'ioredis') {
    const client = new Redis(url);
    client.on('error', () => {});
    return { store: redisCredentialStore({ client, encryptionKey }), close: () => client.disconnect() };
  }
  const client = createClient({ url });
  client.on('error', () => {});
  await client.connect();
  return { store: redisCredentialStore({ client, encryptionKey }), close: () => client.destroy() };
}

/** Sends this process a signal when it holds the lock and comes to a step, once some time has passed. */
function withEnd(store: Required<CredentialStore>, { step, signal, afterMs }: NonNullable<ReplicaTask['end']>) {
  const armedAt = performance.now() + afterMs;
  let holds = false;
  let isOver = false;
  const reach = (reached: Step) => {
    if (isOver || reached !== step || !holds) return;
    isOver = true;
    say({ reached });
    process.kill(process.pid, signal);
  };
  return {
    async load(...given) {
      const found = await store.load(...given);
      reach('read');
      return found;
    },
    async save(...given) {
      reach('obtained');
      const isSaved = await store.save(...given);
      reach('saved');
      return isSaved;
    },
    async lock(...given) {
      const isLocked = await store.lock(...given);
      holds = isLocked && performance.now() > armedAt;
      reach('locked');
      return isLocked;
    },
    async unlock(...given) {
      reach('unlocking');
      await store.unlock(...given);
      holds = false;
    },
  } satisfies CredentialStore;
}

async function run(): Promise<void> {
  const opened = await openStore(task);
  say({ ready: true });
  await new Promise((resolve) => process.once('message', resolve));
  const store = opened.store as Required<CredentialStore>;
  const { url, username, password, timeoutMs } = task;
  const auth = createQelosAuth({
    env: {},
    config: { url, username, password, timeoutMs },
    store: task.end ? withEnd(store, task.end) : store,
  });
  const report: ReplicaReport = { calls: 0, failures: [], signIns: 0, refreshes: 0, adoptions: 0, storeFailures: {} };
  auth.on('signedIn', () => {
    report.signIns++;
    say({ signedIn: true });
  });
  auth.on('refreshed', ({ adopted }) => (adopted ? report.adoptions++ : report.refreshes++));
  auth.on('storeFailed', ({ operation, reason }) => {
    const name = `${operation} ${reason}`;
    report.storeFailures[name] = (report.storeFailures[name] ?? 0) + 1;
  });
  const until = performance.now() + task.runMs;
  const caller = async () => {
    while (performance.now() < until) {
      report.calls++;
      await auth.http.get('/api/me').catch((error) => report.failures.push(String(error?.message ?? error)));
      await new Promise((resolve) => setTimeout(resolve, task.pauseMs * (0.5 + Math.random())));
    }
  };
  await Promise.all(Array.from({ length: task.callers }, caller));
  await auth.close();
  await opened.close();
  say({ report });
  process.disconnect?.();
}

run();
