import { Agent } from 'node:http';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { isAuthError, type QelosAuth } from '../../src';
import { type QelosServer, type QelosServerOptions, startQelosServer } from '../../src/testing';
import { startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { settableClock } from '../support/clock';
import { hurry } from '../support/hurry';
import { ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';

/** Ten thousand sockets are more than a process may open; a plugin would limit them too. */
const sockets = () => {
  const httpAgent = new Agent({ keepAlive: true, maxSockets: 128 });
  whenDone(() => httpAgent.destroy());
  return { axios: { httpAgent } };
};

const start = async (options?: QelosServerOptions): Promise<QelosServer> => {
  const server = await startQelosServer(options);
  whenDone(() => server.close());
  return server;
};

const account = (server: QelosServer, which = 0) => {
  const { username, password } = server.users[which] as { username: string; password: string };
  return { config: { url: server.url, username, password } };
};

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** How often each value occurs. */
const tally = (values: readonly unknown[]) => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
};

const codeOf = (error: unknown) => (isAuthError(error) ? error.code : `no AuthError: ${String(error)}`);

describe.each(ways)('through $name', ({ name, open, send }) => {
  let server: QelosServer;
  let auth: QelosAuth;
  const get = (path = '/api/me') => send(auth, { path });
  const count = (path: string) => server.requests.count({ path });

  beforeEach(async () => {
    server = await start();
    auth = open({ ...account(server), ...sockets() });
  });

  const crowds = name === 'auth.http' ? [1_000, 10_000] : [1_000];

  it.each(crowds)(
    'F20: signs in once for %i calls that come at once, cold',
    async (crowd) => {
      const answers = await Promise.all(times(crowd, () => get()));
      expect(tally(answers.map(({ status }) => status))).toEqual({ 200: crowd });
      expect(count(SIGN_IN)).toBe(1);
      expect(count(REFRESH)).toBe(0);
      expect(count('/api/me')).toBe(crowd);
    },
    60_000,
  );

  it.each(crowds)(
    'F21: refreshes once for %i calls that come at once with an expired token',
    async (crowd) => {
      await get();
      server.expireAccessTokens();
      server.requests.reset();
      const answers = await Promise.all(times(crowd, () => get()));
      expect(tally(answers.map(({ status }) => status))).toEqual({ 200: crowd });
      expect(count(REFRESH)).toBe(1);
      expect(count(SIGN_IN)).toBe(0);
      expect(server.requests.count({ path: '/api/me', status: 200 })).toBe(crowd);
      expect(count('/api/me')).toBeLessThanOrEqual(2 * crowd); // each is sent again once at most
    },
    60_000,
  );

  it('F23: refreshes once for an API that always answers 401, and sends each call at most twice', async () => {
    await get();
    server.fail('/api/blocks', { status: 401, body: { message: 'authorization token is not valid.' } });
    server.requests.reset();
    const statuses: number[] = [];
    for (let i = 0; i < 1_000; i++) statuses.push((await get('/api/blocks')).status);
    expect(tally(statuses)).toEqual({ 401: 1_000 });
    expect(count(REFRESH)).toBe(1);
    expect(count(SIGN_IN)).toBe(0);
    expect(count('/api/blocks')).toBe(1_001);
  }, 60_000);

  it('F23: asks for a new credential again only when 30 s have passed', async () => {
    const clock = settableClock();
    await get();
    server.fail('/api/blocks', { status: 401, body: { message: 'authorization token is not valid.' } });
    server.requests.reset();
    await get('/api/blocks');
    clock.advance(29_000);
    await get('/api/blocks');
    expect(count(REFRESH)).toBe(1);
    clock.advance(2_000);
    await get('/api/blocks');
    expect(count(REFRESH)).toBe(2);
    clock.advance(31_000); // twice as long the second time
    await get('/api/blocks');
    expect(count(REFRESH)).toBe(2);
    expect(count(SIGN_IN)).toBe(0);
  });

  it('F23: goes on serving other paths while one answers 401 for ever', async () => {
    await get();
    server.fail('/api/blocks', { status: 401, body: { message: 'authorization token is not valid.' } });
    server.requests.reset();
    const answers = await Promise.all(times(200, (i) => get(i % 2 ? '/api/blocks' : '/api/me')));
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 100, 401: 100 });
    expect(count(REFRESH)).toBe(1);
    expect(count(SIGN_IN)).toBe(0);
    // A token that really has expired is still renewed for them.
    server.expireAccessTokens();
    settableClock().advance(31_000);
    expect(await get()).toMatchObject({ status: 200 });
  });

  it('F23: takes "you are not privileged." for an answer: no refresh, sent once', async () => {
    auth = open({ ...account(server, 1), ...sockets() });
    await get();
    server.requests.reset();
    const answers = await Promise.all(times(100, () => get('/api/users')));
    expect(tally(answers.map(({ status }) => status))).toEqual({ 401: 100 });
    expect(answers[0]?.data).toEqual({ message: 'you are not privileged.' });
    expect(server.requests.count()).toBe(100);
  });

  it('F24: tries a wrong password once for 1,000 calls, and once more after the cool-down', async () => {
    const clock = settableClock();
    const { config } = account(server);
    auth = open({ config: { ...config, password: 'not this one' }, ...sockets() });
    const call = () => get().then(() => 'answered', codeOf);
    expect(tally(await Promise.all(times(1_000, call)))).toEqual({ ERR_AUTH_REFUSED: 1_000 });
    expect(tally([await call(), await call()])).toEqual({ ERR_AUTH_REFUSED: 2 });
    expect(count(SIGN_IN)).toBe(1);
    clock.advance(30_001);
    expect(tally(await Promise.all(times(100, call)))).toEqual({ ERR_AUTH_REFUSED: 100 });
    expect(server.requests.count()).toBe(2); // nothing but the two sign-ins
  });

  it.each([
    ['503', { status: 503 }],
    ['500', { status: 500, body: 'no JSON' }],
    ['reset', 'reset'],
  ] as const)('F26: tries six times, then once a back-off step, while sign-in is down (%s)', async (_, fault) => {
    const clock = settableClock();
    hurry();
    server.fail(SIGN_IN, fault);
    const call = () => get().then(() => 'answered', codeOf);
    const isReached = fault !== 'reset';
    for (let step = 0; step < 5; step++) {
      for (let i = 0; i < 10; i++) expect(await call()).toBe('ERR_AUTH_UNAVAILABLE');
      // A server that is out of order for longer is only looked at; where there is none, nobody is hammered.
      const tries = isReached ? 6 + step : 6 * (step + 1);
      expect(count(SIGN_IN)).toBe(tries);
      // A step takes between half of 1, 2, 4, … s and the whole of it; up to 4 s where no connection is to be had.
      const halfStep = 0.5 * Math.min(1_000 * 2 ** step, isReached ? 60_000 : 4_000);
      clock.advance(halfStep - 450);
      expect(await call()).toBe('ERR_AUTH_UNAVAILABLE');
      expect(count(SIGN_IN)).toBe(tries);
      clock.advance(halfStep + 450);
    }
    server.fail(SIGN_IN, fault, 0);
    expect(await get()).toMatchObject({ status: 200 });
  });

  it.each([400, 403, 404, 409, 422, 429, 500, 503])(
    'F27: hands out a %i with its headers and body; sent once, nothing refreshed',
    async (status) => {
      await get();
      server.requests.reset();
      const body = { message: 'as the API says it', details: [{ field: 'name' }] };
      server.fail('/api/blocks', { status, body, headers: { 'x-answer': 'kept', 'retry-after': '7' } });
      const answer = await send(auth, { path: '/api/blocks', method: 'POST', body: '{}' });
      expect(answer).toMatchObject({ status, data: body, headers: { 'x-answer': 'kept', 'retry-after': '7' } });
      expect(server.requests.count()).toBe(1);
    },
  );

  it('F28: sends a refused refresh token at most three times, then signs in exactly once', async () => {
    const backend = await startBackend();
    const { url, username, password } = backend;
    auth = open({ config: { url, username, password } });
    await get();
    backend.expire();
    backend.on(REFRESH, (_, response) => void response.writeHead(401).end());
    const answers = await Promise.all(times(100, () => get()));
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 100 });
    const sent = backend.to(REFRESH).map(({ headers }) => headers.authorization);
    expect(sent).toEqual(times(3, () => `Bearer ${backend.secrets['refresh1']}`));
    expect(backend.to(SIGN_IN)).toHaveLength(2);
  });

  it('F29: sends the newest refresh token at each of ten refreshes in a row', async () => {
    const backend = await startBackend();
    const { url, username, password } = backend;
    auth = open({ config: { url, username, password } });
    await get();
    for (let round = 0; round < 10; round++) {
      backend.expire();
      expect(await get()).toMatchObject({ status: 200 });
    }
    const sent = backend.to(REFRESH).map(({ headers }) => headers.authorization);
    expect(sent).toEqual(times(10, (i) => `Bearer ${backend.secrets[`refresh${i + 1}`]}`));
    expect(backend.to(SIGN_IN)).toHaveLength(1);
  });

  it('F22: refreshes once for one fast 401 and many late ones of calls sent before', async () => {
    const backend = await startBackend();
    const { url, username, password } = backend;
    auth = open({ config: { url, username, password } });
    await get();
    backend.expire();
    const late: (() => void)[] = [];
    backend.on('/late', ({ authorized }, response) => {
      if (authorized) return false;
      late.push(() => response.writeHead(401).end());
      if (late.length === 50) allSent();
      return true;
    });
    let allSent = () => {};
    const sent = new Promise<void>((resolve) => {
      allSent = resolve;
    });
    const waiting = times(50, () => get('/late'));
    await sent;
    expect(await get('/fast')).toMatchObject({ status: 200 });
    expect(backend.to(REFRESH)).toHaveLength(1);
    for (const answer of late) answer();
    expect(tally((await Promise.all(waiting)).map(({ status }) => status))).toEqual({ 200: 50 });
    expect(backend.to(REFRESH)).toHaveLength(1);
    expect(backend.to(SIGN_IN)).toHaveLength(1);
  });

  it('F40: fails no call while tokens live a second', async () => {
    server = await start({ accessTokenSeconds: 1 });
    auth = open({ ...account(server), ...sockets() });
    const begun = Date.now();
    const statuses: number[] = [];
    while (Date.now() - begun < 3_000 && statuses.length < 30_000) {
      const answers = await Promise.all(times(100, () => get()));
      statuses.push(...answers.map(({ status }) => status));
    }
    const seconds = (Date.now() - begun) / 1_000;
    expect(tally(statuses)).toEqual({ 200: statuses.length });
    // The server cuts its seconds off: a token dies at the full second.
    expect(count(REFRESH)).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
    expect(count(REFRESH)).toBeGreaterThanOrEqual(1);
    expect(count(SIGN_IN)).toBe(1);
  }, 30_000);

  it('F41: brings up ten replicas of one user that start at once', async () => {
    await crowd(server);
    const replicas = times(10, () => open(account(server)));
    const answers = await Promise.all(replicas.map((replica) => send(replica, { path: '/api/me' })));
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 10 });
    expect(count(SIGN_IN)).toBeGreaterThan(12 + 10); // the conflict did happen
  }, 30_000);
});

it('F41: brings up processes of one user that start at once', async () => {
  const server = await start();
  await crowd(server);
  const outputs = await Promise.all(times(4, () => runChild('sign-in.ts', { ...account(server).config })));
  expect(outputs.map(({ stdout }) => JSON.parse(stdout))).toEqual(
    times(4, () => ({ strategy: 'oauth-refresh', username: server.users[0]?.username, status: 200 })),
  );
}, 60_000);

it('F47: lets 20 sessions of one user refresh at once for ten rounds, with at most 20 sign-ins', async () => {
  const server = await start();
  const [way] = ways;
  const replicas = times(20, () => way?.open(account(server)) as QelosAuth);
  await Promise.all(replicas.map((replica) => replica.signIn()));
  server.requests.reset();
  for (let round = 0; round < 10; round++) {
    server.expireAccessTokens();
    const answers = await Promise.all(replicas.map((replica) => replica.http.get('/api/me')));
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 20 });
  }
  expect(server.requests.count({ path: REFRESH })).toBeGreaterThan(200); // the server did refuse good tokens
  expect(server.requests.count({ path: SIGN_IN })).toBeLessThanOrEqual(20);
}, 120_000);

/** So many sessions of the first user that its sign-ins conflict from then on. */
async function crowd(server: QelosServer): Promise<void> {
  const [{ username, password }] = server.users as unknown as [{ username: string; password: string }];
  for (let i = 0; i < 12; i++) {
    await fetch(server.url + SIGN_IN, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password, authType: 'oauth' }),
    });
  }
}
