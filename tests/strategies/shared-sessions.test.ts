import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type AuthStrategy, Credential, type CredentialStore, createQelosAuth, type QelosAuth } from '../../src';
import { startQelosServer } from '../../src/testing';
import { MemoryStore } from '../support/memory-store';

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function started() {
  const server = await startQelosServer();
  opened.push(server);
  return server;
}

/** A process of its own, as far as the store knows. */
function open(store: CredentialStore, url: string, strategies: AuthStrategy[], config: object = {}): QelosAuth {
  const auth = createQelosAuth({ env: {}, config: { url, ...config }, store, strategies });
  opened.push(auth);
  return auth;
}

/** A strategy that signs in as somebody, and counts how often. */
function strategyOf(who: string, members: Omit<Partial<AuthStrategy>, 'signIn'> = {}) {
  const signIn = jest.fn(async () => Credential.headers({ 'x-who': who }));
  return { name: 'own', missing: () => [], signIn, ...members };
}

const sent = async ({ http }: QelosAuth) => {
  let who: unknown;
  await http.get('/api/me', {
    adapter: async (config) => {
      who = config.headers.get('x-who');
      return { status: 200, statusText: 'OK', headers: {}, data: '', config };
    },
  });
  return who;
};

describe('sessions that are shared through a store', () => {
  const url = 'http://127.0.0.1:1';

  it('go to the same account of the same strategy alone', async () => {
    const store = new MemoryStore();
    const first = strategyOf('a', { account: () => 'a' });
    expect(await sent(open(store, url, [first]))).toBe('a');
    const again = strategyOf('a', { account: () => 'a' });
    expect(await sent(open(store, url, [again]))).toBe('a');
    const other = strategyOf('b', { account: () => 'b' });
    expect(await sent(open(store, url, [other]))).toBe('b');
    const renamed = strategyOf('c', { name: 'other', account: () => 'a' });
    expect(await sent(open(store, url, [renamed]))).toBe('c');
    expect(await sent(open(store, `${url}/base`, [strategyOf('d', { account: () => 'a' })]))).toBe('d');
    expect([first, again, other].map(({ signIn }) => signIn.mock.calls.length)).toEqual([1, 0, 1]);
    for (const key of store.records.keys()) expect(key).toMatch(/^qelos-auth:(own|other):[\da-f]{32}$/);
  });

  it.each<[string, Partial<AuthStrategy>]>([
    ['has no account()', {}],
    ['throws in account()', { account: () => JSON.parse('{') }],
    ['returns no text from account()', { account: () => undefined as unknown as string }],
  ])('are none of a strategy that %s, which is told once', async (_name, members) => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const store = new MemoryStore();
    const name = `own-${_name}`;
    expect(await sent(open(store, url, [strategyOf('a', { name, ...members })]))).toBe('a');
    expect(await sent(open(store, url, [strategyOf('b', { name, ...members })]))).toBe('b');
    expect(store.records.size).toBe(0);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining(`"${name}"`), expect.objectContaining({ code: 'QELOS_AUTH_NOT_SHARED' })],
    ]);
  });

  it('without a store nobody is told anything', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const auth = createQelosAuth({ env: {}, config: { url }, strategies: [strategyOf('a', { name: 'alone' })] });
    opened.push(auth);
    expect(await sent(auth)).toBe('a');
    expect(warn).not.toHaveBeenCalled();
  });

  it('are none of a strategy whose credential is configured: a new one must not lose to a stored one', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const store = new MemoryStore();
    const configured = { isConfigured: true, account: () => 'a' } as const;
    expect(await sent(open(store, url, [strategyOf('old', configured)]))).toBe('old');
    expect(await sent(open(store, url, [strategyOf('new', configured)]))).toBe('new');
    expect([store.records.size, warn.mock.calls.length]).toEqual([0, 0]);
  });

  it('of oauth-refresh: by user name and workspace; those of API tokens are not', async () => {
    const server = await started();
    const [admin, user] = server.users as [(typeof server.users)[0], (typeof server.users)[0]];
    const store = new MemoryStore();
    const signIns = () => server.requests.count({ path: '/api/signin' });
    for (const { username, password } of [admin, admin, user, user]) {
      const { data } = await open(store, server.url, [], { username, password }).http.get('/api/me');
      expect(data.username).toBe(username);
    }
    expect([signIns(), store.records.size]).toEqual([2, 2]);
    await open(store, server.url, [], { apiToken: server.issueApiToken() }).http.get('/api/me');
    expect(store.records.size).toBe(2);
  });
});

it('an object without missing() lacks nothing', async () => {
  const auth = createQelosAuth({
    env: {},
    config: { url: 'http://127.0.0.1:1' },
    strategies: [{ name: 'short', signIn: async () => Credential.headers({ 'x-who': 'short' }) }],
  });
  opened.push(auth);
  expect(auth.strategy).toEqual({ name: 'short', skipped: [] });
  expect(await sent(auth)).toBe('short');
});
