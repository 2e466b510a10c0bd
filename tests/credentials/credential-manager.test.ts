import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AuthError } from '../../src/contract/auth-error';
import { Credential, serializeCredential } from '../../src/contract/credential';
import type { CredentialStore } from '../../src/contract/credential-store';
import { CredentialManager, type CredentialManagerOptions } from '../../src/credentials/credential-manager';
import { type AuthEvents, EventHub } from '../../src/events';
import { contextFor } from '../strategies/obtaining';
import { MemoryStore } from '../support/memory-store';
import { ownDetail } from './managed';
import {
  conflict,
  fails,
  HARD_FROM,
  LIFE,
  never,
  outage,
  refused,
  Scripted,
  SOFT_FROM,
  session,
  spurious,
} from './scripted';
import { SetClock, settled } from './set-clock';

let clock: SetClock;
let strategy: Scripted;
let events: EventHub;
let told: [keyof AuthEvents, unknown][];

function create(options: Partial<CredentialManagerOptions> = {}): CredentialManager {
  for (const event of ['signedIn', 'refreshed', 'refreshFailed', 'storeFailed'] as const) {
    events.on(event, (detail) => told.push([event, ownDetail(detail)]));
  }
  return new CredentialManager({
    strategy,
    events,
    context: (signal) => contextFor('http://127.0.0.1:1', signal),
    timeoutMs: 20_000,
    clock,
    ...options,
  });
}

/** A manager that holds a credential which has just been obtained. */
async function createSignedIn(options?: Partial<CredentialManagerOptions>, first = session()) {
  strategy.signInSteps.unshift(() => first);
  const manager = create(options);
  expect(await manager.get()).toBe(first);
  strategy.asked.length = 0;
  told.length = 0;
  return { manager, first };
}

const codeOf = async (promise: Credential | Promise<Credential>) => {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return (error as AuthError).code;
  }
};

beforeEach(() => {
  clock = new SetClock();
  clock.chance = 0;
  strategy = new Scripted();
  events = new EventHub('test');
  told = [];
});

/** Nobody handled it: jest does not notice by itself. */
const unhandled = jest.fn();
beforeEach(() => void process.on('unhandledRejection', unhandled));
afterEach(async () => {
  await settled();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe('rule 1: a rejected credential that is not the current one', () => {
  it('F22 gives the current one at once: a late 401 costs nothing', async () => {
    const { manager, first } = await createSignedIn();
    const second = await manager.get(first);
    expect(second).not.toBe(first);
    expect(strategy.asked).toEqual(['refresh']);
    for (let late = 0; late < 100; late++) expect(manager.get(first)).toBe(second);
    expect(manager.get(session())).toBe(second);
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('F22 joins the flight that the fast one started', async () => {
    const { manager, first } = await createSignedIn();
    const all = await Promise.all(Array.from({ length: 50 }, () => manager.get(first)));
    expect(new Set(all).size).toBe(1);
    expect(strategy.asked).toEqual(['refresh']);
  });
});

describe('rule 2: the current credential was rejected', () => {
  it('makes a flight', async () => {
    const { manager, first } = await createSignedIn();
    expect(await manager.get(first)).not.toBe(first);
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('F23 a flight that did not cure makes the next 30 s return the same credential', async () => {
    const { manager, first } = await createSignedIn();
    const second = await manager.get(first);
    manager.replayed(second as Credential, false);
    for (let call = 0; call < 1_000; call++) expect(manager.get(second as Credential)).toBe(second);
    await clock.advance(29_999);
    expect(manager.get(second as Credential)).toBe(second);
    await clock.advance(1);
    expect(await manager.get(second as Credential)).not.toBe(second);
    expect(strategy.asked).toEqual(['refresh', 'refresh']);
  });

  it('F23 doubles up to 5 min each time it does not cure', async () => {
    const { manager, first } = await createSignedIn(undefined, Credential.bearer('opaque-0', { refreshToken: 'r' }));
    let current = first;
    let serial = 0;
    strategy.refresh = async () => Credential.bearer(`opaque-${++serial}`, { refreshToken: 'r' });
    for (const pause of [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]) {
      const next = await manager.get(current);
      expect(next).not.toBe(current);
      manager.replayed(next, false);
      expect(manager.get(next)).toBe(next);
      await clock.advance(pause - 1);
      expect(manager.get(next)).toBe(next);
      await clock.advance(1);
      current = next;
    }
    expect(serial).toBe(6);
  });

  it('F23 many requests that were not cured by one flight count once', async () => {
    const { manager, first } = await createSignedIn();
    const second = await manager.get(first);
    for (let call = 0; call < 1_000; call++) manager.replayed(second, false);
    await clock.advance(30_000);
    expect(await manager.get(second)).not.toBe(second);
  });

  it('is ended by a cure', async () => {
    const { manager, first } = await createSignedIn();
    const second = await manager.get(first);
    manager.replayed(second, false);
    expect(manager.get(second)).toBe(second);
    manager.replayed(second, true);
    const third = await manager.get(second);
    expect(third).not.toBe(second);
    manager.replayed(third, false); // and the next time begins at 30 s again
    expect(manager.get(third)).toBe(third);
    await clock.advance(30_000);
    expect(await manager.get(third)).not.toBe(third);
  });

  it('does not call a refresh useless whose credential may have come to its end meanwhile', async () => {
    const { manager, first } = await createSignedIn(undefined, session(2));
    strategy.refreshSteps.push(() => session(2));
    const second = await manager.get(first);
    await clock.advance(1_000);
    expect(manager.mayHaveEnded(second)).toBe(true);
    manager.replayed(second, false);
    expect(await manager.get(second)).not.toBe(second);
  });

  it('F23 a useless refresh says nothing of a credential whose life is over by now', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(() => session(11));
    const second = await manager.get(first);
    manager.replayed(second, false);
    await clock.advance(9_999);
    expect(manager.get(second)).toBe(second);
    await clock.advance(1);
    expect(await manager.get(second)).not.toBe(second);
  });

  it('F23 calls it useless all the same after five credentials in a row that did not cure', async () => {
    const { manager, first } = await createSignedIn(undefined, session(1));
    let current = first;
    const fly = async () => {
      strategy.refreshSteps.push(() => session(1));
      const next = await manager.get(current);
      expect(next).not.toBe(current);
      current = next;
      await clock.advance(5_000);
    };
    const flyInVain = async (times: number) => {
      for (let uncured = 1; uncured <= times; uncured++) {
        await fly();
        for (let request = 0; request < 10; request++) manager.replayed(current, false); // counts once
      }
    };
    await flyInVain(4);
    await fly();
    manager.replayed(current, true); // begins the count anew
    await flyInVain(5);
    expect(manager.get(current)).toBe(current);
    await clock.advance(29_999); // from the fifth on
    expect(manager.get(current)).toBe(current);
    await clock.advance(1);
    await fly();
  });

  it('knows whether a refusal may mean the end of a life', async () => {
    const { manager, first } = await createSignedIn();
    await clock.advance(LIFE - 1);
    expect(manager.mayHaveEnded(first)).toBe(false);
    expect(manager.mayHaveEnded(session())).toBe(true); // it was replaced
    await clock.advance(1);
    expect(manager.mayHaveEnded(first)).toBe(true);
  });

  it('F38 never thinks so of a credential whose life nobody knows', async () => {
    const { manager, first } = await createSignedIn(undefined, Credential.bearer('opaque', { refreshToken: 'r' }));
    await clock.advance(1e12);
    expect(manager.mayHaveEnded(first)).toBe(false);
    expect(manager.get()).toBe(first);
  });

  it('ends in the error of the flight if no better one can be had', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(fails(outage()));
    await expect(manager.get(first)).rejects.toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
  });
});

describe('rules 3, 4 and 5: the windows, a millisecond to either side', () => {
  const current = 'the current one, no flight';
  const background = 'the current one, a flight in the background';
  const waits = 'waits for the flight';

  it.each([
    [0, 0, current],
    [SOFT_FROM - 1, 0, current],
    [SOFT_FROM, 0, background],
    [SOFT_FROM + 1, 0, background],
    [(SOFT_FROM + HARD_FROM) / 2 - 1, 0.5, current],
    [(SOFT_FROM + HARD_FROM) / 2, 0.5, background],
    [HARD_FROM - 1, 0, background],
    [HARD_FROM, 0, waits],
    [HARD_FROM - 1, 1, current],
    [HARD_FROM, 1, waits],
    [LIFE - 1, 0, waits],
    [LIFE, 0, waits],
    [LIFE * 10, 0, waits],
  ])('%i ms after its request was sent, with chance %f: %s', async (after, chance, expected) => {
    clock.chance = chance;
    const { manager, first } = await createSignedIn();
    await clock.advance(after);
    const got = manager.get();
    if (expected === waits) expect(got).toBeInstanceOf(Promise);
    else expect(got).toBe(first);
    const next = await got;
    await settled();
    expect(strategy.asked).toEqual(expected === current ? [] : ['refresh']);
    if (expected === waits) expect(next).not.toBe(first);
    if (expected !== current) expect(manager.get()).not.toBe(first);
  });

  it.each([
    ['a long life: at most 5 min before its end', 100_000, 300_000, 10_000],
    ['1,000 s: the last fifth, the last 10 s', 1_000, 200_000, 10_000],
    ['100 s: the last fifth, the last twentieth', 100, 20_000, 5_000],
    ['1 s', 1, 200, 50],
  ])('of %s', async (_name, seconds, soft, hard) => {
    const { manager, first } = await createSignedIn(undefined, session(seconds + 1));
    await clock.advance(seconds * 1_000 - soft - 1);
    expect(manager.get()).toBe(first);
    expect(strategy.asked).toEqual([]);
    strategy.refreshSteps.push(never);
    await clock.advance(1);
    expect(manager.get()).toBe(first);
    await settled();
    expect(strategy.asked).toEqual(['refresh']);
    if (soft - hard > 20_000) return; // beyond the flight's own deadline
    await clock.advance(soft - hard - 1);
    expect(manager.get()).toBe(first);
    await clock.advance(1);
    const code = codeOf(manager.get());
    manager.close();
    expect(await code).toBe('ERR_AUTH_CLOSED');
  });

  it('count from the moment the request was sent, not from its answer', async () => {
    strategy.signInSteps.push(async () => {
      await clock.advance(5_000);
      return session();
    });
    const manager = create();
    await manager.get();
    strategy.asked.length = 0;
    await clock.advance(SOFT_FROM - 5_000 - 1);
    manager.get();
    expect(strategy.asked).toEqual([]);
    await clock.advance(1);
    manager.get();
    await settled();
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('F39 do not move with the wall clock', async () => {
    const { manager, first } = await createSignedIn();
    for (const offset of [600_000, -600_000, 1e10]) {
      jest.spyOn(Date, 'now').mockReturnValue(Date.now() + offset);
      expect(manager.get()).toBe(first);
    }
    expect(strategy.asked).toEqual([]);
  });

  it('are none for a credential whose life is unknown or may be over at any moment', async () => {
    for (const credential of [Credential.apiKey('k'), session(1)]) {
      strategy = new Scripted();
      const { manager } = await createSignedIn(undefined, credential);
      await clock.advance(1e9);
      expect(manager.get()).toBe(credential);
      expect(strategy.asked).toEqual([]);
    }
  });

  it('F48 a flight in the background that fails harms nobody, is told, and is not repeated at once', async () => {
    const { manager, first } = await createSignedIn();
    await clock.advance(SOFT_FROM);
    strategy.refreshSteps.push(fails(outage()));
    expect(manager.get()).toBe(first);
    await settled();
    const detail = { strategy: 'scripted', code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 429, retryAfterMs: 500 };
    expect(told).toStrictEqual([['refreshFailed', detail]]);
    for (let call = 0; call < 100; call++) expect(manager.get()).toBe(first);
    await settled();
    expect(strategy.asked).toEqual(['refresh']);
    expect(clock.waiting).toBe(0);
  });

  it('while it lives, the current one serves on when the flight of the hard window fails', async () => {
    const { manager, first } = await createSignedIn();
    await clock.advance(HARD_FROM);
    strategy.refreshSteps.push(fails(outage()));
    expect(await manager.get()).toBe(first);
    expect(await manager.get()).toBe(first);
    expect(strategy.asked).toEqual(['refresh']);
    await clock.advance(9_999);
    strategy.refreshSteps.push(fails(outage()));
    expect(await manager.get()).toBe(first);
    await clock.advance(1);
    await expect(manager.get()).rejects.toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
  });
});

describe('the flight', () => {
  it('F20 is one for 1,000 callers, cold', async () => {
    const manager = create();
    const all = await Promise.all(Array.from({ length: 1_000 }, () => manager.get()));
    expect(new Set(all).size).toBe(1);
    expect(strategy.asked).toEqual(['sign-in']);
  });

  it('F21 is one refresh for 1,000 callers whose token has expired', async () => {
    const { manager } = await createSignedIn();
    await clock.advance(LIFE);
    const all = await Promise.all(Array.from({ length: 1_000 }, () => manager.get()));
    expect(new Set(all).size).toBe(1);
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('leaves no timer behind', async () => {
    const manager = create();
    await manager.get();
    expect(clock.waiting).toBe(0);
  });

  it('signs in again where the strategy has no refresh', async () => {
    Object.assign(strategy, { refresh: undefined });
    const { manager, first } = await createSignedIn();
    expect(await manager.get(first)).not.toBe(first);
    expect(strategy.asked).toEqual(['sign-in']);
  });

  it.each([
    ['a bearer without refresh token signs in again', () => Credential.bearer('opaque'), 'sign-in'],
    ['a bearer with refresh token refreshes', () => Credential.bearer('opaque', { refreshToken: 'r' }), 'refresh'],
    ['another kind of credential refreshes', () => Credential.headers({ 'x-session': 's' }), 'refresh'],
  ])('%s', async (_name, make, operation) => {
    const { manager, first } = await createSignedIn(undefined, make());
    await manager.get(first);
    expect(strategy.asked).toEqual([operation]);
  });

  it('F29 each of ten refreshes sends the newest refresh token', async () => {
    const { manager, first } = await createSignedIn();
    const held = [first];
    for (let round = 0; round < 10; round++) held.push(await manager.get(held.at(-1)));
    expect(strategy.sentRefreshTokens).toEqual(held.slice(0, -1).map(({ refreshToken }) => refreshToken));
    expect(new Set(strategy.sentRefreshTokens).size).toBe(10);
  });

  it('F28 a refresh that is refused is sent three times in all, then one sign-in follows', async () => {
    const { manager, first } = await createSignedIn();
    clock.chance = 0.5;
    strategy.refreshSteps.push(fails(spurious()), fails(spurious()), fails(spurious()));
    const next = manager.get(first);
    await settled();
    expect(strategy.asked).toEqual(['refresh']);
    await clock.advance(149); // 250 ms * (0.2 + 0.8 * 0.5) = 150 ms
    expect(strategy.asked).toEqual(['refresh']);
    await clock.advance(1);
    expect(strategy.asked).toEqual(['refresh', 'refresh']);
    await clock.advance(299);
    expect(strategy.asked).toEqual(['refresh', 'refresh']);
    await clock.advance(1);
    expect(strategy.asked).toEqual(['refresh', 'refresh', 'refresh', 'sign-in']);
    expect(new Set(strategy.sentRefreshTokens)).toEqual(new Set([first.refreshToken]));
    expect(await next).not.toBe(first);
    expect(told.map(([event]) => event)).toEqual(['refreshFailed', 'signedIn']);
  });

  it('F28 a spurious refusal costs no sign-in', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(fails(spurious()), fails(spurious()));
    const next = manager.get(first);
    await clock.advance(1_000);
    expect(await next).not.toBe(first);
    expect(strategy.asked).toEqual(['refresh', 'refresh', 'refresh']);
  });

  it.each(['ERR_AUTH_REFUSED', 'ERR_AUTH_TOKEN_REFUSED'] as const)(
    'F28 a refresh that is refused for good is not sent again: %s',
    async (code) => {
      const { manager, first } = await createSignedIn();
      strategy.refreshSteps.push(fails(new AuthError(code, 'no', { hint: '' })));
      await manager.get(first);
      expect(strategy.asked).toEqual(['refresh', 'sign-in']);
      expect(told[0]).toStrictEqual(['refreshFailed', { strategy: 'scripted', code }]);
    },
  );

  it('signs in once only: what fails then is the answer', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(fails(refused()));
    strategy.signInSteps.push(fails(refused()));
    await expect(manager.get(first)).rejects.toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(strategy.asked).toEqual(['refresh', 'sign-in']);
  });

  it('F41 a write conflict at sign-in is tried again until the others are done', async () => {
    strategy.signInSteps.push(...Array.from({ length: 5 }, () => fails(conflict())));
    const manager = create();
    const credential = manager.get();
    await clock.advance(10_000);
    expect(await credential).toBeInstanceOf(Credential);
    expect(strategy.count('sign-in')).toBe(6);
    expect(getEventListeners(strategy.contexts[0]?.signal as AbortSignal, 'abort')).toHaveLength(0); // of which Node warns from 11 on
  });

  it('F41 and that stays inside the deadline', async () => {
    strategy.signInSteps.push(...Array.from({ length: 10_000 }, () => fails(conflict())));
    const manager = create();
    const code = codeOf(manager.get());
    await clock.advance(20_000);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    const tries = strategy.count('sign-in');
    await clock.advance(100_000);
    expect(strategy.count('sign-in')).toBe(tries);
    expect(clock.waiting).toBe(0);
  });

  it('F36 is bounded by its deadline even if the strategy ignores its signal', async () => {
    strategy.signInSteps.push(never);
    const manager = create({ timeoutMs: 5_000 });
    const code = codeOf(manager.get());
    await clock.advance(4_999);
    expect(strategy.contexts[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    expect(strategy.contexts[0]?.signal.aborted).toBe(true);
    await clock.advance(1_000);
    expect(await manager.get()).toBeInstanceOf(Credential); // the next call may try again
  });

  it('F36 says that it was the deadline, also if the strategy obeys its signal in words of its own', async () => {
    strategy.signIn = ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new RangeError('stopped'))));
    const manager = create();
    const failure = Promise.resolve(manager.get()).catch((error: unknown) => error);
    await clock.advance(20_000);
    expect(await failure).toMatchObject({
      code: 'ERR_AUTH_UNAVAILABLE',
      message: 'No credential was obtained within 20000 ms.',
    });
  });

  it('F36 keeps its deadline by the time of the machine, and leaves no timer of it either', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
    try {
      const manager = create({ clock: undefined });
      strategy.signInSteps.push(never, session);
      const code = codeOf(manager.get());
      await jest.advanceTimersByTimeAsync(19_999);
      expect(strategy.contexts[0]?.signal.aborted).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
      await create({ clock: undefined }).get();
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('F36 an answer that comes after the deadline changes nothing', async () => {
    let late = (_credential: Credential): void => {};
    strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (late = resolve)));
    const manager = create();
    const code = codeOf(manager.get());
    await clock.advance(20_000);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    await clock.advance(1_000);
    const second = await manager.get();
    late(session());
    await settled();
    expect(manager.get()).toBe(second);
  });

  it.each([
    ['a string', 'secret-password', 'a value of type string'],
    ['undefined', undefined, 'a value of type undefined'],
    ['an Error with a secret', new Error('secret-password'), 'Error'],
    ['a TypeError', new TypeError('secret-password'), 'TypeError'],
    ['an object', { password: 'secret-password' }, 'a value of type object'],
  ])('of a strategy that throws %s ends in an AuthError without its text', async (_name, thrown, named) => {
    strategy.signInSteps.push(fails(thrown));
    const error = await Promise.resolve(create().get()).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', retryable: false });
    expect(String(error)).toContain(named);
    expect(String(error)).not.toContain('secret-password');
  });

  it('of a strategy that throws before it returns a promise ends the same way', async () => {
    strategy.signIn = () => {
      throw new RangeError('at once');
    };
    await expect(create().get()).rejects.toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE' });
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'token'],
    ['the shape of one', { headerNames: ['authorization'], refreshToken: 'r' }],
  ])('of a strategy that returns no Credential but %s says so', async (_name, returned) => {
    strategy.signInSteps.push(() => returned as never);
    const error = await Promise.resolve(create().get()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'ERR_AUTH_BAD_RESPONSE',
      message: expect.stringMatching(/"scripted" returned no Credential at sign-in/),
    });
  });

  it('names the operation that the strategy failed at', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(() => undefined as never);
    await expect(manager.get(first)).rejects.toThrow('"scripted" returned no Credential at refresh');
  });

  it('tells what it did', async () => {
    const manager = create();
    const first = await manager.get();
    const second = await manager.get(first);
    expect(told).toEqual([
      ['signedIn', { strategy: 'scripted', expiresAt: first.expiresAt }],
      ['refreshed', { strategy: 'scripted', expiresAt: second.expiresAt, adopted: false }],
    ]);
  });
});

describe('what a failed flight leaves behind', () => {
  it('F24 a refusal is remembered 30 s, doubling to 5 min; each caller gets what is left of it', async () => {
    const manager = create();
    for (const pause of [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]) {
      strategy.asked.length = 0;
      strategy.signInSteps.push(fails(refused()));
      expect(await codeOf(manager.get())).toBe('ERR_AUTH_REFUSED');
      for (let call = 0; call < 200; call++) expect(await codeOf(manager.get())).toBe('ERR_AUTH_REFUSED');
      await clock.advance(pause - 1);
      await expect(manager.get()).rejects.toMatchObject({ code: 'ERR_AUTH_REFUSED', retryAfterMs: 1 });
      expect(strategy.asked).toEqual(['sign-in']);
      await clock.advance(1);
    }
    expect(await manager.get()).toBeInstanceOf(Credential);
  });

  it.each([
    [0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    [0.5, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]],
    [1, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
  ])('F26 an outage makes the next try wait, doubling to 60 s, with jitter (chance %f)', async (chance, pauses) => {
    clock.chance = chance;
    const manager = create();
    for (const pause of pauses) {
      strategy.asked.length = 0;
      strategy.signInSteps.push(fails(outage()));
      await expect(manager.get()).rejects.toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryAfterMs: pause });
      await clock.advance(pause - 1);
      for (let call = 0; call < 50; call++) expect(await codeOf(manager.get())).toBe('ERR_AUTH_UNAVAILABLE');
      expect(strategy.asked).toEqual(['sign-in']);
      await clock.advance(1);
    }
  });

  it.each([
    ['longer than the back-off: honoured', 7_000, 7_000],
    ['shorter than the back-off: the back-off', 1, 1_000],
    ['none: the back-off', undefined, 1_000],
    ['five minutes', 300_000, 300_000],
  ])('F25 Retry-After %s', async (_name, retryAfterMs, expected) => {
    clock.chance = 1;
    strategy.signInSteps.push(fails(outage(retryAfterMs)));
    const manager = create();
    await expect(manager.get()).rejects.toMatchObject({ retryAfterMs: expected });
    await clock.advance(expected - 1);
    await expect(manager.get()).rejects.toMatchObject({ retryAfterMs: 1 });
    expect(strategy.count('sign-in')).toBe(1);
    await clock.advance(1);
    expect(await manager.get()).toBeInstanceOf(Credential);
  });

  it('a success ends the memory: the next outage begins at the first step again', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(fails(outage()), session, fails(outage()));
    await expect(manager.get(first)).rejects.toMatchObject({ retryAfterMs: 500 });
    await clock.advance(500);
    const second = await manager.get(first);
    await expect(manager.get(second)).rejects.toMatchObject({ retryAfterMs: 500 });
  });

  it('an outage and a refusal are counted apart', async () => {
    const manager = create();
    strategy.signInSteps.push(fails(outage()), fails(refused()), fails(outage()));
    await expect(manager.get()).rejects.toMatchObject({ retryAfterMs: 500 });
    await clock.advance(500);
    await expect(manager.get()).rejects.toMatchObject({ retryAfterMs: 30_000 });
    await clock.advance(30_000);
    await expect(manager.get()).rejects.toMatchObject({ retryAfterMs: 500 });
  });

  it('an outage of the refresh keeps the refresh token and costs no sign-in', async () => {
    const { manager, first } = await createSignedIn();
    strategy.refreshSteps.push(fails(outage()));
    await codeOf(manager.get(first));
    await clock.advance(500);
    await manager.get(first);
    expect(strategy.asked).toEqual(['refresh', 'refresh']);
    expect(new Set(strategy.sentRefreshTokens)).toEqual(new Set([first.refreshToken]));
  });

  it('is told as a failed refresh only where there was something to refresh', async () => {
    strategy.signInSteps.push(fails(outage()));
    await codeOf(create().get());
    expect(told).toEqual([]);
  });

  it('no rejected promise is kept: the next flight is a new one', async () => {
    const manager = create();
    strategy.signInSteps.push(fails(outage()));
    const failed = manager.get();
    await codeOf(failed);
    const again = manager.get();
    expect(again).not.toBe(failed);
    await codeOf(again);
    await clock.advance(500);
    expect(await manager.get()).toBeInstanceOf(Credential);
  });
});

describe('F56 close()', () => {
  it('ends all who wait with ERR_AUTH_CLOSED, aborts the strategy and leaves nothing running', async () => {
    strategy.signInSteps.push(never);
    const manager = create();
    const codes = Promise.all(Array.from({ length: 20 }, () => codeOf(manager.get())));
    const failure = Promise.resolve(manager.get()).catch((error: unknown) => error);
    await settled();
    manager.close();
    expect(new Set(await codes)).toEqual(new Set(['ERR_AUTH_CLOSED']));
    expect(await failure).not.toHaveProperty('retryAfterMs'); // there is nothing to wait for
    expect(strategy.contexts[0]?.signal.aborted).toBe(true);
    await settled();
    expect(clock.waiting).toBe(0);
  });

  it('ends the pause between two tries', async () => {
    strategy.signInSteps.push(fails(conflict()));
    const manager = create();
    const code = codeOf(manager.get());
    await settled();
    manager.close();
    expect(await code).toBe('ERR_AUTH_CLOSED');
    expect(clock.waiting).toBe(0);
  });

  it('ends a wait for the store, whichever operation it is at', async () => {
    for (const operation of ['lock', 'load', 'save'] as const) {
      const manager = create({ store: new MemoryStore({ [operation]: () => new Promise<never>(() => {}) }) });
      const code = codeOf(manager.get());
      await settled();
      manager.close();
      expect(await code).toBe('ERR_AUTH_CLOSED');
      expect(clock.waiting).toBe(0);
    }
  });

  it('lets no later call have a credential', async () => {
    const { manager, first } = await createSignedIn();
    manager.close();
    expect(await codeOf(manager.get())).toBe('ERR_AUTH_CLOSED');
    expect(await codeOf(manager.get(first))).toBe('ERR_AUTH_CLOSED');
    expect(manager.mayHaveEnded(first)).toBe(true);
    expect(strategy.asked).toEqual([]);
  });

  it('a credential that arrives afterwards is dropped', async () => {
    let late = (_credential: Credential): void => {};
    strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (late = resolve)));
    const manager = create();
    const code = codeOf(manager.get());
    await settled();
    manager.close();
    late(session());
    expect(await code).toBe('ERR_AUTH_CLOSED');
    expect(await codeOf(manager.get())).toBe('ERR_AUTH_CLOSED');
    expect(told).toEqual([]);
  });

  it('of a flight in the background harms nobody', async () => {
    const { manager } = await createSignedIn();
    await clock.advance(SOFT_FROM);
    strategy.refreshSteps.push(never);
    manager.get();
    await settled();
    manager.close();
    await settled();
    expect(clock.waiting).toBe(0);
    expect(told).toEqual([]);
  });

  it('may be called twice', () => {
    const manager = create();
    manager.close();
    manager.close();
  });
});

describe('the store', () => {
  it('is locked, read, written and unlocked, in this order', async () => {
    const order: string[] = [];
    const store: CredentialStore = {
      lock: async (key) => order.push(`lock ${key}`) > 0,
      unlock: async (key) => {
        await settled(); // callers get the credential once the next process can have the lock
        order.push(`unlock ${key}`);
      },
      load: async (key) => {
        order.push(`load ${key}`);
        return undefined;
      },
      save: async (key) => order.push(`save ${key}`) > 0,
    };
    strategy.signInSteps.push(() => {
      order.push('sign-in');
      return session();
    });
    await create({ store, storeKey: 'the-key' }).get();
    expect(order).toEqual([
      ...['load the-key', 'lock the-key', 'load the-key'],
      ...['sign-in', 'save the-key', 'unlock the-key'],
    ]);
  });

  it('needs no lock', async () => {
    const store = new MemoryStore({ lock: undefined, unlock: undefined } as unknown as Partial<CredentialStore>);
    const credential = await create({ store, storeKey: 'k' }).get();
    expect(store.records.get('k')?.text).toBe(serializeCredential(credential));
  });

  it("gives a sibling's credential to a process that starts", async () => {
    const sibling = Credential.bearer('of-a-sibling', { refreshToken: 'r', expiresAt: new Date(Date.now() + 60_000) });
    const store = new MemoryStore();
    store.put(serializeCredential(sibling), 'scripted');
    const adopted = await create({ store }).get();
    expect(adopted.refreshToken).toBe('r');
    expect(strategy.asked).toEqual([]);
    expect(told).toEqual([['refreshed', { strategy: 'scripted', expiresAt: sibling.expiresAt, adopted: true }]]);
  });

  it("gives a sibling's newer credential instead of a refresh", async () => {
    const store = new MemoryStore();
    const { manager, first } = await createSignedIn({ store });
    store.put(serializeCredential(Credential.bearer('newer', { refreshToken: 'r2' })));
    const adopted = await manager.get(first);
    expect(adopted.refreshToken).toBe('r2');
    expect(strategy.asked).toEqual([]);
  });

  it('does not give back the credential that was refused', async () => {
    const lasting = Credential.bearer('opaque', { refreshToken: 'r' });
    const { manager, first } = await createSignedIn({ store: new MemoryStore() }, lasting);
    await manager.get(first);
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('F29 a sibling’s credential that has ended is refreshed with its own refresh token', async () => {
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now);
    const ended = Credential.bearer('ended', { refreshToken: 'newest', expiresAt: new Date(now) });
    const store = new MemoryStore();
    store.put(serializeCredential(ended), 'scripted');
    await create({ store }).get();
    expect(strategy.asked).toEqual(['refresh']);
    expect(strategy.sentRefreshTokens).toEqual(['newest']);
  });

  it('is read once more when a refresh is refused: a sibling without lock may have spent the token', async () => {
    const store = new MemoryStore();
    const { manager, first } = await createSignedIn({ store });
    strategy.refreshSteps.push(() => {
      store.put(serializeCredential(Credential.bearer('of-a-sibling', { refreshToken: 'r3' })));
      throw refused();
    });
    const adopted = await manager.get(first);
    expect(adopted.refreshToken).toBe('r3');
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('what it holds is ignored if it cannot be read, and told', async () => {
    const store = new MemoryStore({ lock: async () => Promise.reject(new RangeError()) });
    store.put('{"version":0}', 'scripted');
    await create({ store }).get();
    expect(strategy.asked).toEqual(['sign-in']);
    expect(told.map(([event]) => event)).toEqual(['storeFailed', 'storeFailed', 'signedIn']);
    expect(told[0]).toEqual(['storeFailed', { operation: 'load', reason: 'RecordUnreadable' }]);
    expect(store.records.get('scripted')?.generation).toBe(2);
  });

  it.each([
    ['lock', { lock: async () => Promise.reject(new RangeError('secret')) }],
    ['load', { load: async () => Promise.reject(new RangeError('secret')) }],
    ['save', { save: async () => Promise.reject(new RangeError('secret')) }],
    ['unlock', { unlock: async () => Promise.reject(new RangeError('secret')) }],
    [
      'load',
      {
        load: () => {
          throw new RangeError('secret');
        },
      },
    ],
  ])('that fails at %s is told, and the flight goes on', async (operation, changes) => {
    const manager = create({ store: new MemoryStore(changes as Partial<CredentialStore>) });
    expect(await manager.get()).toBeInstanceOf(Credential);
    expect(told.filter(([event]) => event === 'storeFailed')).toEqual([
      ['storeFailed', { operation, reason: 'RangeError' }],
    ]);
    expect(strategy.asked).toEqual(['sign-in']);
  });

  it.each(['lock', 'load', 'save'] as const)(
    'that hangs at %s is left out after a tenth of the time',
    async (operation) => {
      const hangs = jest.fn((..._args: unknown[]) => new Promise<never>(() => {}));
      const manager = create({ store: new MemoryStore({ [operation]: hangs }) });
      const credential = manager.get();
      await clock.advance(1_999);
      expect(told).not.toContainEqual(['storeFailed', expect.anything()]);
      expect(hangs.mock.lastCall?.at(-1)).toMatchObject({ signal: { aborted: false } });
      await clock.advance(1);
      expect(hangs.mock.lastCall?.at(-1)).toMatchObject({ signal: { aborted: true } });
      expect(told).toContainEqual(['storeFailed', { operation, reason: 'StoreTimeout' }]);
      expect(await credential).toBeInstanceOf(Credential);
      expect(clock.waiting).toBe(0);
    },
  );

  it.each([
    ['the flight fails', fails(outage())],
    ['the flight comes to its deadline', never],
  ])('is unlocked when %s', async (_name, step) => {
    const unlock = jest.fn(async () => {});
    strategy.signInSteps.push(step);
    const manager = create({ store: new MemoryStore({ unlock }) });
    const code = codeOf(manager.get());
    await clock.advance(20_000);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    expect(unlock).toHaveBeenCalledTimes(1);
  });

  it('that hangs while it saves costs nobody the credential, even at the deadline', async () => {
    let answer = (_credential: Credential): void => {};
    strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    const manager = create({ store: new MemoryStore({ save: () => new Promise<never>(() => {}) }) });
    const credential = manager.get();
    await clock.advance(19_000);
    const late = session();
    answer(late);
    await clock.advance(1_000);
    expect(await credential).toBe(late);
    expect(told.map(([event]) => event)).toEqual(['storeFailed', 'signedIn']);
  });

  it('is not blamed for the deadline when it is being read', async () => {
    const store = new MemoryStore();
    const { manager, first } = await createSignedIn({ store });
    let refuse = (_error: AuthError): void => {};
    strategy.refreshSteps.push(() => new Promise<Credential>((_resolve, reject) => (refuse = reject)));
    const code = codeOf(manager.get(first));
    await clock.advance(19_000);
    store.load = () => new Promise<never>(() => {});
    refuse(refused());
    await clock.advance(1_000);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    expect(told.map(([event]) => event)).toEqual(['refreshFailed', 'refreshFailed']);
  });

  it('that hangs when it is unlocked holds nobody up beyond the deadline', async () => {
    strategy.signInSteps.push(never);
    const manager = create({ store: new MemoryStore({ unlock: () => new Promise<never>(() => {}) }) });
    let code: string | undefined;
    codeOf(manager.get()).then((seen) => (code = seen));
    await clock.advance(20_000);
    expect(code).toBe('ERR_AUTH_UNAVAILABLE');
  });

  it('F56 is unlocked by close()', async () => {
    const unlock = jest.fn(async () => {});
    strategy.signInSteps.push(never);
    const manager = create({ store: new MemoryStore({ unlock }) });
    const code = codeOf(manager.get());
    await settled();
    manager.close();
    expect(await code).toBe('ERR_AUTH_CLOSED');
    await settled();
    expect(unlock).toHaveBeenCalledTimes(1);
  });

  it('that gives its lock too late gets it back', async () => {
    const unlock = jest.fn(async () => {});
    let give = (_isLocked: boolean): void => {};
    const lock = () => new Promise<boolean>((resolve) => (give = resolve));
    const manager = create({ store: new MemoryStore({ lock, unlock }) });
    const credential = manager.get();
    await clock.advance(2_000);
    expect(await credential).toBeInstanceOf(Credential);
    give(true);
    await settled();
    expect(unlock).toHaveBeenCalledTimes(1);
  });

  it('F29 that could not save does not bring back what was replaced', async () => {
    const store = new MemoryStore();
    const { manager, first } = await createSignedIn({ store });
    store.save = async () => Promise.reject(new Error('read-only'));
    const second = await manager.get(first);
    const { load } = store;
    store.load = async () => Promise.reject(new Error('out of reach for a moment'));
    const third = await manager.get(second);
    store.load = load;
    await manager.get(third);
    expect(strategy.sentRefreshTokens).toEqual([first.refreshToken, second.refreshToken, third.refreshToken]);
  });
});
