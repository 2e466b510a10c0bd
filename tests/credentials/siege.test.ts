import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { AuthError, type AuthStrategy, Credential, isAuthError } from '../../src';
import { kindOf } from '../../src/contract/auth-error';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { nameOf } from '../../src/credentials/obtain-errors';
import { EventHub } from '../../src/events';
import { startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { webToken } from './json-web-token';
import { SetClock } from './set-clock';

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

function managerOf(
  parts: Partial<AuthStrategy>,
  more: Partial<ConstructorParameters<typeof CredentialManager>[0]> = {},
) {
  const clock = new SetClock();
  const strategy = Object.assign(Object.create(parts), { missing: () => [] });
  if (!Object.hasOwn(parts, 'name')) strategy.name = 'custom';
  const manager = new CredentialManager({
    strategy,
    context: (signal) => ({ signal, http: undefined as never }),
    events: new EventHub(),
    timeoutMs: 20_000,
    clock,
    ...more,
  });
  return { manager, clock };
}

class Foreign extends Error {
  override name = 'AuthError';
  code: unknown = 'ERR_OF_A_TEAM';
}
const details = (retryAfterMs: number) => ({ hint: 'h', retryable: true, retryAfterMs });
const withoutConstructor = () => Object.assign(Object.create(null), { message: 'a secret' });
const throwing = () =>
  Object.defineProperties(new Error('a secret'), {
    name: {
      get: () => {
        throw new Error('name');
      },
    },
    constructor: {
      get: () => {
        throw new Error('constructor');
      },
    },
  });
/** As another copy of this package, in another place of node_modules, would make it. */
const ofAnotherCopy = (given: object) =>
  Object.assign(new Error('refused elsewhere'), {
    name: 'AuthError',
    code: 'ERR_AUTH_REFUSED',
    hint: 'h',
    retryable: false,
    ...given,
  });

const thrown: [string, () => unknown][] = [
  ['retryAfterMs NaN', () => new AuthError('ERR_AUTH_UNAVAILABLE', 'm', details(Number.NaN))],
  ['retryAfterMs Infinity', () => new AuthError('ERR_AUTH_UNAVAILABLE', 'm', details(Number.POSITIVE_INFINITY))],
  ['a negative retryAfterMs', () => new AuthError('ERR_AUTH_UNAVAILABLE', 'm', details(-5))],
  ['a huge retryAfterMs', () => new AuthError('ERR_AUTH_UNAVAILABLE', 'm', details(1e300))],
  [
    'a retryAfterMs that is text',
    () => ofAnotherCopy({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true, retryAfterMs: '5' }),
  ],
  ['a class of its own named AuthError', () => new Foreign('a secret')],
  ['an AuthError of another copy', () => ofAnotherCopy({})],
  [
    'ERR_AUTH_REFUSED that calls itself retryable',
    () => new AuthError('ERR_AUTH_REFUSED', 'm', { hint: 'h', retryable: true, status: 401 }),
  ],
  ['an error without constructor', () => Object.assign(new Error('a secret'), { constructor: undefined })],
  ['an object without prototype', withoutConstructor],
  ['an error whose getters throw', throwing],
  ['null', () => null],
  ['undefined', () => undefined],
  ['a symbol', () => Symbol('a secret')],
];

describe('S10 whatever a strategy throws', () => {
  it.each(thrown)('%s: one sign-in for 200 calls, a well-formed error for each', async (_name, make) => {
    let signIns = 0;
    const { manager } = managerOf({
      signIn: async () => {
        signIns += 1;
        throw make();
      },
    });
    const errors: unknown[] = [];
    for (let call = 0; call < 200; call++) errors.push(await failure(Promise.resolve(manager.get())));
    expect(signIns).toBe(1);
    for (const error of errors) {
      expect(error).toBeInstanceOf(AuthError);
      const { code, hint, message, retryable, retryAfterMs } = error as AuthError;
      expect([typeof code, typeof hint, typeof retryable]).toEqual(['string', 'string', 'boolean']);
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(300_000);
      expect(message).not.toContain('a secret');
    }
  });

  it('has an end: what asks for ever is asked again after five minutes', async () => {
    let signIns = 0;
    const { manager, clock } = managerOf({
      signIn: async () => {
        signIns += 1;
        throw new AuthError('ERR_AUTH_UNAVAILABLE', 'm', details(Number.MAX_VALUE));
      },
    });
    await failure(Promise.resolve(manager.get()));
    await clock.advance(299_000);
    await failure(Promise.resolve(manager.get()));
    expect(signIns).toBe(1);
    await clock.advance(2_000);
    await failure(Promise.resolve(manager.get()));
    expect(signIns).toBe(2);
  });

  it('a name that throws is no crash', async () => {
    const strategy = {
      get name(): string {
        throw new Error('a secret');
      },
      missing: () => [],
      signIn: async () => Promise.reject(new Error('another')),
    };
    expect(nameOf(strategy)).toBe('unnamed');
    const auth = openAuth({ config: { url: 'http://127.0.0.1:9' }, strategies: [strategy] });
    const error = await failure(auth.http.get('/x'));
    expect(isAuthError(error) && error.message).toBe('The strategy "unnamed" failed at sign-in: it threw Error.');
  });

  it('kindOf and isAuthError never throw', () => {
    for (const [, make] of thrown) {
      expect(typeof kindOf(make())).toBe('string');
      expect(typeof isAuthError(make())).toBe('boolean');
    }
  });
});

describe('S10 a credential of another copy of the package', () => {
  /** What such a Credential shows: nothing but its public members. */
  const ofAnother = (credential: Credential) => ({
    headerNames: credential.headerNames,
    expiresAt: credential.expiresAt,
    obtainedAt: credential.obtainedAt,
    refreshToken: credential.refreshToken,
    applyTo: (headers: never) => credential.applyTo(headers),
  });

  it.each([
    ['API key', Credential.apiKey('ql_1'), { 'x-api-key': 'ql_1' }],
    ['bearer', Credential.bearer('a.b.c', { refreshToken: 'r' }), { authorization: 'Bearer a.b.c' }],
    ['headers', Credential.headers({ a: '1', b: '2' }), { a: '1', b: '2' }],
  ])('%s is used as one of ours', async (_name, made, headers) => {
    const { manager } = managerOf({ signIn: async () => ofAnother(made) as never });
    const credential = await manager.get();
    expect(credential).toBeInstanceOf(Credential);
    const set: Record<string, string> = {};
    credential.applyTo({ set: (name, value) => Object.assign(set, { [name]: value }) });
    expect(set).toEqual(headers);
    expect(credential.refreshToken).toBe(made.refreshToken);
  });

  it('keeps its life', async () => {
    const token = webToken({ iat: 1_000, exp: 1_100 });
    const { manager, clock } = managerOf({ signIn: async () => ofAnother(Credential.bearer(token)) as never });
    await manager.get();
    await clock.advance(98_000);
    expect(manager.mayHaveEnded((await manager.get()) as Credential)).toBe(false);
  });

  it.each([undefined, null, 'text', {}, { applyTo: 1 }, { applyTo() {}, headerNames: [] }])(
    '%p is none',
    async (value) => {
      const { manager } = managerOf({ signIn: async () => value as never });
      expect(await failure(Promise.resolve(manager.get()))).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE' });
    },
  );
});

describe('S09 a credential taken over from the store that is then refused', () => {
  it('leads to one renewal and no rest', async () => {
    const backend = await startBackend();
    const saved = JSON.stringify({ version: 1, headers: { authorization: 'Bearer adopted' }, refreshToken: 'spent' });
    const texts: string[] = [saved];
    const store = {
      load: async () => texts.at(-1),
      save: async (_key: string, text: string) => void texts.push(text),
    };
    const { username, password } = backend;
    const auth = openAuth({ config: { url: backend.url, username, password }, store });
    const calls = await Promise.all(Array.from({ length: 20 }, () => auth.http.get('/books')));
    expect(calls.every(({ status }) => status === 200)).toBe(true);
    expect(backend.to('/api/signin')).toHaveLength(1);
    // And a sibling's that is refused later proves as little.
    backend.expire();
    texts.push(saved.replace('adopted', 'adopted-later'));
    expect((await auth.http.get('/books')).status).toBe(200);
    expect((await auth.http.get('/books')).status).toBe(200);
  });
});

describe('S11 a strategy that uses auth.http while it signs in', () => {
  it.each(['http', 'fetch'] as const)('is told so at once (auth.%s)', async (way) => {
    const backend = await startBackend();
    const strategy: AuthStrategy = {
      name: 'circular',
      missing: () => [],
      signIn: async () => {
        await Promise.resolve();
        await (way === 'http' ? auth.http.get('/token') : auth.fetch('/token'));
        return Credential.apiKey('ql_1');
      },
    };
    const auth = openAuth({ config: { url: backend.url }, strategies: [strategy] });
    const error = await failure(auth.http.get('/books'));
    expect(error).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', hint: expect.stringContaining('context.http') });
    expect(backend.received).toHaveLength(0);
  });

  it('may use that of another instance', async () => {
    const [one, two] = [await startBackend(), await startBackend()];
    const other = openAuth({ config: { url: one.url, apiToken: one.apiToken } });
    const strategy: AuthStrategy = {
      name: 'by-another',
      missing: () => [],
      signIn: async () => {
        await other.http.get('/token');
        return Credential.apiKey(two.apiToken);
      },
    };
    const auth = openAuth({ config: { url: two.url }, strategies: [strategy] });
    expect((await auth.http.get('/books')).status).toBe(200);
  });
});

describe('S12', () => {
  it('close() in a listener of signedIn lets no request out', async () => {
    const backend = await startBackend();
    const auth = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    auth.on('signedIn', () => void auth.close());
    const errors = await Promise.all([failure(auth.http.get('/books')), failure(auth.http.get('/books'))]);
    expect(errors).toMatchObject([{ code: 'ERR_AUTH_CLOSED' }, { code: 'ERR_AUTH_CLOSED' }]);
    expect(backend.to('/books')).toHaveLength(0);
  });

  it('a refusal that joins a look at the source gets what the source has by now', async () => {
    const keys = [Credential.apiKey('old'), Credential.apiKey('new')];
    let looked: (isReplaced: boolean) => void = () => {};
    const { manager, clock } = managerOf(
      { signIn: async () => keys.shift() as Credential },
      { isReplaced: () => new Promise<boolean>((resolve) => (looked = resolve)) },
    );
    const old = await manager.get();
    await clock.advance(6_000);
    expect(manager.get()).toBe(old); // looks in the background
    const next = manager.get(old);
    looked(false);
    const credential = await next;
    expect(credential).not.toBe(old);
    expect(await manager.get()).toBe(credential);
  });
});

describe('S14 the flight and its events', () => {
  it('run in no async context of a caller, and each caller goes on in its own', async () => {
    const requests = new AsyncLocalStorage<string>();
    const backend = await startBackend();
    const seen: unknown[] = [];
    const strategy: AuthStrategy = {
      name: 'watched',
      missing: () => [],
      async signIn(context) {
        seen.push(requests.getStore());
        await context.http.get('/token').catch(() => {});
        seen.push(requests.getStore());
        return Credential.apiKey(backend.apiToken);
      },
    };
    const auth = openAuth({ config: { url: backend.url }, strategies: [strategy] });
    auth.on('signedIn', () => void seen.push(requests.getStore()));
    const after = await Promise.all(
      ['a', 'b'].map((id) =>
        requests.run(id, async () => {
          await auth.http.get('/books');
          return requests.getStore();
        }),
      ),
    );
    expect(seen).toEqual([undefined, undefined, undefined]);
    expect(after).toEqual(['a', 'b']);
  });
});
