import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AuthConfig, type CredentialStore, createQelosAuth, TenantAuth } from '../../src';
import { SessionStrategy } from '../../src/strategies/session';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { settableClock } from '../support/clock';
import { MemoryStore } from '../support/memory-store';
import { expectNoSecret } from '../support/sinks';
import { openAuth } from '../support/ways';
import { contextFor, failureOf, managerOf, throughPauses } from './obtaining';

const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';
const admin = { username: 'admin', password: 'correct-horse-battery', roles: ['admin'] };
const member = {
  username: 'member',
  password: 'member-password-1',
  workspaces: [{ _id: '65f0000000000000000000a1', name: 'First' }],
};

let server: QelosServer;

beforeEach(async () => {
  server = await startQelosServer({ users: [admin, member], accessTokenSeconds: 3600 });
});
afterEach(() => server.close());

/** The tokens of a session that somebody else has begun. */
async function sessionOf({ username, password } = admin as { username: string; password: string }) {
  const answer = await fetch(`${server.url}${SIGN_IN}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password, authType: 'oauth' }),
  });
  const { payload } = (await answer.json()) as { payload: { token: string; refreshToken: string } };
  server.requests.reset();
  return { accessToken: payload.token, refreshToken: payload.refreshToken };
}

const open = (config: Partial<AuthConfig>, store?: CredentialStore) =>
  openAuth({ config: { url: server.url, ...config }, ...(store && { store }) });

describe('a session that exists', () => {
  it('is used as it is, without a sign-in or a refresh', async () => {
    const auth = open(await sessionOf());
    expect(await auth.signIn()).toMatchObject({ strategy: 'session', user: { username: 'admin' } });
    expect(server.requests.count({ path: SIGN_IN })).toBe(0);
    expect(server.requests.count({ path: REFRESH })).toBe(0);
  });

  it('is read from QELOS_ACCESS_TOKEN and QELOS_REFRESH_TOKEN', async () => {
    const { accessToken, refreshToken } = await sessionOf();
    const env = { QELOS_URL: server.url, QELOS_ACCESS_TOKEN: accessToken, QELOS_REFRESH_TOKEN: refreshToken };
    const auth = createQelosAuth({ env });
    expect((await auth.http.get('/api/me')).data.username).toBe('admin');
    await auth.close();
  });

  it('is refreshed when it is refused, once for all callers', async () => {
    const auth = open(await sessionOf());
    await auth.http.get('/api/me');
    server.expireAccessTokens();
    const answers = await Promise.all(Array.from({ length: 20 }, () => auth.http.get('/api/me')));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(server.requests.count({ path: SIGN_IN })).toBe(0);
  });

  it('begins with a refresh if there is a refresh token alone', async () => {
    const { refreshToken } = await sessionOf();
    const auth = open({ refreshToken });
    await auth.http.get('/api/me');
    expect(server.requests.count({ path: REFRESH })).toBe(1);
  });

  it('begins with a refresh if the access token says that it has ended, so that an upload need not be sent twice', async () => {
    const tokens = await sessionOf();
    const past = Buffer.from(JSON.stringify({ iat: 1_700_000_000, exp: 1_700_003_600 })).toString('base64url');
    const [head, , signature] = tokens.accessToken.split('.');
    const auth = open({ ...tokens, accessToken: [head, past, signature].join('.') });
    await auth.http.get('/api/me');
    expect(server.requests.count({ status: 401 })).toBe(0);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
  });

  it('counts what is left of an old access token, not the life it began with', async () => {
    const { accessToken, refreshToken } = await sessionOf();
    const claims = { iat: Math.floor(Date.now() / 1000) - 3_000, exp: Math.floor(Date.now() / 1000) + 600 };
    const token = `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`;
    const strategy = new SessionStrategy({ url: server.url, accessToken: token, refreshToken });
    const { manager, clock } = managerOf(strategy, server.url);
    const first = await throughPauses(manager.get(), clock);
    await clock.advance(601_000);
    expect(await throughPauses(manager.get(), clock)).not.toBe(first);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(accessToken).not.toBe(token);
  });

  it('comes after an API token and before a password', async () => {
    const tokens = await sessionOf();
    const { username, password } = admin;
    expect(open({ ...tokens, apiToken: server.issueApiToken() }).strategy.name).toBe('api-token');
    const auth = open({ ...tokens, username, password });
    expect(auth.strategy.name).toBe('session');
    expect(auth.strategy.skipped).toEqual([
      { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
      { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
    ]);
  });

  it.each(['accessToken', 'refreshToken'] as const)('shows no %s', async (name) => {
    const tokens = await sessionOf();
    const auth = open(tokens);
    expectNoSecret(auth, [tokens[name]]);
    expectNoSecret(new SessionStrategy({ url: server.url, ...tokens }), [tokens[name]]);
  });
});

describe('the end of the session', () => {
  it('is one clear error, and nothing is sent for it again and again', async () => {
    const clock = settableClock();
    const tokens = await sessionOf();
    const auth = open({ accessToken: tokens.accessToken });
    await auth.http.get('/api/me');
    server.expireAccessTokens();
    server.requests.reset();
    const errors = await Promise.all(Array.from({ length: 50 }, () => failureOf(auth.http.get('/api/me'))));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', message: expect.stringContaining('QELOS_ACCESS_TOKEN') });
    }
    const sent = server.requests.count();
    expect(sent).toBeLessThanOrEqual(50);
    clock.advance(20_000);
    await failureOf(auth.http.get('/api/me'));
    expect(server.requests.count({ path: REFRESH })).toBe(0);
    expectNoSecret(errors[0], [tokens.accessToken]);
  });

  it('F28 a refresh token that is refused is sent three times at the start, and the session is over', async () => {
    const { refreshToken } = await sessionOf();
    server.revokeSessions();
    const { manager, clock } = managerOf(new SessionStrategy({ url: server.url, refreshToken }), server.url);
    const error = await failureOf(throughPauses(manager.get(), clock));
    expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryable: false, httpStatus: 401 });
    expect(error.message).toBe('The session of QELOS_REFRESH_TOKEN is over (HTTP status 401).');
    expect(server.requests.count({ path: REFRESH })).toBe(3);
  });

  it('F28 a spurious refusal at the start costs nothing', async () => {
    const { refreshToken } = await sessionOf();
    server.fail(REFRESH, { status: 401 }, 2);
    const { manager, clock } = managerOf(new SessionStrategy({ url: server.url, refreshToken }), server.url);
    expect(await throughPauses(manager.get(), clock)).toBeDefined();
  });

  it('W06 an auth service that refuses good tokens for a while does not end it', async () => {
    const strategy = new SessionStrategy({ url: server.url, ...(await sessionOf()) });
    const { manager, clock } = managerOf(strategy, server.url);
    const first = await throughPauses(manager.get(), clock);
    server.fail(REFRESH, { status: 401 }, 4);
    expect(await failureOf(throughPauses(manager.get(first), clock))).toMatchObject({ retryable: true });
    await clock.advance(5_000);
    expect(await throughPauses(manager.get(first), clock)).not.toBe(first);
  });

  it('an outage is not the end', async () => {
    const { refreshToken } = await sessionOf();
    server.fail(REFRESH, { status: 503 }, 2);
    const { manager, clock } = managerOf(new SessionStrategy({ url: server.url, refreshToken }), server.url);
    expect(await throughPauses(manager.get(), clock)).toBeDefined();
  });
});

describe('a store', () => {
  it('F29 keeps the rotated token over a restart', async () => {
    const tokens = await sessionOf();
    const store = new MemoryStore();
    for (let restarts = 0; restarts < 3; restarts++) {
      const auth = open(tokens, store);
      await auth.http.get('/api/me');
      server.expireAccessTokens();
      expect((await auth.http.get('/api/me')).status).toBe(200);
      await auth.close();
    }
    expect(server.requests.count({ path: SIGN_IN })).toBe(0);
    expect([...store.records.keys()].join()).not.toContain(tokens.refreshToken);
  });

  it('brings back nothing of a session once another one is configured', async () => {
    const store = new MemoryStore();
    const before = open(await sessionOf(member), store);
    expect((await before.http.get('/api/me')).data.username).toBe('member');
    await before.close();
    const after = open(await sessionOf(admin), store);
    expect((await after.http.get('/api/me')).data.username).toBe('admin');
  });
});

describe('a workspace', () => {
  it('W04 is never lost: the session ends instead of going on without it', async () => {
    const tokens = await sessionOf(member);
    const auth = open(tokens);
    const { data } = await auth.http.get('/api/me');
    expect(data.workspace._id).toBe(member.workspaces[0]?._id);
    server.expireAccessTokens();
    expect(await failureOf(auth.http.get('/api/me'))).toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(server.requests.count({ path: REFRESH })).toBe(0);
  });

  it('that is wanted has to be that of the session', async () => {
    const tokens = await sessionOf(member);
    const right = new SessionStrategy({ url: server.url, ...tokens, workspace: member.workspaces[0]?._id });
    expect(await right.signIn(contextFor(server.url))).toBeDefined();
    const wrong = new SessionStrategy({ url: server.url, ...tokens, workspace: '65f0000000000000000000b2' });
    expect(await failureOf(wrong.signIn(contextFor(server.url)))).toMatchObject({ code: 'ERR_AUTH_WORKSPACE' });
  });
});

it('S05 a tenant cannot have one', async () => {
  const tenants = new TenantAuth(async () => ({ url: server.url, refreshToken: 'x.y.z' }) as never);
  expect(await failureOf(tenants.for('acme'))).toMatchObject({ message: expect.stringContaining('"refreshToken"') });
  await tenants.close();
});
