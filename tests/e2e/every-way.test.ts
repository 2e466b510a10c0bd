import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { Credential, isAuthError, type QelosAuth } from '../../src';
import { startBackend } from '../support/backend';
import { impersonating, type Way, ways } from '../support/ways';

/** Also by an axios instance that the library is attached to. */
const attached: Way = {
  name: 'an attached instance',
  open: (ways[0] as Way).open,
  async send(auth, { path }) {
    const instance = axios.create({ baseURL: auth.http.defaults.baseURL as string });
    const detach = auth.attach(instance);
    const { status, headers, data } = await instance.get(path).finally(detach);
    return { status, headers: { ...headers }, data };
  },
};

describe.each([...ways, impersonating, attached])('through $name', ({ open, send }) => {
  it('S11 a strategy that makes an authenticated call while it signs in hears so at once', async () => {
    const backend = await startBackend();
    let auth: QelosAuth | undefined;
    const strategy = {
      name: 'own',
      missing: () => [],
      async signIn() {
        await send(auth as QelosAuth, { path: '/secret' });
        return Credential.apiKey(backend.apiToken);
      },
    };
    auth = open({ config: { url: backend.url }, strategies: [strategy] });
    const error = await send(auth, { path: '/x' }).catch((caught: unknown) => caught);
    expect(isAuthError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('waits for itself') });
    expect(backend.received).toEqual([]);
  });

  it('S12 close() in a listener of signedIn lets no request out', async () => {
    const backend = await startBackend();
    const { url, username, password } = backend;
    const auth = open({ config: { url, username, password } });
    auth.on('signedIn', () => void auth.close());
    const error = await send(auth, { path: '/x' }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(backend.to('/x')).toEqual([]);
  });

  it('S14 sign-ins and their events run in no caller’s async context', async () => {
    const backend = await startBackend();
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const strategy = {
      name: 'own',
      missing: () => [],
      async signIn() {
        await new Promise(setImmediate);
        seen.push(storage.getStore());
        return Credential.apiKey(backend.apiToken);
      },
    };
    const auth = open({ config: { url: backend.url }, strategies: [strategy] });
    auth.on('signedIn', () => seen.push(storage.getStore()));
    const call = (name: string) =>
      storage.run(name, async () => {
        await send(auth, { path: '/x' });
        return storage.getStore();
      });
    expect(await Promise.all(['first', 'second'].map(call))).toEqual(['first', 'second']);
    expect(seen).toEqual([undefined, undefined]);
  });
});
