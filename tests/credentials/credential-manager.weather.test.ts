import { describe, expect, it, jest } from '@jest/globals';
import { AuthError } from '../../src/contract/auth-error';
import { Credential, serializeCredential } from '../../src/contract/credential';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { causedBy } from '../../src/credentials/obtain-errors';
import { EventHub } from '../../src/events';
import { contextFor } from '../strategies/obtaining';
import { MemoryStore } from '../support/memory-store';
import { Managed } from './managed';
import { conflict, fails, HARD_FROM, hiccup, LIFE, never, outage, refused, session, spurious } from './scripted';
import { SetClock, settled } from './set-clock';

const reset = (code = 'ECONNRESET') =>
  causedBy(code, new AuthError('ERR_AUTH_UNAVAILABLE', 'no answer', { hint: '', retryable: true }));
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

describe('W02 a renewal that fails for a moment', () => {
  const faults: [string, () => AuthError][] = [
    ['a reset', reset],
    ['a refused connection', () => reset('ECONNREFUSED')],
    ['500', () => hiccup(undefined, 500)],
    ['502', () => hiccup(undefined, 502)],
    ['503', () => hiccup()],
    ['504', () => hiccup(undefined, 504)],
  ];

  it.each(faults.flatMap(([name, fault]) => [1, 3, 5].map((count) => [name, count, fault] as const)))(
    '%s, %i in a row, fails none of the calls that wait for it',
    async (_name, count, fault) => {
      const { manager, strategy, clock } = new Managed();
      clock.chance = 1;
      strategy.signInSteps.push(...times(count, () => fails(fault())));
      const calls = Promise.all(times(20, () => manager.get()));
      await clock.advance(7_750);
      expect(new Set(await calls).size).toBe(1);
      expect(strategy.asked).toEqual(times(count + 1, () => 'sign-in'));
      expect(clock.waiting).toBe(0);
    },
  );

  it.each([
    [0, [125, 250, 500, 1_000, 2_000]],
    [1, [250, 500, 1_000, 2_000, 4_000]],
  ])('is tried six times, after pauses that double (chance %f)', async (chance, pauses) => {
    const { manager, strategy, clock, failureOf } = new Managed();
    clock.chance = chance;
    strategy.signInSteps.push(...times(100, () => fails(reset())));
    const failure = failureOf(manager.get());
    await settled();
    for (const [index, pause] of pauses.entries()) {
      expect(strategy.count('sign-in')).toBe(index + 1);
      await clock.advance(pause - 1);
      expect(strategy.count('sign-in')).toBe(index + 1);
      await clock.advance(1);
    }
    expect(await failure).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
    expect(strategy.count('sign-in')).toBe(6);
    expect(clock.waiting).toBe(0);
  });

  it.each<[string, AuthError]>([
    ['429', outage()],
    ['an answer that is not one of Qelos', new AuthError('ERR_AUTH_BAD_RESPONSE', 'x', { hint: '', retryable: true })],
    ['a refusal', refused()],
    ['a time-out', reset('ETIMEDOUT')],
    [
      'an outage in the strategy’s own words',
      new AuthError('ERR_AUTH_UNAVAILABLE', 'x', { hint: '', retryable: true }),
    ],
    ['503 that asks to wait for long', hiccup(5_001)],
  ])('is not tried again: %s', async (_name, error) => {
    const { manager, strategy, failureOf, clock } = new Managed();
    strategy.signInSteps.push(fails(error));
    expect(await failureOf(manager.get())).toMatchObject({ code: error.code });
    expect(strategy.count('sign-in')).toBe(1);
    expect(clock.waiting).toBe(0);
  });

  it('Retry-After is kept to while callers wait', async () => {
    const { manager, strategy, clock } = new Managed();
    strategy.signInSteps.push(fails(hiccup(3_000)));
    const call = manager.get();
    await clock.advance(2_999);
    expect(strategy.count('sign-in')).toBe(1);
    await clock.advance(1);
    expect(await call).toBeInstanceOf(Credential);
  });

  it('is not tried again beyond the deadline: the fault is told, not the deadline', async () => {
    const { manager, strategy, clock, failureOf } = new Managed({ timeoutMs: 1_000 });
    clock.chance = 1;
    strategy.signInSteps.push(...times(9, () => fails(hiccup())));
    const failure = failureOf(manager.get());
    await clock.advance(750);
    expect(await failure).toMatchObject({ httpStatus: 503 });
    expect(strategy.count('sign-in')).toBe(3);
  });

  it('is not tried again ten seconds after the first fault', async () => {
    const { manager, strategy, clock, failureOf } = new Managed();
    clock.chance = 1;
    const slow = async () => {
      await new Promise<void>((resolve) => void clock.schedule(2_500, resolve));
      throw hiccup();
    };
    strategy.signInSteps.push(...times(9, () => slow));
    const failure = failureOf(manager.get());
    await clock.advance(20_000);
    expect(await failure).toMatchObject({ httpStatus: 503 });
    expect(strategy.count('sign-in')).toBeLessThan(6);
  });

  it('a refresh whose answer was lost ends in one sign-in, without a failed call', async () => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn();
    strategy.refreshSteps.push(fails(reset()), fails(spurious()), fails(spurious()), fails(spurious()));
    const calls = Promise.all(times(20, () => manager.get(first)));
    await clock.advance(10_000);
    expect(new Set(await calls).size).toBe(1);
    expect(strategy.asked).toEqual(['refresh', 'refresh', 'refresh', 'refresh', 'sign-in']);
  });

  it('an answer in between is a sign of life: what may pass is counted anew', async () => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn();
    strategy.refreshSteps.push(...times(5, () => fails(reset())), fails(spurious()), ...times(5, () => fails(reset())));
    const call = manager.get(first);
    await clock.advance(15_000);
    expect(await call).not.toBe(first);
    expect(strategy.asked).toEqual(times(12, () => 'refresh'));
  });

  it('while it lives, the current one serves on as soon as a try has failed', async () => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn();
    await clock.advance(HARD_FROM);
    let fail = (_error: AuthError): void => {};
    strategy.refreshSteps.push(() => new Promise<Credential>((_resolve, reject) => (fail = reject)));
    const waiting = [manager.get(), manager.get()];
    await settled();
    fail(reset());
    await settled();
    expect(await Promise.all(waiting)).toEqual([first, first]);
    expect(await manager.get()).toBe(first);
    await clock.advance(125);
    expect(manager.get()).not.toBe(first);
    expect(strategy.asked).toEqual(['refresh', 'refresh']);
  });

  it('but not longer: whoever has nothing waits for the tries to come', async () => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn();
    await clock.advance(LIFE);
    strategy.refreshSteps.push(fails(reset()), fails(reset()));
    const call = manager.get();
    await clock.advance(375);
    expect(await call).not.toBe(first);
  });
});

describe('W03 an outage', () => {
  it.each([0, 0.5, 1])(
    'without a connection, for two minutes under load: at most a request a second, and none later than 5 s after the last (chance %f)',
    async (chance) => {
      const { manager, strategy, clock } = new Managed();
      clock.chance = chance;
      const at: number[] = [];
      strategy.signIn = async () => {
        at.push(clock.now());
        throw reset('ECONNREFUSED');
      };
      const begun = clock.now();
      while (clock.now() - begun < 120_000) {
        Promise.resolve(manager.get()).catch(() => {});
        await clock.advance(100);
      }
      const gaps = at.map((moment, i) => moment - (at[i - 1] ?? begun));
      expect(Math.max(...gaps)).toBeLessThan(5_000);
      expect(at.length).toBeLessThanOrEqual(120 + 6);
    },
  );

  it.each([0, 1])(
    'of a server that answers 5xx: after the first flight one look a back-off step (chance %f)',
    async (chance) => {
      const { manager, strategy, clock, codeOf } = new Managed();
      clock.chance = chance;
      const scale = 0.5 + chance / 2;
      strategy.signIn = async () => {
        strategy.asked.push('sign-in');
        throw hiccup();
      };
      const first = codeOf(manager.get());
      await clock.advance(7_750 * scale);
      expect(await first).toBe('ERR_AUTH_UNAVAILABLE');
      expect(strategy.count('sign-in')).toBe(6);
      for (const [step, pause] of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].entries()) {
        await clock.advance(pause * scale - 1);
        expect(await codeOf(manager.get())).toBe('ERR_AUTH_UNAVAILABLE');
        expect(strategy.count('sign-in')).toBe(6 + step);
        await clock.advance(1);
        expect(await codeOf(manager.get())).toBe('ERR_AUTH_UNAVAILABLE');
        expect(strategy.count('sign-in')).toBe(6 + step + 1);
      }
    },
  );

  it('of a machine that never answers ends at the deadline, and is looked at again soon', async () => {
    const { manager, strategy, clock, codeOf } = new Managed();
    clock.chance = 1;
    strategy.signInSteps.push(...times(20, () => never));
    for (let flight = 1; flight <= 5; flight++) {
      const code = codeOf(manager.get());
      await clock.advance(20_000);
      expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
      await clock.advance(4_000);
    }
    expect(await codeOf(Promise.race([manager.get(), clock.advance(0).then(() => session())]))).toBe('resolved');
    expect(strategy.count('sign-in')).toBe(6);
  });
});

describe('W06 a password that worked before and is refused', () => {
  const refusedNow = () => new AuthError('ERR_AUTH_REFUSED', 'no', { hint: '', httpStatus: 401, retryable: true });

  it('is tried again after 1 s, doubling to 4 s for a minute and to 30 s afterwards, and says so', async () => {
    const managed = new Managed();
    const { manager, strategy, clock, failureOf } = managed;
    clock.chance = 1;
    Object.assign(strategy, { refresh: undefined });
    const first = await managed.signIn();
    const begun = clock.now();
    const pauses: number[] = [];
    strategy.signInSteps.push(...times(100, () => fails(refusedNow())));
    while (clock.now() - begun < 200_000) {
      const { retryAfterMs, retryable, code } = await failureOf(manager.get(first));
      expect([code, retryable]).toEqual(['ERR_AUTH_REFUSED', true]);
      pauses.push(retryAfterMs as number);
      await clock.advance(retryAfterMs as number);
    }
    expect(pauses.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 4_000]);
    expect(pauses.slice(0, 16).reduce((sum, pause) => sum + pause)).toBeLessThanOrEqual(64_000);
    expect(pauses.slice(-7)).toEqual([4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
    expect(strategy.count('sign-in')).toBe(pauses.length);
  });

  it('F24 S10 one that never worked keeps its cool-down, also where a strategy calls it retryable', async () => {
    const { manager, strategy, failureOf } = new Managed();
    strategy.signInSteps.push(...times(9, () => fails(refusedNow())));
    expect(await failureOf(manager.get())).toMatchObject({ retryAfterMs: 30_000 });
    for (let call = 0; call < 200; call++) await failureOf(manager.get());
    expect(strategy.count('sign-in')).toBe(1);
  });

  it('a refresh token that was refused three times is not sent again after each pause', async () => {
    const managed = new Managed();
    const { manager, strategy, clock, failureOf } = managed;
    const first = await managed.signIn();
    strategy.refreshSteps.push(...times(100, () => fails(spurious())));
    strategy.signInSteps.push(...times(5, () => fails(refused())));
    const failure = failureOf(manager.get(first));
    await clock.advance(5_000);
    await failure;
    expect(strategy.asked).toEqual(['refresh', 'refresh', 'refresh', 'sign-in']);
    for (const pause of [30_000, 60_000, 120_000, 240_000]) {
      await clock.advance(pause);
      await failureOf(manager.get(first));
    }
    expect([strategy.count('refresh'), strategy.count('sign-in')]).toEqual([3, 5]);
    await clock.advance(300_000);
    const second = await manager.get(first);
    strategy.refreshSteps.length = 0;
    expect(await manager.get(second)).not.toBe(second); // and the next one is sent
    expect(strategy.count('refresh')).toBe(4);
  });
});

describe('W07 calls that begin while a refused credential is renewed', () => {
  it('wait for it', async () => {
    const managed = new Managed();
    const { manager, strategy } = managed;
    const first = await managed.signIn();
    let answer = (_credential: Credential): void => {};
    strategy.refreshSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    const calls = [manager.get(first), manager.get(), manager.get()];
    expect(calls.every((call) => call instanceof Promise)).toBe(true);
    const second = session();
    await settled();
    answer(second);
    expect(await Promise.all(calls)).toEqual([second, second, second]);
  });

  it('wait too if it was refused only after the renewal had begun', async () => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn();
    await clock.advance(HARD_FROM - 1);
    let answer = (_credential: Credential): void => {};
    strategy.refreshSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    expect(manager.get()).toBe(first); // in the background
    const refusal = manager.get(first);
    const call = manager.get();
    expect(call).toBeInstanceOf(Promise);
    await settled();
    const second = session();
    answer(second);
    expect(await Promise.all([refusal, call])).toEqual([second, second]);
  });

  it('F23 go on with it if it cannot be replaced: one path that refuses it for ever stops no other', async () => {
    const managed = new Managed();
    const { manager, strategy, codeOf } = managed;
    const first = await managed.signIn();
    strategy.refreshSteps.push(fails(outage()));
    const refusal = codeOf(manager.get(first));
    const call = manager.get();
    expect(await refusal).toBe('ERR_AUTH_UNAVAILABLE');
    expect(await call).toBe(first);
    expect(manager.get()).toBe(first);
  });
});

describe('W08 a process that was suspended', () => {
  const suspend = (ms: number) => {
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now + ms);
  };

  it('for an hour: the next call renews first', async () => {
    const managed = new Managed();
    const first = await managed.signIn();
    suspend(3_600_000);
    const next = managed.manager.get();
    expect(next).toBeInstanceOf(Promise);
    expect(await next).not.toBe(first);
    expect(managed.strategy.asked).toEqual(['refresh']);
    expect(managed.manager.get()).toBe(await next); // once
  });

  it('knows that its token may have ended meanwhile', async () => {
    const managed = new Managed();
    const first = await managed.signIn();
    expect(managed.manager.mayHaveEnded(first)).toBe(false);
    suspend(LIFE + 1_000);
    expect(managed.manager.mayHaveEnded(first)).toBe(true);
  });

  it('for no longer than its token lives: it renews in the background', async () => {
    const managed = new Managed();
    const first = await managed.signIn();
    suspend(LIFE - 100_000);
    expect(managed.manager.get()).toBe(first);
    await settled();
    expect(managed.strategy.asked).toEqual(['refresh']);
  });

  it('F39 a wall clock that was set back, or by less than clocks differ, or came to know the day, changes nothing', async () => {
    const managed = new Managed();
    const first = await managed.signIn(session(61));
    const now = Date.now();
    for (const offset of [-3_600_000, 4_000, 1e11]) {
      jest.spyOn(Date, 'now').mockReturnValue(now + offset);
      expect(managed.manager.get()).toBe(first);
    }
    expect(managed.strategy.asked).toEqual([]);
  });

  it('F39 a wall clock that is 10 min fast or slow all the time costs nothing', async () => {
    const real = Date.now;
    for (const offset of [600_000, -600_000]) {
      jest.spyOn(Date, 'now').mockImplementation(() => real() + offset);
      const managed = new Managed();
      const first = await managed.signIn(session(61));
      expect(managed.manager.get()).toBe(first);
    }
  });
});

describe('W09 sessions of one user that start at once', () => {
  /** A server that stores one sign-in at a time: whoever read before another one saved is in conflict. */
  const slowDatabase = (clock: SetClock, takesMs: number) => {
    let version = 0;
    return async () => {
      const read = version;
      await new Promise<void>((resolve) => void clock.schedule(takesMs * (0.7 + 0.6 * Math.random()), resolve));
      if (read !== version) throw conflict();
      version++;
      return session();
    };
  };

  const start = (clock: SetClock, signIn: () => Promise<Credential>, timeoutMs: number) =>
    new CredentialManager({
      strategy: { name: 's', missing: () => [], signIn },
      events: new EventHub('test'),
      context: (signal) => contextFor('http://127.0.0.1:1', signal),
      timeoutMs,
      clock,
    }).get() as Promise<Credential>;

  it('twenty, at a second each: all start within 60 s', async () => {
    const clock = new SetClock();
    clock.random = Math.random;
    const signIn = slowDatabase(clock, 1_000);
    const starts = Promise.all(times(20, () => start(clock, signIn, 60_000)));
    await clock.advance(60_000);
    expect(await starts).toHaveLength(20);
  });

  it('whoever does not make it is told that others were signing in, and may try again', async () => {
    const managed = new Managed();
    const { manager, strategy, clock, failureOf } = managed;
    strategy.signInSteps.push(...times(999, () => fails(conflict())));
    const failure = failureOf(manager.get());
    await clock.advance(20_000);
    expect(await failure).toMatchObject({ message: 'conflict', retryable: true });
  });

  it('the pauses follow what the tries take', async () => {
    const { manager, strategy, clock, codeOf } = new Managed({ timeoutMs: 60_000 });
    clock.chance = 1;
    const at: number[] = [];
    strategy.signIn = async () => {
      at.push(clock.now());
      await new Promise<void>((resolve) => void clock.schedule(3_000, resolve));
      throw conflict();
    };
    const code = codeOf(manager.get());
    await clock.advance(60_000);
    expect(at.slice(1, 4).map((moment, i) => moment - (at[i] as number))).toEqual([9_000, 9_000, 9_000]);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
  });

  it('no try outlives 20 s, however long the whole may take', async () => {
    const { manager, strategy, clock, codeOf } = new Managed({ timeoutMs: 60_000 });
    strategy.signInSteps.push(never);
    const code = codeOf(manager.get());
    await clock.advance(19_999);
    expect(strategy.contexts[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await code).toBe('ERR_AUTH_UNAVAILABLE');
    expect(strategy.contexts[0]?.signal.aborted).toBe(true);
    expect(clock.waiting).toBe(0);
  });
});

describe('W04 a sign-in', () => {
  it('is told what it takes the place of', async () => {
    const managed = new Managed();
    Object.assign(managed.strategy, { refresh: undefined });
    const first = await managed.signIn();
    const second = await managed.manager.get(first);
    await managed.manager.get(second);
    expect(managed.strategy.formers).toEqual([undefined, first, second]);
  });

  it('is told of what another process had, too', async () => {
    const ended = Credential.bearer('ended', { expiresAt: new Date(Date.now() - 1) });
    const text = serializeCredential(ended);
    const store = new MemoryStore();
    store.put(text, 'scripted');
    const managed = new Managed({ store });
    await managed.manager.get();
    expect(managed.strategy.formers.map((former) => former && serializeCredential(former))).toEqual([text]);
  });
});
