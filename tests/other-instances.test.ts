import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { inject, injectable, container as rootContainer } from 'tsyringe';
import {
  AUTH_CONFIG,
  type AuthConfig,
  CREDENTIAL_STORE,
  Credential,
  createQelosAuth,
  QelosAuth,
  registerQelosAuth,
} from '../src';
import { type QelosServer, startQelosServer } from '../src/testing';
import { failureOf } from './strategies/obtaining';
import { leaks } from './support/secrets';
import { whenDone } from './support/when-done';

const ME = '/api/me';
let first: QelosServer;
let second: QelosServer;
let auth: QelosAuth;
let tokens: { first: string; second: string };

beforeEach(async () => {
  first = await startQelosServer();
  second = await startQelosServer();
  tokens = {
    first: first.issueApiToken({ username: 'admin' }),
    second: second.issueApiToken({ username: 'user' }),
  };
  auth = createQelosAuth({
    env: { QELOS_URL: first.url, QELOS_API_TOKEN: tokens.first },
    axios: { timeout: 5_000, headers: { 'x-partner-key': 'key-of-first' } },
  });
});

afterEach(async () => {
  await auth.close();
  await first.close();
  await second.close();
});

const whoIs = async ({ http }: QelosAuth) => (await http.get(ME)).data.username;

describe('auth.for', () => {
  it('F57 gives another instance, and nothing crosses over', async () => {
    const other = auth.for({ url: second.url, apiToken: tokens.second });
    expect(await Promise.all([whoIs(auth), whoIs(other)])).toEqual(['admin', 'user']);
    expect(second.requests.count({ status: 401 })).toBe(0);
    expect(leaks(other, [tokens.first, 'key-of-first'])).toEqual([]);
    expect((await failureOf(other.http.get(`${first.url}/api/users`))).message).toMatch(/401/); // without credential
  });

  it('takes over how a server is reached, and no header', () => {
    const other = auth.for({ url: second.url, apiToken: tokens.second });
    expect(other.http.defaults.timeout).toBe(5_000);
    expect(other.http.defaults.headers).not.toHaveProperty('x-partner-key');
    const own = auth.for({ url: second.url, apiToken: tokens.second }, { axios: { timeout: 1 } });
    expect(own.http.defaults.timeout).toBe(1);
  });

  it('takes over no settings, no environment and no strategy', async () => {
    const own = { name: 'own', missing: () => [], signIn: async () => Credential.apiKey(tokens.first) };
    const parent = createQelosAuth({ env: { QELOS_URL: first.url }, strategies: [own] });
    whenDone(() => parent.close());
    expect(() => parent.for({ url: second.url })).toThrow(expect.objectContaining({ code: 'ERR_AUTH_NO_STRATEGY' }));
    expect(() => auth.for({ url: second.url })).toThrow(expect.objectContaining({ code: 'ERR_AUTH_NO_STRATEGY' }));
    expect(() => auth.for({ url: 'x', apiToken: 't' })).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }));
    await whoIs(parent);
    expect(second.requests.count()).toBe(0);
  });

  it('takes over no store, not even that of the global container', async () => {
    const store = { load: jest.fn(async () => undefined), save: jest.fn(async () => true) };
    rootContainer.register(CREDENTIAL_STORE, { useValue: store });
    whenDone(() => rootContainer.reset());
    const { username, password } = second.users[0] as QelosServer['users'][number];
    const config = { url: second.url, username, password };
    await whoIs(auth.for(config));
    expect(store.load).not.toHaveBeenCalled();
    await whoIs(auth.for(config, { store }));
    expect(store.save).toHaveBeenCalledTimes(1);
  });

  it('makes strategies that it is given with the settings of the other instance', async () => {
    @injectable()
    class Own {
      readonly name = 'own';
      constructor(@inject(AUTH_CONFIG) readonly config: AuthConfig) {}
      missing = () => [];
      signIn = async () => Credential.apiKey(this.config.url === second.url ? tokens.second : '');
    }
    const other = auth.for({ url: second.url }, { strategies: [Own] });
    expect([other.strategy.name, await whoIs(other)]).toEqual(['own', 'user']);
  });

  it('tells its events to its own listeners', async () => {
    const other = auth.for({ url: second.url, apiToken: tokens.second });
    const heard: string[] = [];
    auth.on('signedIn', () => heard.push('first'));
    other.on('signedIn', () => heard.push('second'));
    await whoIs(other);
    expect(heard).toEqual(['second']);
  });

  it('a refused one stops alone', async () => {
    const other = auth.for({ url: second.url, username: 'user', password: 'wrong' });
    expect(await failureOf(whoIs(other))).toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(await whoIs(auth)).toBe('admin');
  });
});

describe('closing', () => {
  const another = () => auth.for({ url: second.url, apiToken: tokens.second });

  it('the first one closes the others, and those of the others', async () => {
    const other = another();
    const further = other.for({ url: first.url, apiToken: tokens.first });
    await whoIs(other);
    await auth.close();
    for (const closed of [auth, other, further]) {
      expect(await failureOf(whoIs(closed))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    }
    expect(another).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CLOSED' }));
  });

  it('another one leaves the first one open', async () => {
    const other = another();
    await other.close();
    expect(await failureOf(whoIs(other))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(await whoIs(auth)).toBe('admin');
  });

  it('a container closes the others of its instance', async () => {
    const container = rootContainer.createChildContainer();
    registerQelosAuth(container, { env: {}, config: { url: first.url, apiToken: tokens.first } });
    const other = container.resolve(QelosAuth).for({ url: second.url, apiToken: tokens.second });
    expect(await whoIs(other)).toBe('user');
    await container.dispose();
    expect(await failureOf(whoIs(other))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });
});
