import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosAdapter } from 'axios';
import { type AuthConfig, createQelosAuth, type QelosAuth } from '../../src';
import { Credential, headersOf, lifetimeOf, parseCredential, serializeCredential } from '../../src/contract/credential';
import { retryAfterMs } from '../../src/credentials/obtain-errors';
import { OAuthRefreshStrategy } from '../../src/strategies/oauth-refresh';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { sendJson, startBackend } from '../support/backend';
import { expectNoSecret } from '../support/sinks';
import { contextFor, failureOf, managerOf, throughPauses } from './obtaining';

const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';
const ENTITIES = '/api/blueprints/thing/entities';

const workspaces = [
  { _id: '65f0000000000000000000a1', name: 'First' },
  { _id: '65f0000000000000000000b2', name: 'Second' },
];
const users = [
  { username: 'admin', password: 'correct-horse-battery', roles: ['admin'] },
  { username: 'member', password: 'member-password-1', workspaces },
];
const [admin, member] = users as [(typeof users)[number], (typeof users)[number]];

let server: QelosServer;
let auth: QelosAuth | undefined;

beforeEach(async () => {
  server = await startQelosServer({ users, accessTokenSeconds: 3600 });
});

afterEach(async () => {
  await auth?.close();
  auth = undefined;
  await server.close();
});

const strategyFor = (user = admin, more: { workspace?: string; password?: string } = {}) => {
  const { username, password } = user;
  return new OAuthRefreshStrategy({ url: server.url, username, password, ...more });
};
const whole = (user = admin, more: Partial<AuthConfig> = {}) => {
  const { username, password } = user;
  auth = createQelosAuth({ env: {}, config: { url: server.url, username, password, ...more } });
  return auth;
};
/** Somebody signs the member in to a workspace, by hand. */
const signInTo = (workspace: string | undefined) =>
  fetch(`${server.url}${SIGN_IN}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: member.username, password: member.password, authType: 'oauth', workspace }),
  });
/** What its user sees of an attempt that must fail. */
const failure = async (strategy = strategyFor()) => {
  const { manager, clock } = managerOf(strategy, server.url);
  return failureOf(throughPauses(manager.get(), clock));
};

describe('signing in', () => {
  it('makes a bearer credential with a refresh token and a life', async () => {
    const credential = await strategyFor().signIn(contextFor(server.url));
    expect(headersOf(credential)['authorization']).toMatch(/^Bearer ey/);
    expect(credential.refreshToken).toMatch(/^ey/);
    expect(lifetimeOf(credential)).toBe(3_599_000);
    const me = await fetch(`${server.url}/api/me`, { headers: headersOf(credential) });
    expect(await me.json()).toMatchObject({ username: 'admin' });
  });

  it.each([
    ['a wrong password', admin, 'wrong-password-123'],
    ['a wrong letter case', admin, 'Correct-horse-battery'],
    ['an unknown user', { ...admin, username: 'nobody' }, admin.password],
    ['another letter case of the user', { ...admin, username: 'ADMIN' }, admin.password],
  ])('F24 is refused with %s', async (_name, user, password) => {
    const error = await failure(strategyFor(user, { password }));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_REFUSED',
      httpStatus: 401,
      retryable: false,
      retryAfterMs: 30_000,
      message: expect.stringMatching(/QELOS_USERNAME and QELOS_PASSWORD/),
    });
    expectNoSecret(error, [password]);
    expect(server.requests.count({ path: SIGN_IN })).toBe(1);
  });

  it.each<[string, unknown]>([
    ['wrong', { errors: { general: { message: 'Invalid username or password' } } }],
    ['of another kind', { errors: { general: { code: 'INVALID_AUTH_TYPE' } } }],
    ['empty password', { errors: { password: { code: 'EMPTY_PASSWORD' } } }],
    ['no user name', { errors: { password: 'password is incorrect' } }],
    ['without a body', undefined],
    ['a text', 'no'],
    ['null', null],
    ['no object where one is expected', { errors: { general: 'version' } }],
  ])('a 401 is a refusal: %s', async (_name, body) => {
    server.fail(SIGN_IN, { status: 401, body });
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryable: false });
  });

  it('F41 a write conflict is no refusal: it can be tried again', async () => {
    server.fail(SIGN_IN, {
      status: 401,
      body: { errors: { general: { version: 163, modifiedPaths: ['lastLogin', 'tokens'] } } },
    });
    const error = await failureOf(strategyFor().signIn(contextFor(server.url)));
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 401, retryable: true });
    expectNoSecret(error, [admin.password]);
  });

  it('F41 and is tried again by itself', async () => {
    const body = { errors: { general: { version: 163, modifiedPaths: ['lastLogin', 'tokens'] } } };
    server.fail(SIGN_IN, { status: 401, body }, 1);
    const { manager, clock } = managerOf(strategyFor(), server.url);
    const credential = manager.get();
    while (clock.waiting < 2) await new Promise(setImmediate); // the deadline, and the pause before the second try
    await clock.advance(1_000);
    expect(await credential).toBeInstanceOf(Credential);
    expect(server.requests.count({ path: SIGN_IN })).toBe(2);
  });

  it('F14 answered by a 500 that echoes the password, shows none of it', async () => {
    server.fail(SIGN_IN, { status: 500, body: { message: `boom ${admin.password}`, password: admin.password } });
    const error = await failure();
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 500, retryable: true });
    expectNoSecret(error, [admin.password]);
    const seen = await failureOf(whole(admin, { timeoutMs: 1_000 }).http.get(ENTITIES));
    expect(seen).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
    expectNoSecret(seen, [admin.password]);
  });

  it.each([
    [500, 6],
    [502, 6],
    [503, 6],
    [504, 6],
    [429, 1],
    [408, 1],
  ])('F26 %i: unavailable, and may be tried again; was tried %i times', async (status, tries) => {
    server.fail(SIGN_IN, { status, body: '<html>out of order</html>' });
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: status, retryable: true });
    expect(server.requests.count({ path: SIGN_IN })).toBe(tries);
  });

  it.each([400, 404, 405, 413, 418])('%i is no answer of Qelos to a sign-in', async (status) => {
    server.fail(SIGN_IN, { status, body: '<html>what?</html>' });
    const message = expect.stringContaining(`The sign-in was answered with HTTP status ${status}`);
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: status, message });
  });

  it('403 is a refusal', async () => {
    server.fail(SIGN_IN, { status: 403, body: {} });
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_REFUSED', httpStatus: 403, retryable: false });
  });

  it('F26 a connection that is reset, or refused: unavailable, and the credentials are not blamed', async () => {
    server.fail(SIGN_IN, 'reset');
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
    await server.close();
    const error = await failure();
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', message: expect.stringContaining('ECONNREFUSED') });
    expectNoSecret(error, [admin.password]);
  });

  it.each(['hang', 'slow'] as const)('F36 a server that answers like this ends at the deadline: %s', async (fault) => {
    server.fail(SIGN_IN, fault);
    const { manager, clock } = managerOf(strategyFor(), server.url);
    const attempt = failureOf(manager.get());
    while (server.requests.count({ path: SIGN_IN }) === 0) await new Promise(setImmediate);
    await clock.advance(20_000);
    expect(await attempt).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
    expect(clock.waiting).toBe(0);
  });

  it('F36 an answer that is far too large is none of Qelos', async () => {
    server.fail(SIGN_IN, { status: 200, body: Buffer.alloc(4 * 1024 * 1024, 0x20) });
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', retryable: true });
  });
});

describe('an error below a sign-in or refresh', () => {
  /** As of a mock that lacks something, or of undici under another runtime. */
  const faulty = (path: string): AxiosAdapter => {
    const http = axios.getAdapter('http');
    return (config) =>
      String(config.url).includes(path) ? Promise.reject(new TypeError('sesame is no function')) : http(config);
  };

  it.each([
    ['sign-in', SIGN_IN],
    ['refresh', REFRESH],
  ])('keeps its cause, and says nothing of what Qelos answered: %s', async (operation, path) => {
    const { username, password } = admin;
    const config = { url: server.url, username, password };
    auth = createQelosAuth({ env: {}, config, axios: { adapter: faulty(path) } });
    const { http } = auth;
    if (path === REFRESH) await http.get(ENTITIES);
    server.expireAccessTokens();
    const error = await failureOf(http.get(ENTITIES));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_BAD_RESPONSE',
      message: `The strategy "oauth-refresh" failed at ${operation}: it threw TypeError.`,
      hint: expect.stringMatching(/adapter/),
    });
    expect((error.cause as Error).stack).toMatch(/^Error: TypeError, without its text\n +at .*oauth-refresh\.test/);
    expectNoSecret(error, ['sesame', admin.password]);
  });
});

/** By what an answer with a good status is not one of Qelos. */
const badAnswers: [string, Parameters<QelosServer['fail']>[1]][] = [
  ['HTML', 'html'],
  ['broken JSON', 'broken-json'],
  ['empty', { status: 200 }],
  ['empty, 204', { status: 204 }],
  ['null', { status: 200, body: null }],
  ['a number', { status: 200, body: 7 }],
  ['an array', { status: 200, body: [] }],
  ['no payload', { status: 200, body: {} }],
  ['payload null', { status: 200, body: { payload: null } }],
  ['no token', { status: 200, body: { payload: { user: {} } } }],
  ['token null', { status: 200, body: { payload: { token: null, refreshToken: 'r' } } }],
  ['token empty', { status: 200, body: { payload: { token: '', refreshToken: 'r' } } }],
  ['token a number', { status: 200, body: { payload: { token: 42, refreshToken: 'r' } } }],
  ['token with CRLF', { status: 200, body: { payload: { token: 'secret-a\r\nx: b', refreshToken: 'r' } } }],
  ['refresh token with CRLF', { status: 200, body: { payload: { token: 'a', refreshToken: 'secret-b\r\n' } } }],
  ['refresh token a number', { status: 200, body: { payload: { token: 'a', refreshToken: 7 } } }],
];

describe('F37 an answer with a good status that is none of Qelos', () => {
  it.each([
    ['sign-in', {}],
    ['refresh', {}],
    ['sign-in', '<html>'],
    ['refresh', '<html>'],
  ])('says to what it is none: %s %j', async (operation, body) => {
    const { manager } = managerOf(strategyFor(), server.url);
    const current = operation === 'refresh' ? await manager.get() : undefined;
    server.fail(operation === 'refresh' ? REFRESH : SIGN_IN, { status: 200, body });
    const message = `The answer to the ${operation} is not one of Qelos.`;
    expect(await failureOf(manager.get(current))).toMatchObject({ message, retryable: true });
  });

  it.each(badAnswers)('to the sign-in: %s', async (_name, fault) => {
    server.fail(SIGN_IN, fault);
    const error = await failureOf(whole().http.get(ENTITIES));
    expect(error).toMatchObject({ name: 'AuthError', code: 'ERR_AUTH_BAD_RESPONSE', hint: expect.any(String) });
    expect(server.requests.count({ path: ENTITIES })).toBe(0);
    expect(server.requests.count({ path: SIGN_IN })).toBe(1);
    expectNoSecret(error, [admin.password, 'secret-a', 'secret-b']);
  });

  it.each(badAnswers)('to the refresh: %s', async (_name, fault) => {
    const { http } = whole();
    await http.get(ENTITIES);
    server.expireAccessTokens();
    server.requests.reset();
    server.fail(REFRESH, fault);
    const error = await failureOf(http.get(ENTITIES));
    expect(error).toMatchObject({ name: 'AuthError', code: 'ERR_AUTH_BAD_RESPONSE' });
    expect(server.requests.count({ path: ENTITIES })).toBe(1); // the one that was refused
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(server.requests.count({ path: SIGN_IN })).toBe(0);
  });

  it('the next call may try again', async () => {
    const now = performance.now();
    server.fail(SIGN_IN, 'html', 1);
    const { http } = whole();
    await failureOf(http.get(ENTITIES));
    jest.spyOn(performance, 'now').mockReturnValue(now + 2_000);
    expect((await http.get(ENTITIES)).status).toBe(200);
  });
});

describe('F25 Retry-After', () => {
  const someDay = Date.parse('Wed, 01 Jan 2031 00:00:00 GMT');

  it.each<[string, string | undefined, number | undefined]>([
    ['seconds', '7', 7_000],
    ['seconds with blanks', ' 7 ', 7_000],
    ['an hour: five minutes at most', '3600', 300_000],
    ['more digits than a number has', '9'.repeat(400), 300_000],
    ['a date', 'Wed, 01 Jan 2031 00:01:00 GMT', 60_000],
    ['a date in another of HTTP’s forms', 'Wednesday, 01-Jan-31 00:01:00 GMT', 60_000],
    ['a date next year: five minutes at most', 'Thu, 01 Jan 2032 00:00:00 GMT', 300_000],
    ['a date in the past', 'Tue, 31 Dec 2030 23:59:59 GMT', undefined],
    ['this very moment', 'Wed, 01 Jan 2031 00:00:00 GMT', undefined],
    ['0', '0', undefined],
    ['negative', '-5', undefined],
    ['a fraction', '1.5', undefined],
    ['a word', 'soon', undefined],
    ['empty', '', undefined],
    ['none', undefined, undefined],
  ])('%s', (_name, header, expected) => {
    expect(retryAfterMs(header, someDay)).toBe(expected);
  });

  const wanted: [string, () => string, number, number][] = [
    ['seconds', () => '7', 7_000, 7_000],
    ['a date', () => new Date(Date.now() + 60_000).toUTCString(), 58_000, 60_000],
    ['3600', () => '3600', 300_000, 300_000],
    ['malformed', () => 'soon', 500, 1_000],
    ['in the past', () => new Date(Date.now() - 60_000).toUTCString(), 500, 1_000],
  ];

  /** A 503 that asks for nothing readable is tried again while callers wait. */
  const isRemembered = (status: number, name: string) => status === 429 || !/malformed|past/.test(name);
  const rows = [SIGN_IN, REFRESH].flatMap((path) =>
    [429, 503].flatMap((status) => wanted.map((row) => [path, status, ...row] as const)),
  );

  it.each(rows.filter(([, status, name]) => isRemembered(status, name)))(
    '%s %i, %s: on the error, and nothing is sent before',
    async (path, status, _name, header, least, most) => {
      const { manager, clock } = managerOf(strategyFor(), server.url);
      clock.chance = 0.5;
      const first = path === REFRESH ? await manager.get() : undefined;
      server.requests.reset();
      server.fail(path, { status, headers: { 'retry-after': header() } }, 1);
      const error = (await failureOf(manager.get(first))) as Error & { retryAfterMs: number };
      expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: status, retryable: true });
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(least);
      expect(error.retryAfterMs).toBeLessThanOrEqual(most);
      await clock.advance(error.retryAfterMs - 1);
      await failureOf(manager.get(first));
      expect(server.requests.count()).toBe(1);
      await clock.advance(1);
      expect(await manager.get(first)).toBeInstanceOf(Credential);
    },
  );
});

describe('W02 a 503 that asks to wait for nothing readable, or for a moment', () => {
  it.each([
    [SIGN_IN, 'soon'],
    [SIGN_IN, new Date(0).toUTCString()],
    [SIGN_IN, '3'],
    [REFRESH, 'soon'],
    [REFRESH, '3'],
  ])('%s, Retry-After: %s: tried again while callers wait', async (path, header) => {
    const { manager, clock } = managerOf(strategyFor(), server.url);
    const first = path === REFRESH ? await manager.get() : undefined;
    server.requests.reset();
    server.fail(path, { status: 503, headers: { 'retry-after': header } }, 1);
    const begun = clock.now();
    expect(await throughPauses(manager.get(first), clock)).toBeInstanceOf(Credential);
    expect(clock.now() - begun).toBeGreaterThanOrEqual(header === '3' ? 3_000 : 125);
    expect(server.requests.count({ path })).toBe(2);
  });
});

describe('F04 a redirect is never followed', () => {
  let other: QelosServer;
  beforeEach(async () => {
    other = await startQelosServer({ users });
  });
  afterEach(() => other.close());

  const statuses = [301, 302, 303, 307, 308];

  it.each(statuses)('sign-in, %i to another origin: the password is sent once, to one place', async (status) => {
    server.fail(SIGN_IN, { status, headers: { location: `${other.url}${SIGN_IN}?token=hidden-part` } });
    const error = await failure();
    expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: status });
    expectNoSecret(error, [admin.password, 'hidden-part']);
    expect(other.requests.count()).toBe(0);
    expect(server.requests.count()).toBe(1);
  });

  it.each(statuses)('sign-in, %i inside the origin', async (status) => {
    server.fail(SIGN_IN, { status, headers: { location: '/api/other-signin' } });
    expect(await failure()).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: status });
    expect(server.requests.count()).toBe(1);
  });

  it.each(statuses)('refresh, %i: the refresh token is sent once, to one place', async (status) => {
    const { http } = whole();
    await http.get(ENTITIES);
    server.expireAccessTokens();
    server.fail(REFRESH, { status, headers: { location: `${other.url}${REFRESH}` } });
    expect(await failureOf(http.get(ENTITIES))).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: status });
    expect(other.requests.count()).toBe(0);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
  });
});

describe('refreshing', () => {
  it('brings the next pair', async () => {
    const strategy = strategyFor();
    const first = await strategy.signIn(contextFor(server.url));
    const second = await strategy.refresh(first, contextFor(server.url));
    expect(second.refreshToken).toMatch(/^ey/);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    const third = await strategy.refresh(second, contextFor(server.url));
    expect(third.refreshToken).not.toBe(second.refreshToken);
    expect(server.requests.count({ path: REFRESH, status: 200 })).toBe(2);
  });

  it('F28 a refresh token that was used is refused, in a way that can be tried again', async () => {
    const strategy = strategyFor();
    const first = await strategy.signIn(contextFor(server.url));
    await strategy.refresh(first, contextFor(server.url));
    const error = await failureOf(strategy.refresh(first, contextFor(server.url)));
    expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', httpStatus: 401, retryable: true });
    expectNoSecret(error, [first.refreshToken]);
  });

  it('F29 ten in a row cost no sign-in: each sends the newest refresh token', async () => {
    const { http } = whole();
    for (let round = 0; round <= 10; round++) {
      expect((await http.get(ENTITIES)).status).toBe(200);
      server.expireAccessTokens();
    }
    expect(server.requests.count({ path: SIGN_IN })).toBe(1);
    expect(server.requests.count({ path: REFRESH })).toBe(10);
    expect(server.requests.count({ path: REFRESH, status: 200 })).toBe(10);
  });

  it('F28 a session that was revoked ends in one sign-in', async () => {
    const { manager, clock } = managerOf(strategyFor(), server.url);
    const first = await manager.get();
    server.revokeSessions();
    server.requests.reset();
    expect(await throughPauses(manager.get(first), clock)).toBeInstanceOf(Credential);
    expect(server.requests.count({ path: REFRESH })).toBe(3);
    expect(server.requests.count({ path: SIGN_IN })).toBe(1);
  });
});

describe('a refresh whose answer brings no refresh token', () => {
  it.each([[undefined], [null]])('keeps the old one (RFC 6749, 6): %s', async (refreshToken) => {
    const first = await strategyFor().signIn(contextFor(server.url));
    server.fail(REFRESH, { status: 200, body: { payload: { token: 'next', refreshToken, user: {} } } });
    const second = await strategyFor().refresh(first, contextFor(server.url));
    expect(second.refreshToken).toBe(first.refreshToken);
    expect(headersOf(second)).toEqual({ authorization: 'Bearer next' });
  });
});

describe('S19 a token that is no b64token', () => {
  it.each([' ', 'a b', ' a', 'ä', 'a"b', 'a,b', '=a'])(
    '%j: ERR_AUTH_BAD_RESPONSE, and nothing is sent',
    async (token) => {
      server.fail(SIGN_IN, { status: 200, body: { payload: { token, refreshToken: 'r', user: {} } } });
      const error = await failureOf(whole().http.get(ENTITIES));
      expect(error).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE' });
      expect(server.requests.count({ path: ENTITIES })).toBe(0);
    },
  );

  it.each(['a', 'ey.J-_~+/0==', 'opaque'])('%j is one', async (token) => {
    expect(headersOf(Credential.bearer(token))).toEqual({ authorization: `Bearer ${token}` });
  });
});

describe('W06 a password that is refused', () => {
  const refused = { status: 401, body: { errors: { general: { message: 'Invalid username or password' } } } };

  it('although it has worked before: may be tried again, also after a refresh and by a strategy made anew', async () => {
    const first = await strategyFor().signIn(contextFor(server.url));
    const second = await strategyFor().refresh(first, contextFor(server.url));
    server.fail(SIGN_IN, refused);
    for (const former of [first, second]) {
      const error = await failureOf(strategyFor().signIn(contextFor(server.url), former));
      expect(error).toMatchObject({
        code: 'ERR_AUTH_REFUSED',
        retryable: true,
        hint: expect.stringContaining('worked before'),
      });
      expectNoSecret(error, [admin.password]);
    }
  });

  it('F24 and is another one than that which has worked: final', async () => {
    const first = await strategyFor().signIn(contextFor(server.url));
    const other = strategyFor(admin, { password: 'not-this-one' });
    expect(await failureOf(other.signIn(contextFor(server.url), first))).toMatchObject({ retryable: false });
  });

  it('for ten seconds while the auth service is deployed: calls go on within 5 s of its end', async () => {
    const { manager, clock } = managerOf(strategyFor(), server.url);
    clock.chance = 1;
    const first = await manager.get();
    server.fail(SIGN_IN, refused);
    server.fail(REFRESH, { status: 401 });
    const begun = clock.now();
    while (clock.now() - begun < 10_000) {
      const error = await failureOf(throughPauses(manager.get(first), clock));
      expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryable: true });
      await clock.advance(100);
    }
    server.fail(SIGN_IN, refused, 0);
    const over = clock.now();
    let next: Credential | undefined;
    while (!next && clock.now() - over < 5_000) {
      await clock.advance(100);
      next = await throughPauses(manager.get(first), clock).catch(() => undefined);
    }
    expect(next).toBeInstanceOf(Credential);
    expect(server.requests.count({ path: REFRESH })).toBe(3);
    expect(server.requests.count({ path: SIGN_IN })).toBeLessThan(10);
  });
});

describe('workspaces', () => {
  it('a session that has one signs in again instead of refreshing, which would lose it', async () => {
    const { http } = whole(member);
    for (let round = 1; round <= 3; round++) {
      expect((await http.get('/api/me')).data.workspace).toMatchObject({ name: 'First' });
      expect(server.requests.count({ path: SIGN_IN })).toBe(round);
      server.expireAccessTokens();
    }
    expect(server.requests.count({ path: REFRESH })).toBe(0);
  });

  it('W04 a member who signs in elsewhere between two renewals moves nobody', async () => {
    const { http } = whole(member);
    const bodies: unknown[] = [];
    const backend = await startBackend();
    expect((await http.get('/api/me')).data.workspace).toMatchObject({ name: 'First' });
    await signInTo(workspaces[1]?._id);
    server.expireAccessTokens();
    expect((await http.get('/api/me')).data.workspace).toMatchObject({ name: 'First' });
    // On the wire: what the first session had is named from then on.
    backend.on(SIGN_IN, ({ body }, response) => {
      bodies.push(JSON.parse(body.toString()).workspace);
      const token = `t${bodies.length}`;
      sendJson(response, 200, { payload: { token, refreshToken: 'r', user: {}, workspace: { _id: 'w1' } } });
    });
    backend.on('/x', ({ headers }, response) =>
      sendJson(response, headers.authorization === `Bearer t${bodies.length}` ? 200 : 401, {}),
    );
    const strategy = new OAuthRefreshStrategy({ url: backend.url, username: 'u', password: 'p' });
    const first = await strategy.signIn(contextFor(backend.url));
    const second = await strategy.signIn(contextFor(backend.url), first);
    await strategy.signIn(contextFor(backend.url), second);
    expect(bodies).toEqual([undefined, 'w1', 'w1']);
  });

  it.each([
    ['another', 'w1', 'w2', /bound to the workspace w2, not to that of the session before \(the workspace w1\)/],
    ['none any more', 'w1', undefined, /bound to no workspace, not to/],
    ['one, where there was none', undefined, 'w2', /bound to the workspace w2, not to .*\(no workspace\)/],
  ])(
    'W04 a session that takes the place of another and has %s: ERR_AUTH_WORKSPACE',
    async (_name, before, after, says) => {
      const payload = (workspace: string | undefined) => ({
        payload: { token: 't', refreshToken: 'r', user: {}, ...(workspace && { workspace: { _id: workspace } }) },
      });
      server.fail(SIGN_IN, { status: 200, body: payload(before) });
      const first = await strategyFor().signIn(contextFor(server.url));
      server.fail(SIGN_IN, { status: 200, body: payload(after) });
      expect(await failureOf(strategyFor().signIn(contextFor(server.url), first))).toMatchObject({
        code: 'ERR_AUTH_WORKSPACE',
        message: expect.stringMatching(says),
        hint: expect.stringContaining('QELOS_WORKSPACE'),
      });
    },
  );

  it('W04 of a session that another process has obtained, its token says which it has', async () => {
    const first = await strategyFor(member, { workspace: workspaces[1]?._id as string }).signIn(contextFor(server.url));
    const adopted = parseCredential(serializeCredential(first)) as Credential;
    await signInTo(workspaces[0]?._id);
    const second = await strategyFor(member).signIn(contextFor(server.url), adopted);
    const me = await fetch(`${server.url}/api/me`, { headers: headersOf(second) });
    expect(await me.json()).toMatchObject({ workspace: { name: 'Second' } });
  });

  it('W04 what was signed in as another user, or for another QELOS_WORKSPACE, is no session before', async () => {
    const first = await strategyFor(member, { workspace: workspaces[1]?._id as string }).signIn(contextFor(server.url));
    const corrected = strategyFor(member, { workspace: workspaces[0]?._id as string });
    expect(await corrected.signIn(contextFor(server.url), first)).toBeInstanceOf(Credential);
    expect(await strategyFor(admin).signIn(contextFor(server.url), first)).toBeInstanceOf(Credential);
    // Without the setting, the session stays where it was.
    const second = await strategyFor(member).signIn(contextFor(server.url), first);
    const me = await fetch(`${server.url}/api/me`, { headers: headersOf(second) });
    expect(await me.json()).toMatchObject({ workspace: { name: 'Second' } });
  });

  it('W04 is kept over refreshes too: one that had none has none', async () => {
    const first = await strategyFor().signIn(contextFor(server.url));
    const second = await strategyFor().refresh(first, contextFor(server.url));
    server.fail(SIGN_IN, {
      status: 200,
      body: { payload: { token: 't', refreshToken: 'r', user: {}, workspace: { _id: 'w2' } } },
    });
    const error = await failureOf(strategyFor().signIn(contextFor(server.url), second));
    expect(error).toMatchObject({ code: 'ERR_AUTH_WORKSPACE' });
  });

  it('the configured one is selected', async () => {
    const { http } = whole(member, { workspace: '65f0000000000000000000b2' });
    expect((await http.get('/api/me')).data.workspace).toMatchObject({ name: 'Second' });
  });

  it.each([
    ['of which the user is no member', member, '65f0000000000000000000c3'],
    ['of a user who has none', admin, '65f0000000000000000000a1'],
  ])('a configured one %s: ERR_AUTH_WORKSPACE', async (_name, user, workspace) => {
    const error = await failureOf(whole(user, { workspace }).http.get(ENTITIES));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_WORKSPACE',
      retryable: false,
      message: expect.stringMatching(/to no workspace.*QELOS_WORKSPACE/),
    });
    expect(server.requests.count({ path: ENTITIES })).toBe(0);
    expectNoSecret(error, [user.password]);
  });

  it('an answer with another one than the configured: ERR_AUTH_WORKSPACE that names it', async () => {
    server.fail(SIGN_IN, {
      status: 200,
      body: { payload: { token: 't', refreshToken: 'r', user: {}, workspace: { _id: 'other-one' } } },
    });
    const error = await failure(strategyFor(member, { workspace: 'wanted-one' }));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_WORKSPACE',
      message: expect.stringMatching(/^The session is bound to .*other-one/),
    });
  });
});

describe('what it lacks', () => {
  it.each([
    [{}, ['QELOS_USERNAME', 'QELOS_PASSWORD']],
    [{ username: 'u' }, ['QELOS_PASSWORD']],
    [{ password: 'p' }, ['QELOS_USERNAME']],
    [{ username: '', password: '' }, ['QELOS_USERNAME', 'QELOS_PASSWORD']],
    [{ username: 'u', password: 'p' }, []],
  ])('%j: %j', (config, missing) => {
    expect(new OAuthRefreshStrategy({ url: server.url, ...config }).missing()).toEqual(missing);
  });
});
