import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthError } from '../../src/contract/auth-error';
import { Credential } from '../../src/contract/credential';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { EventHub } from '../../src/events';
import { contextFor } from '../strategies/obtaining';
import { webTokenFor } from './json-web-token';
import { SetClock, settled } from './set-clock';

const first = Credential.apiKey('first');
const second = Credential.apiKey('second');

let clock: SetClock;
let next: Credential;
const signIn = jest.fn(async () => next);
const isReplaced = jest.fn<(current: Credential) => Promise<boolean>>();
const onFlight = jest.fn<(flight: Promise<Credential>) => void>();
const told: string[] = [];

/** A manager of a credential without an end that may be replaced, which it has just obtained. */
async function created(): Promise<CredentialManager> {
  const events = new EventHub('test');
  events.on('signedIn', () => told.push('signedIn'));
  for (const failure of ['signInFailed', 'refreshFailed'] as const) events.on(failure, ({ code }) => told.push(code));
  const manager = new CredentialManager({
    strategy: { name: 's', signIn, isReplaced },
    events,
    context: (signal) => contextFor('http://127.0.0.1:1', signal),
    timeoutMs: 20_000,
    clock,
    onFlight,
  });
  await manager.get();
  signIn.mockClear();
  onFlight.mockClear();
  told.length = 0;
  return manager;
}

beforeEach(() => {
  clock = new SetClock();
  next = first;
  signIn.mockImplementation(async () => next);
  isReplaced.mockResolvedValue(false);
});

describe('a look at what may have replaced the credential', () => {
  it('is due 5 s after the last one, in the background; before that calls cost nothing', async () => {
    const manager = await created();
    await clock.advance(4_999);
    for (let call = 0; call < 10; call++) expect(manager.get()).toBe(first);
    expect(isReplaced).not.toHaveBeenCalled();
    await clock.advance(1);
    for (let call = 0; call < 10; call++) expect(manager.get()).toBe(first);
    await settled();
    expect(isReplaced.mock.calls).toEqual([[first]]);
    await clock.advance(4_999);
    expect(manager.get()).toBe(first);
    await settled();
    expect(isReplaced).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    manager.get();
    await settled();
    expect(isReplaced).toHaveBeenCalledTimes(2);
    expect([signIn.mock.calls.length, told]).toEqual([0, []]);
  });

  it('is waited for 30 s after the last one', async () => {
    const manager = await created();
    await clock.advance(30_000);
    const waiting = manager.get();
    expect(waiting).toBeInstanceOf(Promise);
    expect(await waiting).toBe(first);
    expect(manager.get()).toBe(first);
    expect(isReplaced).toHaveBeenCalledTimes(1);
  });

  it('leads to a sign-in if there is another one, once for all callers', async () => {
    const manager = await created();
    await clock.advance(30_000);
    isReplaced.mockResolvedValue(true);
    next = second;
    expect(await Promise.all([manager.get(), manager.get(), manager.get()])).toEqual([second, second, second]);
    expect(signIn).toHaveBeenCalledTimes(1);
    expect(told).toEqual(['signedIn']);
  });

  it('harms nobody if what it leads to fails: the credential in use serves on, the next try waits', async () => {
    const manager = await created();
    isReplaced.mockResolvedValue(true);
    signIn.mockRejectedValue(new AuthError('ERR_AUTH_TOKEN_REFUSED', 'no', { hint: '' }));
    await clock.advance(30_000);
    expect(await manager.get()).toBe(first);
    await clock.advance(29_999);
    expect(await manager.get()).toBe(first);
    expect(signIn).toHaveBeenCalledTimes(1);
    expect(told).toEqual(['ERR_AUTH_TOKEN_REFUSED']);
  });

  it('that hangs delays no call before 30 s, and none for longer than a tenth of timeoutMs', async () => {
    const manager = await created();
    isReplaced.mockImplementation(() => new Promise(() => {}));
    await clock.advance(5_000);
    expect(manager.get()).toBe(first);
    await clock.advance(1_999);
    expect(manager.get()).toBe(first);
    expect(isReplaced).toHaveBeenCalledTimes(1);
    await clock.advance(30_001);
    const waiting = Promise.resolve(manager.get());
    await clock.advance(2_000);
    expect(await waiting).toBe(first);
    expect([isReplaced.mock.calls.length, signIn.mock.calls.length, told]).toEqual([2, 0, []]);
  });

  it.each<[string, () => unknown]>([
    ['rejects', () => Promise.reject(new Error('the vault is out of order'))],
    [
      'throws',
      () => {
        throw new Error('the vault is out of order');
      },
    ],
    ['says something else than true', async () => 'yes'],
    ['says nothing', () => undefined],
  ])('that %s counts as no, and is made again later', async (_name, look) => {
    const manager = await created();
    isReplaced.mockImplementation(look as (current: Credential) => Promise<boolean>);
    await clock.advance(30_000);
    expect(await manager.get()).toBe(first);
    expect(manager.get()).toBe(first);
    expect([isReplaced.mock.calls.length, signIn.mock.calls.length, told]).toEqual([1, 0, []]);
    isReplaced.mockResolvedValue(true);
    next = second;
    await clock.advance(30_000);
    expect(await manager.get()).toBe(second);
  });

  it('is not made for a credential that was refused: that is signed in for', async () => {
    const manager = await created();
    next = second;
    expect(await manager.get(first)).toBe(second);
    expect([isReplaced.mock.calls.length, signIn.mock.calls.length]).toEqual([0, 1]);
  });

  it('ends with close()', async () => {
    const manager = await created();
    isReplaced.mockImplementation(() => new Promise(() => {}));
    await clock.advance(30_000);
    const waiting = Promise.resolve(manager.get());
    manager.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(clock.waiting).toBe(0);
  });

  it('is not made for a credential whose life is known: that has its windows', async () => {
    next = Credential.bearer(webTokenFor(1_001));
    clock.chance = 0;
    const manager = await created();
    await clock.advance(799_999);
    expect(manager.get()).toBe(next);
    await clock.advance(1);
    manager.get();
    await settled();
    expect([isReplaced.mock.calls.length, signIn.mock.calls.length]).toEqual([0, 1]);
  });
});

it('each flight is told of as it begins, and only then', async () => {
  const manager = await created();
  manager.get();
  expect(onFlight).not.toHaveBeenCalled();
  next = second;
  const flight = manager.get(first);
  manager.get(first);
  expect(onFlight.mock.calls).toEqual([[flight]]);
  await flight;
});
