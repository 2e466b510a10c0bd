import { isNativeError } from 'node:util/types';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createQelosAuth, isAuthError } from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { type QelosServer, type QelosServerUser, startQelosServer } from 'qelos-auth/testing';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { reachableSecrets } from '../support/secrets';
import { loadPlay, type PluginPlay } from './play';

const BOOKS = '/api/blueprints/book/entities';
const ENCRYPTED = '/api/users/tenant-1/encrypted';
const AT_ONCE = Array.from({ length: 50 });

let home: Backend;
let tenant: QelosServer;
let user: QelosServerUser;
let play: PluginPlay;

beforeEach(async () => {
  home = await startBackend();
  tenant = await startQelosServer();
  user = tenant.users[1] as QelosServerUser;
  play = loadPlay();
  const { url, username, password } = home;
  play.configure({}, pluginPlayOptions(createQelosAuth({ env: {}, config: { url, username, password } })));
});

afterEach(() => tenant.close());

const reasonOf = (call: Promise<unknown>) => call.catch((error: unknown) => error);
const codesOf = (errors: unknown[]) => [...new Set(errors.map((error) => isAuthError(error) && error.code))];
const tenantSdk = (more: object = {}) =>
  play.getSdkForUrl({ appUrl: tenant.url, username: user.username, password: user.password, ...more });

/** A session that nothing here knows of yet, as one that was stored. */
async function storedSession(): Promise<{ token: string; refreshToken: string }> {
  const response = await fetch(`${tenant.url}/api/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: user.username, password: user.password, authType: 'oauth' }),
  });
  const { payload } = (await response.json()) as { payload: { token: string; refreshToken: string } };
  tenant.requests.reset();
  return { token: payload.token, refreshToken: payload.refreshToken };
}

describe('getSdkForUrl()', () => {
  test('another instance gets the credentials of the SDK, and none of ours', async () => {
    const other = await startBackend();
    await play.getSdk().blueprints.getList();
    const sdk = play.getSdkForUrl({ appUrl: other.url, username: other.username, password: other.password });
    await sdk.blueprints.getList();
    const theirs = JSON.stringify(other.received.map(({ url, headers, body }) => [url, headers, body.toString()]));
    for (const secret of Object.values(home.secrets)) expect(theirs).not.toContain(secret);
    const ours = JSON.stringify(home.received.map(({ url, headers, body }) => [url, headers, body.toString()]));
    for (const secret of Object.values(other.secrets)) expect(ours).not.toContain(secret);
    expect(other.received.map(({ url, authorized }) => [url, authorized])).toEqual([
      ['/api/signin', false],
      ['/api/blueprints', true],
    ]);
  });

  test('on our own instance too it acts as whom it was given, and not as us', async () => {
    const [admin, plain] = tenant.users as [QelosServerUser, QelosServerUser];
    const config = { url: tenant.url, username: admin.username, password: admin.password };
    play.configure({}, pluginPlayOptions(createQelosAuth({ env: {}, config })));
    const own = play.getSdk();
    const { username, password } = plain;
    const theirs = play.getSdkForUrl({ appUrl: tenant.url, username, password });
    expect(await own.authentication.getLoggedInUser()).toMatchObject({ username: admin.username });
    expect(await theirs.authentication.getLoggedInUser()).toMatchObject({ username });
    await expect(theirs.users.getList()).rejects.toThrow('you are not privileged.');
  });

  test('without credentials it has none of ours, and says so', async () => {
    for (const appUrl of [tenant.url, home.url]) {
      const error = await reasonOf(play.getSdkForUrl({ appUrl }).blueprints.getList());
      expect(error).toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY', message: expect.stringContaining(appUrl) });
    }
    expect(tenant.requests.count()).toBe(0);
    expect(home.received).toEqual([]);
  });

  test('50 calls at once cost 1 sign-in, and after expiry 1 refresh; no call fails', async () => {
    const books = tenantSdk().blueprints.entitiesOf('book');
    await Promise.all(AT_ONCE.map(() => books.getList()));
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
    for (let round = 1; round <= 3; round++) {
      tenant.expireAccessTokens();
      await Promise.all(AT_ONCE.map(() => books.getList()));
      expect(tenant.requests.count({ path: '/api/token/refresh' })).toBe(round);
    }
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('50 SDKs of one user that sign in at once cost 1 sign-in', async () => {
    await Promise.all(AT_ONCE.map(() => tenantSdk().blueprints.entitiesOf('book').getList()));
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('a session whose refresh token is refused signs in again, once, and tells of it', async () => {
    const onRefresh = jest.fn();
    const books = tenantSdk({ onRefresh }).blueprints.entitiesOf('book');
    await books.getList();
    tenant.expireAccessTokens();
    tenant.revokeSessions();
    await Promise.all(AT_ONCE.map(() => books.getList()));
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(2);
    expect(onRefresh).toHaveBeenCalledTimes(2);
    expect(onRefresh).toHaveBeenLastCalledWith(expect.objectContaining({ refreshToken: expect.any(String) }));
  });

  test('a POST that was refused is sent again with its body', async () => {
    const books = tenantSdk().blueprints.entitiesOf('book');
    await books.getList();
    tenant.expireAccessTokens();
    await books.create({ metadata: { title: 'Dune' } });
    expect(await books.getList()).toMatchObject([{ metadata: { title: 'Dune' } }]);
  });

  test('a wrong password costs 1 sign-in, and every call has the reason; it is remembered for 30 s', async () => {
    const sdk = tenantSdk({ password: 'wrong' });
    expect(codesOf(await Promise.all(AT_ONCE.map(() => reasonOf(sdk.blueprints.getList()))))).toEqual([
      'ERR_AUTH_REFUSED',
    ]);
    const later = await reasonOf(tenantSdk({ password: 'wrong' }).blueprints.getList());
    expect(later).toMatchObject({ httpStatus: 401, message: expect.stringContaining(tenant.url) });
    expect(isAuthError(later) && later.retryAfterMs).toBeGreaterThan(25_000);
    await expect(
      tenantSdk().authentication.oAuthSignin({ username: user.username, password: 'wrong' }),
    ).rejects.toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(tenant.requests.count()).toBe(1);

    jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 30_001);
    await reasonOf(sdk.blueprints.getList());
    expect(tenant.requests.count()).toBe(2);
  });

  test('refused passwords do not pile up: the oldest are forgotten', async () => {
    tenant.fail('/api/signin', { status: 401, body: 'no JSON' });
    const signIn = (password: string) => reasonOf(tenantSdk({ password }).blueprints.getList());
    expect(codesOf([await signIn('first'), await signIn('first')])).toEqual(['ERR_AUTH_REFUSED']);
    expect(tenant.requests.count()).toBe(1);
    for (let i = 0; i < 1000; i++) await signIn(`other-${i}`);
    await signIn('other-999');
    expect(tenant.requests.count()).toBe(1001);
    await signIn('first');
    expect(tenant.requests.count()).toBe(1002);
  }, 60_000);

  test('a write conflict at the sign-in is no refusal, and is not remembered', async () => {
    const body = { errors: { general: { version: 163, modifiedPaths: ['lastLogin', 'tokens'] } } };
    tenant.fail('/api/signin', { status: 401, body }, 1);
    const sdk = tenantSdk();
    expect(await reasonOf(sdk.blueprints.entitiesOf('book').getList())).toMatchObject({
      code: 'ERR_AUTH_UNAVAILABLE',
      retryable: true,
    });
    expect(await sdk.blueprints.entitiesOf('book').getList()).toEqual([]);
  });

  test('a sign-in that gets no answer, or another failure, is not remembered either', async () => {
    const books = tenantSdk().blueprints.entitiesOf('book');
    tenant.fail('/api/signin', 'reset', 1);
    await expect(books.getList()).rejects.toThrow('fetch failed');
    tenant.fail('/api/signin', { status: 503, body: 'busy' }, 1);
    await expect(books.getList()).rejects.toThrow('busy');
    expect(await books.getList()).toEqual([]);
  });

  test('a sign-in that brings no access token says so, and no call is sent', async () => {
    tenant.fail('/api/signin', { status: 200, body: { payload: { user: {} } } });
    expect(await reasonOf(tenantSdk().blueprints.entitiesOf('book').getList())).toMatchObject({
      code: 'ERR_AUTH_BAD_RESPONSE',
      message: expect.stringContaining(tenant.url),
    });
    expect(tenant.requests.count()).toBe(1);
  });

  test('no secret can be reached from an error', async () => {
    const other = await startBackend();
    const sdk = play.getSdkForUrl({ appUrl: other.url, username: other.username, password: other.password });
    await sdk.blueprints.getList();
    const errors = [];
    for (const status of [401, 403, 500]) {
      other.on('/api/blueprints', (_, response) => sendJson(response, status, { message: 'no' }));
      errors.push(await reasonOf(sdk.blueprints.getList()));
    }
    other.on('/api/blueprints', (_request, response) => response.destroy());
    errors.push(await reasonOf(sdk.blueprints.getList()));
    other.on('/api/signin', (_, response) => sendJson(response, 401, {}));
    const { username, password } = other;
    errors.push(await reasonOf(play.getSdkForUrl({ appUrl: other.url, username, password }).blueprints.getList()));
    expect(codesOf(errors.slice(-1))).toEqual(['ERR_AUTH_REFUSED']);
    const secrets = [...Object.values(other.secrets), ...Object.values(home.secrets)];
    for (const error of errors) {
      expect(isNativeError(error)).toBe(true);
      expect(reachableSecrets(error, secrets)).toEqual([]);
    }
  });

  test.each([400, 403, 404, 409, 429, 500])('a POST that is answered with %i is sent once', async (status) => {
    const books = tenantSdk().blueprints.entitiesOf('book');
    tenant.fail(BOOKS, { status, body: { message: 'no' } });
    await expect(books.create({})).rejects.toThrow('no');
    expect(tenant.requests.count({ path: BOOKS })).toBe(1);
    expect(tenant.requests.count()).toBe(2);
  });

  test('a missing role costs no refresh', async () => {
    const sdk = tenantSdk();
    await sdk.authentication.getLoggedInUser();
    tenant.requests.reset();
    await expect(sdk.users.getList()).rejects.toThrow('you are not privileged.');
    expect(tenant.requests.count()).toBe(1);
  });

  test('a path that refuses every token costs 1 refresh, and the others go on', async () => {
    const sdk = tenantSdk();
    await sdk.authentication.getLoggedInUser();
    tenant.fail(BOOKS, { status: 401, body: { message: 'never' } });
    for (const _ of AT_ONCE) await expect(sdk.blueprints.entitiesOf('book').getList()).rejects.toThrow('never');
    expect(tenant.requests.count({ path: '/api/token/refresh' })).toBe(1);
    expect(tenant.requests.count({ path: BOOKS })).toBeLessThanOrEqual(AT_ONCE.length + 1);
    expect(await sdk.authentication.getLoggedInUser()).toMatchObject({ username: user.username });
  });

  test('an access token without anything to renew it is used as long as it lasts; then the refusal is the answer', async () => {
    const { token } = await storedSession();
    const sdk = play.getSdkForUrl({ appUrl: tenant.url, accessToken: token });
    expect(await sdk.authentication.getLoggedInUser()).toMatchObject({ username: user.username });
    tenant.expireAccessTokens();
    await expect(sdk.authentication.getLoggedInUser()).rejects.toThrow('authorization token is not valid.');
    expect(tenant.requests.count()).toBe(2);
  });

  test.each([
    ['the same refresh token again', { refreshToken: 'same' }],
    ['no refresh token', {}],
  ])('a refresh that brings %s is made anew each time', async (_, brought) => {
    let good = '';
    let refreshes = 0;
    const other = await startBackend({
      other: ({ headers }, response) =>
        sendJson(response, headers.authorization === `Bearer ${good}` ? 200 : 401, { message: 'expired' }),
    });
    other.on('/api/token/refresh', (_request, response) => {
      refreshes += 1;
      good = `access-${refreshes}`;
      sendJson(response, 200, { payload: { token: good, ...brought } });
    });
    const sdk = play.getSdkForUrl({ appUrl: other.url, accessToken: 'old', refreshToken: 'same' });
    await sdk.blueprints.getList();
    expect(refreshes).toBe(1);
    good = 'none';
    const again = play.getSdkForUrl({ appUrl: other.url, accessToken: 'old', refreshToken: 'same' });
    await again.blueprints.getList();
    expect(refreshes).toBe(2);
  });

  test('an API token, and a token that somebody put there by hand, are sent as they are', async () => {
    const apiToken = tenant.issueApiToken({ username: user.username });
    const byKey = play.getSdkForUrl({ appUrl: tenant.url, apiToken });
    expect(await byKey.authentication.getLoggedInUser()).toMatchObject({ username: user.username });
    tenant.revokeApiToken(apiToken);
    await expect(byKey.authentication.getLoggedInUser()).rejects.toThrow('Invalid or expired API token');

    const byHand = tenantSdk();
    byHand.setCustomHeader('authorization', 'Bearer by-hand');
    await expect(byHand.authentication.getLoggedInUser()).rejects.toThrow('authorization token is not valid.');
    expect(tenant.requests.count()).toBe(3);
  });

  test('an upload that cannot be sent again is sent once', async () => {
    const sdk = tenantSdk();
    await sdk.authentication.getLoggedInUser();
    tenant.expireAccessTokens();
    tenant.requests.reset();
    const response = await sdk.callApi(BOOKS, { method: 'POST', body: new Blob(['{}']).stream(), duplex: 'half' });
    expect(response.status).toBe(401);
    expect(tenant.requests.count()).toBe(1);
  });

  test('what is no call of an SDK is sent as it is', async () => {
    const { sdkOptions } = pluginPlayOptions(createQelosAuth({ env: {}, config: home }));
    const init = { headers: { authorization: 'Bearer junk' } };
    expect((await sdkOptions.fetch(new Request(`${tenant.url}/api/me`, init))).status).toBe(401);
    expect((await sdkOptions.fetch(new URL(`${tenant.url}/api/me`), init)).status).toBe(401);
    expect((await sdkOptions.fetch(`${tenant.url}/api/me`)).status).toBe(401);
    const noJson = sdkOptions.fetch(`${tenant.url}/api/signin`, { method: 'POST', body: 'junk' });
    await expect(noJson).rejects.toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY' });
    expect(tenant.requests.count()).toBe(3);
  });
});

describe('getSdkForTenant()', () => {
  const payload = { sub: 'tenant-1', identifier: '1' };
  let kept: Promise<void>;
  let stored: { appUrl?: string; username?: string; password?: string; currentAuthPayload?: object };

  /** What plugin-play keeps of a tenant at home, for who has our credential. */
  function keepTenant(): void {
    kept = new Promise((resolve) => {
      home.on(ENCRYPTED, ({ method, authorized, body }, response) => {
        if (!authorized) return false;
        if (method === 'POST') {
          stored = JSON.parse(body.toString());
          resolve();
        }
        return sendJson(response, 200, stored);
      });
    });
  }

  const call = async () => (await play.getSdkForTenant(payload))?.blueprints.entitiesOf('book').getList();

  beforeEach(async () => {
    keepTenant();
    const { username, password } = user;
    stored = { appUrl: tenant.url, username, password, currentAuthPayload: await storedSession() };
  });

  test('goes on with the tokens that are stored', async () => {
    expect(await call()).toEqual([]);
    expect(tenant.requests.count()).toBe(1);
    expect(home.received.at(-1)).toMatchObject({ url: ENCRYPTED, authorized: true });
  });

  test('50 SDKs of one stored session that has expired cost 1 refresh; no call fails', async () => {
    tenant.expireAccessTokens();
    expect(await Promise.all(AT_ONCE.map(call))).toEqual(AT_ONCE.map(() => []));
    expect(await call()).toEqual([]);
    expect(tenant.requests.count({ path: '/api/token/refresh' })).toBe(1);
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(0);
    expect(tenant.requests.count({ status: 401 })).toBeLessThanOrEqual(AT_ONCE.length);
  });

  test('the renewed session is renewed again, also for SDKs of what was stored first', async () => {
    for (let round = 1; round <= 6; round++) {
      tenant.expireAccessTokens();
      await Promise.all(AT_ONCE.map(call));
      expect(tenant.requests.count({ path: '/api/token/refresh' })).toBe(round);
    }
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(0);
  });

  test('signs in once when the session has ended, and what it gets is stored', async () => {
    tenant.expireAccessTokens();
    tenant.revokeSessions();
    const before = stored.currentAuthPayload;
    await Promise.all(AT_ONCE.map(call));
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
    await kept;
    expect(stored.currentAuthPayload).not.toEqual(before);
  });

  test('a password that is no longer right costs 1 refresh and 1 sign-in, and every call has the reason', async () => {
    stored = { ...stored, password: 'wrong' };
    tenant.expireAccessTokens();
    tenant.revokeSessions();
    expect(codesOf(await Promise.all(AT_ONCE.map(() => reasonOf(call()))))).toEqual(['ERR_AUTH_REFUSED']);
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('an access token alone gets nothing of what others renewed in its place', async () => {
    const { token: accessToken } = stored.currentAuthPayload as { token: string };
    tenant.expireAccessTokens();
    await call();
    const sdk = play.getSdkForUrl({ appUrl: tenant.url, accessToken });
    await expect(sdk.authentication.getLoggedInUser()).rejects.toThrow('authorization token is not valid.');
    const other = play.getSdkForUrl({ appUrl: tenant.url, accessToken, refreshToken: 'guessed' });
    await expect(other.authentication.getLoggedInUser()).rejects.toThrow('authorization token is not valid.');
  });

  test('is null for a tenant that has not registered, as ever', async () => {
    stored = {};
    expect(await play.getSdkForTenant(payload)).toBeNull();
  });

  test('thousands of sessions do not pile up: the oldest are let go, and go on by themselves', async () => {
    tenant.expireAccessTokens();
    await call();
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(0);
    const other = await startBackend({ other: (_, response) => sendJson(response, 200, {}) });
    for (let i = 0; i < 1000; i++) {
      await play.getSdkForUrl({ appUrl: other.url, accessToken: `token-${i}` }).authentication.getLoggedInUser();
    }
    expect(await call()).toEqual([]); // of what was stored, whose refresh token is used up
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(0);
    other.on('/api/signin', (_, response) => sendJson(response, 401, {}));
    for (let i = 0; i < 1000; i++) {
      await reasonOf(play.getSdkForUrl({ appUrl: other.url, username: 'u', password: `p-${i}` }).blueprints.getList());
    }
    expect(await call()).toEqual([]);
    expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
  }, 60_000);
});
