import { describe, expect, it, jest } from '@jest/globals';
import { Credential, parseCredential, serializeCredential } from '../../src/contract/credential';
import { MemoryStore } from '../support/memory-store';
import { webToken } from './json-web-token';
import { Managed } from './managed';
import { fails, never, outage, refused } from './scripted';
import { settled } from './set-clock';

const stored = (store: MemoryStore) => parseCredential(store.records.get('scripted')?.text ?? '');

let issued = 0;
/** A session that a server gives at a moment of its clock: good for a minute. */
const session = (now = Date.now()) => {
  const iat = Math.floor(now / 1_000);
  return Credential.bearer(webToken({ iat, exp: iat + 60, n: ++issued }), { refreshToken: `refresh-${issued}` });
};

describe('processes that share a credential', () => {
  it('obtain one for all of them, although they begin at once', async () => {
    const store = new MemoryStore();
    const processes = Array.from({ length: 8 }, () => new Managed({ store }));
    let answer = (_credential: Credential): void => {};
    for (const { strategy } of processes) {
      strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    }
    const got = processes.map(({ manager }) => manager.get());
    await settled();
    answer(session());
    await Promise.all(processes.map(({ clock }) => clock.advance(1_000)));
    const tokens = (await Promise.all(got)).map(({ refreshToken }) => refreshToken);
    expect(new Set(tokens).size).toBe(1);
    expect(processes.flatMap(({ strategy }) => strategy.asked)).toEqual(['sign-in']);
    expect(processes.flatMap(({ told }) => told).filter(([event]) => event === 'storeFailed')).toEqual([]);
    expect(store.locks.size).toBe(0);
  });

  it('wait for who holds the lock, but not for good', async () => {
    const store = new MemoryStore();
    store.locks.set('scripted', { owner: 'gone', leaseMs: 40_000 });
    const { manager, strategy, clock, told } = new Managed({ store });
    const got = manager.get();
    await clock.advance(2_499);
    expect(strategy.asked).toEqual([]);
    await clock.advance(1_000);
    expect(await got).toBeInstanceOf(Credential);
    expect(told[0]).toEqual(['storeFailed', { operation: 'lock', reason: 'HeldByAnother' }]);
    expect(store.locks.get('scripted')?.owner).toBe('gone');
    expect(clock.waiting).toBe(0);
  });

  it('hold the lock for twice the time of a flight, and longer while it lives', async () => {
    const store = new MemoryStore();
    const lock = jest.spyOn(store, 'lock');
    const { manager, strategy, clock } = new Managed({ store });
    strategy.signInSteps.push(never);
    const failed = Promise.resolve(manager.get()).catch(() => {});
    await clock.advance(19_999);
    expect(lock.mock.calls.map(([, { leaseMs }]) => leaseMs)).toEqual([40_000, 40_000]);
    expect(new Set(lock.mock.calls.map(([, { owner }]) => owner)).size).toBe(1);
    expect(store.locks.size).toBe(1);
    await clock.advance(1);
    await failed;
    expect(store.locks.size).toBe(0);
    expect(clock.waiting).toBe(0);
  });

  it('do not lock again what is unlocked while the lock is being extended', async () => {
    const store = new MemoryStore();
    const take = store.lock.bind(store);
    let extend = () => {};
    const { manager, strategy, clock } = new Managed({ store });
    let answer = (_credential: Credential): void => {};
    strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    const got = manager.get();
    await settled();
    store.lock = (key, options) =>
      new Promise((resolve, reject) => (extend = () => take(key, options).then(resolve, reject)));
    await clock.advance(10_000);
    answer(session());
    await settled();
    extend();
    await got;
    expect(store.locks.size).toBe(0);
  });

  it('leave what a sibling has saved meanwhile, and take it over when they next need one', async () => {
    const store = new MemoryStore();
    const { manager, strategy, clock } = new Managed({ store });
    const sibling = session();
    const own = session();
    strategy.signInSteps.push(() => {
      store.put(serializeCredential(sibling), 'scripted'); // after this process stood still for longer than its lease
      return own;
    });
    expect(await manager.get()).toBe(own);
    expect(stored(store)?.refreshToken).toBe(sibling.refreshToken);
    await clock.advance(60_000);
    expect(await manager.get()).toMatchObject({ refreshToken: sibling.refreshToken });
    expect(strategy.asked).toEqual(['sign-in']);
  });

  it('do not believe a store that fell back to an older state', async () => {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const { manager, strategy, told } = managed;
    const first = await managed.signIn(session());
    const old = store.records.get('scripted');
    const second = await manager.get(first);
    store.records.set('scripted', old as NonNullable<typeof old>);
    await manager.get(second);
    expect(strategy.sentRefreshTokens).toEqual([first.refreshToken, second.refreshToken]);
    expect(told).toContainEqual(['storeFailed', { operation: 'load', reason: 'RecordOutdated' }]);
    expect(store.records.get('scripted')?.generation).toBe(3);
  });

  it('do not take over what one of them knows to be refused, but its refresh token', async () => {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const first = await managed.signIn(session());
    managed.strategy.refreshSteps.push(fails(outage()));
    expect(await managed.codeOf(managed.manager.get(first))).toBe('ERR_AUTH_UNAVAILABLE');
    const sibling = new Managed({ store });
    await sibling.manager.get();
    expect(sibling.strategy.asked).toEqual(['refresh']);
    expect(sibling.strategy.sentRefreshTokens).toEqual([first.refreshToken]);
  });

  it('do not mark as refused what a sibling has saved', async () => {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const first = await managed.signIn(session());
    const sibling = session();
    managed.strategy.refreshSteps.push(() => {
      store.put(serializeCredential(sibling));
      throw outage();
    });
    await managed.codeOf(managed.manager.get(first));
    expect(stored(store)?.expiresAt).toEqual(sibling.expiresAt);
  });

  it('go on with what they have where the store takes nothing, and come back when it does', async () => {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const first = await managed.signIn(session());
    const { save } = MemoryStore.prototype;
    store.save = async () => Promise.reject(new RangeError('OOM'));
    const second = await managed.manager.get(first);
    const third = await managed.manager.get(second);
    expect(managed.strategy.sentRefreshTokens).toEqual([first.refreshToken, second.refreshToken]);
    store.save = save;
    const fourth = await managed.manager.get(third);
    expect(stored(store)?.refreshToken).toBe(fourth.refreshToken);
    expect(managed.strategy.count('sign-in')).toBe(0);
  });

  it('ask a store that fails once, and neither lock nor read it again', async () => {
    const store = new MemoryStore({ load: async () => Promise.reject(new RangeError()) });
    const lock = jest.spyOn(store, 'lock');
    const { manager, told } = new Managed({ store });
    await manager.get();
    expect(lock).not.toHaveBeenCalled();
    expect(told.map(([event]) => event)).toEqual(['storeFailed', 'signedIn']);
  });

  it('that lose a race refresh nothing twice: a refused refresh looks at the store again', async () => {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const first = await managed.signIn(session());
    const sibling = session();
    managed.strategy.refreshSteps.push(() => {
      store.put(serializeCredential(sibling));
      throw refused();
    });
    expect(await managed.manager.get(first)).toMatchObject({ refreshToken: sibling.refreshToken });
    expect(managed.strategy.asked).toEqual(['refresh']);
  });
});

describe('a wall clock that is wrong by ten minutes', () => {
  it('that is slow lets nothing live longer than it does', async () => {
    const store = new MemoryStore();
    store.put(serializeCredential(session()), 'scripted');
    const now = Date.now();
    jest.spyOn(Date, 'now').mockImplementation(() => now - 600_000);
    const { manager, strategy, clock } = new Managed({ store });
    await manager.get();
    expect(strategy.asked).toEqual([]);
    await clock.advance(59_000);
    await manager.get();
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('that is fast costs one credential of its own, from which it learns the time', async () => {
    const store = new MemoryStore();
    const server = Date.now();
    store.put(serializeCredential(session(server)), 'scripted');
    jest.spyOn(Date, 'now').mockImplementation(() => server + 600_000);
    const { manager, strategy, clock } = new Managed({ store });
    strategy.refreshSteps.push(() => session(server));
    const first = await manager.get();
    expect(strategy.asked).toEqual(['refresh']);
    const now = server + 58_000;
    const sibling = session(now);
    store.put(serializeCredential(sibling));
    jest.spyOn(Date, 'now').mockImplementation(() => now + 600_000);
    await clock.advance(58_000);
    expect(await manager.get(first)).toMatchObject({ refreshToken: sibling.refreshToken });
    expect(strategy.asked).toEqual(['refresh']);
  });
});
