import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { type AuthStrategy, Credential, type CredentialStore, isAuthError } from '../../src';
import { nameOf } from '../../src/credentials/obtain-errors';
import { startBackend } from '../support/backend';
import { openAuth } from '../support/ways';

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('S10 a strategy', () => {
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
});

describe('S09 a credential taken over from the store that is then refused', () => {
  it('leads to one renewal and no rest', async () => {
    const backend = await startBackend();
    const saved = JSON.stringify({ version: 1, headers: { authorization: 'Bearer adopted' }, refreshToken: 'spent' });
    const generations = [saved];
    const store: CredentialStore = {
      load: async () => ({ text: generations.at(-1) ?? '', generation: generations.length }),
      save: async (_key, text, { generation }) => generations.push(text) === generation,
    };
    const { username, password } = backend;
    const auth = openAuth({ config: { url: backend.url, username, password }, store });
    const calls = await Promise.all(Array.from({ length: 20 }, () => auth.http.get('/books')));
    expect(calls.every(({ status }) => status === 200)).toBe(true);
    expect(backend.to('/api/signin')).toHaveLength(1);
    // And a sibling's that is refused later proves as little.
    backend.expire();
    generations.push(saved.replace('adopted', 'adopted-later'));
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
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', hint: expect.stringContaining('context.http') });
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
