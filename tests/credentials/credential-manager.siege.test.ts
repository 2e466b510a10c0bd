import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, jest } from '@jest/globals';
import { AuthError } from '../../src/contract/auth-error';
import { Credential, lifetimeOf, serializeCredential } from '../../src/contract/credential';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { MemoryStore } from '../support/memory-store';
import { webToken } from './json-web-token';
import { Managed } from './managed';
import { fails, outage, refused, session } from './scripted';
import { settled } from './set-clock';

describe('S09 a credential that was taken over and is refused', () => {
  /** A manager that has just taken over a sibling's credential in place of a refused one. */
  async function adopted() {
    const store = new MemoryStore();
    const managed = new Managed({ store });
    const first = await managed.signIn();
    const seconds = Math.floor(Date.now() / 1_000);
    const sibling = Credential.bearer(webToken({ iat: seconds, exp: seconds + 3_600 }), {
      refreshToken: 'of-a-sibling',
    });
    store.put(serializeCredential(sibling));
    const second = await managed.manager.get(first);
    expect(managed.strategy.asked).toEqual([]);
    return { ...managed, manager: managed.manager, second };
  }

  it('proves nothing: one renewal, no rest', async () => {
    const { manager, strategy, second } = await adopted();
    expect(manager.mayHaveEnded(second)).toBe(true); // worth another try at once
    manager.replayed(second, false);
    const third = await manager.get(second);
    expect(third).not.toBe(second);
    expect(strategy.asked).toEqual(['refresh']);
  });

  it('F23 what is obtained then proves it as ever', async () => {
    const { manager, strategy, second } = await adopted();
    manager.replayed(second, false);
    const third = await manager.get(second);
    manager.replayed(third, false);
    for (let call = 0; call < 100; call++) expect(manager.get(third)).toBe(third);
    expect(strategy.asked).toEqual(['refresh']);
  });
});

/** As another copy of the package makes them: nothing of it is an instance of ours. */
const other = (): {
  AuthError: typeof AuthError;
  Credential: typeof Credential;
} => {
  let copy: unknown;
  jest.isolateModules(() => {
    copy = { ...require('../../src/contract/auth-error'), ...require('../../src/contract/credential') };
  });
  return copy as { AuthError: typeof AuthError; Credential: typeof Credential };
};

describe('S10 whatever a strategy throws', () => {
  const wait = (retryAfterMs: unknown) =>
    new AuthError('ERR_AUTH_UNAVAILABLE', 'x', { hint: '', retryable: true, retryAfterMs: retryAfterMs as number });
  class ForeignAuthError extends Error {
    override name = 'AuthError';
    code = 'NOT_OURS';
    hint = 'x';
    retryable = true;
  }
  class OwnAuthError extends AuthError {
    override again(): AuthError {
      throw new Error('never called');
    }
  }
  const without = () => {
    const error = new Error('p4ssword');
    Object.defineProperty(error, 'constructor', { value: undefined });
    return error;
  };
  const throwing = (name: string) =>
    Object.defineProperty(new Error('p4ssword'), name, {
      get() {
        throw new Error('p4ssword');
      },
    });
  const hostile = new Proxy(new Error('p4ssword'), {
    get() {
      throw new Error('p4ssword');
    },
    getPrototypeOf() {
      throw new Error('p4ssword');
    },
  });

  it.each<[string, unknown]>([
    ['retryAfterMs: NaN', wait(Number.NaN)],
    ['retryAfterMs: Infinity', wait(Number.POSITIVE_INFINITY)],
    ['retryAfterMs: -1', wait(-1)],
    ['retryAfterMs: a text', wait('soon')],
    ['retryAfterMs: 1e300', wait(1e300)],
    ['a class of its own named AuthError', new ForeignAuthError('p4ssword')],
    ['a class that extends AuthError', new OwnAuthError('ERR_AUTH_UNAVAILABLE', 'x', { hint: '', retryable: true })],
    ['an error without constructor', without()],
    ['an error without prototype', Object.setPrototypeOf(new Error('p4ssword'), null)],
    ['a throwing name', throwing('name')],
    ['a throwing constructor', throwing('constructor')],
    ['a throwing code', throwing('code')],
    ['a throwing cause', throwing('cause')],
    ['a proxy that throws', hostile],
    ['undefined', undefined],
    ['a symbol', Symbol('p4ssword')],
  ])('is remembered as a well-formed AuthError: %s', async (_name, thrown) => {
    const { manager, strategy, failureOf } = new Managed();
    strategy.signInSteps.push(...Array.from({ length: 200 }, () => fails(thrown)));
    const seen = new Set<AuthError>();
    for (let call = 0; call < 200; call++) {
      const error = await failureOf(manager.get());
      seen.add(error);
      expect(Object.getPrototypeOf(error)).toBe(AuthError.prototype);
      expect(error.retryAfterMs).toBeGreaterThan(0);
      expect(error.retryAfterMs).toBeLessThanOrEqual(300_000);
      expect(`${error.message} ${error.hint}`).not.toContain('p4ssword');
    }
    expect(strategy.asked).toEqual(['sign-in']);
    expect(seen.size).toBe(200); // one object a caller, from the second on
  });

  it('by an AuthError of another copy: says what it says', async () => {
    const { manager, strategy, failureOf } = new Managed();
    const Foreign = other().AuthError;
    expect(Foreign).not.toBe(AuthError);
    const thrown = new Foreign('ERR_AUTH_WORKSPACE', 'elsewhere', { hint: 'Go there.', httpStatus: 409 });
    strategy.signInSteps.push(fails(thrown));
    const error = await failureOf(manager.get());
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({
      code: 'ERR_AUTH_WORKSPACE',
      message: 'elsewhere',
      hint: 'Go there.',
      httpStatus: 409,
    });
  });

  it('ERR_AUTH_REFUSED cools down by its code', async () => {
    const { manager, strategy, failureOf } = new Managed();
    const thrown = new AuthError('ERR_AUTH_REFUSED', 'no', {
      hint: '',
      httpStatus: 401,
      retryable: true,
      retryAfterMs: 1,
    });
    strategy.signInSteps.push(...Array.from({ length: 9 }, () => fails(thrown)));
    expect(await failureOf(manager.get())).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryAfterMs: 30_000 });
    expect(strategy.asked).toEqual(['sign-in']);
  });
});

describe('S10 a Credential of another copy', () => {
  const withClaims = webToken({ iat: 1, exp: 3_602 });

  it.each<[string, (from: typeof Credential) => Credential]>([
    ['API key', (from) => from.apiKey('k')],
    ['headers', (from) => from.headers({ 'x-one': '1', authorization: 'Bearer b' })],
    ['opaque bearer', (from) => from.bearer('opaque', { refreshToken: 'r' })],
    ['bearer with claims', (from) => from.bearer(withClaims, { refreshToken: 'r' })],
  ])('is one of ours: %s', async (_name, make) => {
    const { manager, strategy } = new Managed();
    const Foreign = other().Credential;
    strategy.signInSteps.push(() => make(Foreign));
    const got = await manager.get();
    expect(got).toBeInstanceOf(Credential);
    const mine = make(Credential);
    const { obtainedAt, ...text } = JSON.parse(serializeCredential(mine));
    expect(JSON.parse(serializeCredential(got))).toEqual({ ...text, obtainedAt: expect.any(String) });
    expect(lifetimeOf(got)).toBe(lifetimeOf(mine));
  });

  it('keeps an end that only it knows of', async () => {
    const { manager, strategy } = new Managed();
    const expiresAt = new Date(Date.now() + 60_000);
    const Foreign = other().Credential;
    strategy.signInSteps.push(() => Foreign.bearer('opaque', { expiresAt }));
    expect((await manager.get()).expiresAt).toEqual(expiresAt);
  });
});

describe('S11 a strategy that needs what it is to obtain', () => {
  it.each(['sign-in', 'refresh'] as const)('hears so at once: %s', async (operation) => {
    const managed = new Managed();
    const { manager, strategy, clock, failureOf } = managed;
    const first = operation === 'refresh' ? await managed.signIn() : undefined;
    if (first) await clock.advance(1e9);
    const itself = async () => {
      await new Promise(setImmediate);
      return manager.get();
    };
    strategy.signInSteps.push(itself);
    strategy.refreshSteps.push(itself);
    const error = await failureOf(manager.get(first));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringMatching(/"scripted" waits for itself/),
      hint: expect.stringContaining('context.http'),
    });
    expect(clock.waiting).toBe(0);
  });

  it('others who wait at the same time wait on, and a listener may call', async () => {
    const managed = new Managed();
    const { manager, strategy, events } = managed;
    let heard: Promise<Credential> | undefined;
    events.on('signedIn', () => {
      heard = Promise.resolve(manager.get());
    });
    let answer = (_credential: Credential): void => {};
    strategy.signInSteps.push(() => new Promise<Credential>((resolve) => (answer = resolve)));
    const waiting = [manager.get(), manager.get()];
    await settled();
    const credential = session();
    answer(credential);
    expect(await Promise.all(waiting)).toEqual([credential, credential]);
    expect(await heard).toBe(credential);
  });
});

describe('S12 between two moments', () => {
  it.each(['signedIn', 'refreshed'] as const)('close() in a listener of %s lets no request out', async (event) => {
    const managed = new Managed();
    const { manager, events, codeOf } = managed;
    const first = event === 'refreshed' ? await managed.signIn() : undefined;
    events.on(event, () => manager.close());
    expect(await codeOf(manager.get(first))).toBe('ERR_AUTH_CLOSED');
    expect(await codeOf(manager.get())).toBe('ERR_AUTH_CLOSED');
  });

  it('a refusal while a look at what may have replaced the credential is under way gets another one', async () => {
    let seen = (_isReplaced: boolean): void => {};
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const isReplaced = () => new Promise<boolean>((resolve) => (seen = resolve));
    Object.assign(strategy, { refresh: undefined, isReplaced });
    const first = await managed.signIn(Credential.apiKey('first'));
    await clock.advance(5_000);
    expect(manager.get()).toBe(first); // looks in the background
    await settled();
    const second = Credential.apiKey('second');
    strategy.signInSteps.push(() => second);
    const refusal = manager.get(first);
    seen(false);
    expect(await refusal).toBe(second);
  });
});

describe('S14 the async context of a flight', () => {
  const storage = new AsyncLocalStorage<string>();

  it('is no caller’s, in the strategy and in its events; each caller keeps its own', async () => {
    const seen: [string, string | undefined][] = [];
    const note = (where: string) => void seen.push([where, storage.getStore()]);
    const managed = new Managed({
      store: {
        load: async () => void note('load'),
        save: async () => {
          note('save');
          return true;
        },
      },
    });
    const { manager, strategy, events } = managed;
    strategy.signInSteps.push(async () => {
      note('sign-in');
      await new Promise(setImmediate);
      note('sign-in, later');
      return session();
    });
    strategy.refreshSteps.push(fails(outage()));
    for (const event of ['signedIn', 'refreshFailed'] as const) events.on(event, () => note(event));
    const callers = ['first', 'second'].map((name) =>
      storage.run(name, async () => {
        const credential = await manager.get();
        expect(storage.getStore()).toBe(name);
        return credential;
      }),
    );
    const [credential] = await Promise.all(callers);
    await storage.run('third', async () => {
      await Promise.resolve(manager.get(credential)).catch(() => {});
      expect(storage.getStore()).toBe('third');
    });
    expect(seen.map(([where]) => where)).toEqual([
      ...['load', 'sign-in', 'sign-in, later', 'save', 'signedIn'],
      ...['load', 'save', 'refreshFailed'], // that it was refused
    ]);
    expect(new Set(seen.map(([, context]) => context))).toEqual(new Set([undefined]));
  });
});

describe('S19 numbers', () => {
  it.each([
    ['infinite', 1e308],
    ['beyond any date', 1e300],
    ['above 2^31 ms', 4e9],
  ])('a life that is %s makes no loop', async (_name, exp) => {
    const managed = new Managed();
    const { manager, strategy, clock } = managed;
    const first = await managed.signIn(Credential.bearer(webToken({ iat: 1, exp }), { refreshToken: 'r' }));
    for (let call = 0; call < 100; call++) {
      expect(manager.get()).toBe(first);
      await clock.advance(3_600_000);
    }
    expect(strategy.asked).toEqual([]);
  });

  it('a timeoutMs above what a timer can do is no millisecond', async () => {
    const managed = new Managed();
    const { strategy } = managed;
    strategy.signInSteps.push(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return session();
    });
    const manager = new CredentialManager({
      strategy,
      events: managed.events,
      context: (signal) => ({ signal }) as never,
      timeoutMs: 2 ** 31,
    });
    expect(await manager.get()).toBeInstanceOf(Credential);
    manager.close();
  });

  it('F24 a refusal that is not retryable is what it was', async () => {
    const { manager, strategy, failureOf } = new Managed();
    strategy.signInSteps.push(fails(refused()));
    expect(await failureOf(manager.get())).toMatchObject({ retryAfterMs: 30_000 });
  });
});
