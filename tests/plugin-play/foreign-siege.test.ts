import { once } from 'node:events';
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createQelosAuth, isAuthError } from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { reachableSecrets } from '../support/secrets';
import { loadPlay, type PluginPlay } from './play';

const ENDS_MS = 5_000; // without a deadline it never would

let home: Backend;
let tenant: Backend;
let stranger: Backend;
let play: PluginPlay;

function configure(timeout?: number): void {
  const { url, username, password } = home;
  const auth = createQelosAuth({
    env: {},
    config: { url, username, password },
    ...(timeout && { axios: { timeout } }),
  });
  play.configure({}, pluginPlayOptions(auth));
}

beforeEach(async () => {
  [home, tenant, stranger] = await Promise.all([startBackend(), startBackend(), startBackend()]);
  play = loadPlay();
  configure(300);
});

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'succeeded',
    (error: unknown) => error,
  );
const withPassword = () =>
  play.getSdkForUrl({ appUrl: tenant.url, username: tenant.username, password: tenant.password });
const withTokens = () => play.getSdkForUrl({ appUrl: tenant.url, accessToken: 'old', refreshToken: 'refresh' });
const expectNoSecret = (error: unknown) =>
  expect(reachableSecrets(error, [...Object.values(tenant.secrets), ...Object.values(home.secrets)])).toEqual([]);

describe('deadlines', () => {
  test(
    'S03 F36 a sign-in that never answers ends for all who wait, each with an error of its own; the next call asks again',
    async () => {
      tenant.on('/api/signin', () => {});
      const sdk = withPassword();
      const errors = await Promise.all([1, 2, 3].map(() => reasonOf(sdk.blueprints.getList())));
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', message: expect.stringContaining(tenant.url) });
        expectNoSecret(error);
      }
      expect(new Set(errors).size).toBe(3);
      expect(tenant.to('/api/signin')).toHaveLength(1);
      tenant.on('/api/signin', () => false);
      await sdk.blueprints.getList();
    },
    ENDS_MS,
  );

  test(
    'S03 F36 a refresh that drips ends too, and no sign-in follows',
    async () => {
      const drips: NodeJS.Timeout[] = [];
      tenant.on('/api/token/refresh', (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        drips.push(setInterval(() => response.write(' '), 20));
        response.on('close', () => drips.forEach(clearInterval));
      });
      const { username, password } = tenant;
      const given = { appUrl: tenant.url, accessToken: 'old', refreshToken: 'refresh', username, password };
      expect(await reasonOf(play.getSdkForUrl(given).blueprints.getList())).toMatchObject({
        code: 'ERR_AUTH_UNAVAILABLE',
        retryable: true,
      });
      expect(tenant.to('/api/signin')).toEqual([]);
    },
    ENDS_MS,
  );

  test('S03 a sign-in ends after 20 s where no time-out is set', async () => {
    configure();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    await withPassword().blueprints.getList();
    expect(timers.mock.calls.map(([, ms]) => ms)).toContain(20_000);
  });

  test.each([
    ['its head', false],
    ['its body', true],
  ])(
    'S03 a call that waits for %s ends by the time-out of the account',
    async (_, hasHead) => {
      tenant.on('/api/blueprints', (_request, response) => {
        if (!hasHead) return;
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('[');
      });
      const error = (await reasonOf(withPassword().blueprints.getList())) as Error;
      expect(error).toMatchObject({ message: 'fetch failed', cause: { message: 'timeout of 300ms exceeded' } });
      expectNoSecret(error);
    },
    ENDS_MS,
  );

  test.each([
    ['before its head', false],
    ['in its body', true],
  ])(
    'S03 S04 a call that ends by its time-out %s gives its connection back',
    async (_, hasHead) => {
      let closed: Promise<unknown> | undefined;
      tenant.on('/api/blueprints', (_request, response) => {
        closed = once(response, 'close');
        if (hasHead) response.writeHead(200, { 'content-type': 'application/json' }).write('[');
      });
      expect(await reasonOf(withPassword().blueprints.getList())).toMatchObject({ message: 'fetch failed' });
      await closed;
    },
    ENDS_MS,
  );

  test('S10 who signs in by hand has an error of his own too', async () => {
    tenant.on('/api/signin', () => {});
    const { username, password } = tenant;
    const signIn = () => reasonOf(withPassword().authentication.oAuthSignin({ username, password }));
    const errors = await Promise.all([signIn(), signIn()]);
    expect(errors).toEqual(errors.map(() => expect.objectContaining({ code: 'ERR_AUTH_UNAVAILABLE' })));
    expect(new Set(errors).size).toBe(2);
    expect(tenant.to('/api/signin')).toHaveLength(1);
  });

  test('S03 an event stream may be silent for longer', async () => {
    tenant.on('/api/events', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      setTimeout(() => response.end('data: 2\n\n'), 700);
    });
    const sdk = withPassword();
    const answer = await sdk.callApi('/api/events');
    expect(await answer.text()).toBe('data: 1\n\ndata: 2\n\n');
  });

  test('S20 an answer that is read in time keeps its status, headers and URL', async () => {
    tenant.on('/api/books', (_, response) => sendJson(response, 404, { message: 'gone' }, { 'x-trace': 'abc' }));
    const answer = await withPassword().callApi('/api/books');
    expect([answer.status, answer.headers.get('x-trace'), answer.url]).toEqual([404, 'abc', `${tenant.url}/api/books`]);
    expect(await answer.json()).toEqual({ message: 'gone' });
  });
});

describe('bounds', () => {
  test('F36 a sign-in that is answered without end is broken off at 1 MiB', async () => {
    let sent = 0;
    tenant.on('/api/signin', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(65_536, 0x20);
      const more = () => {
        while (!response.destroyed && sent < 200 * 2 ** 20) {
          sent += chunk.length;
          if (!response.write(chunk)) return response.once('drain', more);
        }
        return response.end();
      };
      more();
    });
    configure();
    const error = await reasonOf(withPassword().blueprints.getList());
    expect(error).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', message: expect.stringContaining(tenant.url) });
    expect(sent).toBeLessThan(50 * 2 ** 20);
  });
});

describe('redirects', () => {
  const leadTo = (path: string, target: string, status: number) =>
    tenant.on(path, (_, response) => response.writeHead(status, { location: target }).end());

  test.each([302, 307])('F01 a sign-in is not carried to a stranger (%i)', async (status) => {
    leadTo('/api/signin', `${stranger.url}/api/signin?secret`, status);
    const error = await reasonOf(withPassword().blueprints.getList());
    expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', message: expect.stringContaining(stranger.url) });
    expect(String(error)).not.toContain('?secret');
    expect(stranger.received).toEqual([]);
  });

  test.each([302, 307])('F01 a call with an API token is not carried to a stranger (%i)', async (status) => {
    leadTo('/api/blueprints', `${stranger.url}/api/blueprints`, status);
    const sdk = play.getSdkForUrl({ appUrl: tenant.url, apiToken: tenant.apiToken });
    expect(await reasonOf(sdk.blueprints.getList())).toMatchObject({
      code: 'ERR_AUTH_REDIRECT',
      hint: expect.stringContaining('appUrl'),
    });
    expect(stranger.received).toEqual([]);
  });

  test('F01 inside the instance they are followed, as the Fetch standard has it', async () => {
    leadTo('/api/old', '/api/new', 307);
    leadTo('/api/posted', '/api/new', 303);
    const sdk = withPassword();
    const send = (path: string) => sdk.callApi(path, { method: 'POST', body: 'text' });
    expect((await send('/api/old')).status).toBe(200);
    expect((await send('/api/posted')).status).toBe(200);
    expect(
      tenant.to('/api/new').map(({ method, body, authorized }) => [method.toUpperCase(), String(body), authorized]),
    ).toEqual([
      ['POST', 'text', true],
      ['GET', '', true],
    ]);
  });

  test(
    'F01 S04 a redirect whose body never ends is let go of',
    async () => {
      let closed: Promise<unknown> | undefined;
      tenant.on('/api/endless', (_, response) => {
        closed = once(response, 'close');
        response.writeHead(302, { location: '/api/new' }).write('moved');
      });
      expect((await withPassword().callApi('/api/endless')).status).toBe(200);
      await closed;
    },
    ENDS_MS,
  );

  test('F01 a circle ends, and who wants the redirect itself gets it', async () => {
    leadTo('/api/circle', '/api/circle', 302);
    const sdk = withPassword();
    expect(await reasonOf(sdk.callApi('/api/circle'))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
    expect(tenant.to('/api/circle')).toHaveLength(21);
    const answer = await sdk.callApi('/api/circle', { redirect: 'manual' });
    expect(answer.status).toBe(302);
    expect(tenant.to('/api/circle')).toHaveLength(22);
  });
});

describe('rests', () => {
  test('F24 a password that stays refused is sent after 30 s, then after 60 s', async () => {
    tenant.on('/api/signin', (_, response) => sendJson(response, 401, {}));
    const now = Math.ceil(performance.now()); // whole, so that sums are exact
    const clock = jest.spyOn(performance, 'now');
    const sentAfter = async (ms: number) => {
      clock.mockReturnValue(now + ms);
      const error = await reasonOf(withPassword().blueprints.getList());
      expect(isAuthError(error) && error.code).toBe('ERR_AUTH_REFUSED');
      return tenant.to('/api/signin').length;
    };
    expect(await sentAfter(0)).toBe(1);
    expect(await sentAfter(29_999)).toBe(1);
    expect(await sentAfter(30_000)).toBe(2);
    expect(await sentAfter(89_999)).toBe(2);
    expect(await sentAfter(90_000)).toBe(3);
  });

  test('F24 a password that was good in between rests for 30 s again', async () => {
    const now = Math.ceil(performance.now());
    const clock = jest.spyOn(performance, 'now');
    const { username, password } = tenant;
    const signInAt = async (ms: number, isRefused: boolean) => {
      clock.mockReturnValue(now + ms);
      tenant.on('/api/signin', (_, response) => (isRefused ? sendJson(response, 401, {}) : false));
      return reasonOf(withPassword().authentication.oAuthSignin({ username, password }));
    };
    expect(await signInAt(0, true)).toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(await signInAt(30_000, false)).toBe('succeeded');
    expect(await signInAt(39_999, true)).toBe('succeeded');
    expect(await signInAt(40_000, true)).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryAfterMs: 30_000 });
  });

  test.each([429, 503])('F25 a sign-in answered %i with Retry-After is not sent again before', async (status) => {
    tenant.on('/api/signin', (_, response) => sendJson(response, status, { message: 'busy' }, { 'retry-after': '10' }));
    const now = Math.ceil(performance.now()); // whole, so that sums are exact
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now);
    const signIn = () => expect(withPassword().blueprints.getList()).rejects.toThrow('busy');
    await signIn();
    clock.mockReturnValue(now + 9_999);
    await signIn();
    expect(tenant.to('/api/signin')).toHaveLength(1);
    clock.mockReturnValue(now + 10_000);
    await signIn();
    expect(tenant.to('/api/signin')).toHaveLength(2);
  });
});

test.each([
  ['Blob', () => new Blob(['text'])],
  ['bytes', () => new TextEncoder().encode('text')],
])('F31 a body that can be sent twice is: %s', async (_, body) => {
  const sdk = withTokens();
  tenant.on('/api/token/refresh', (_request, response) => sendJson(response, 200, { payload: { token: 'new' } }));
  tenant.on('/api/books', ({ headers }, response) =>
    sendJson(response, headers.authorization === 'Bearer new' ? 200 : 401, { message: 'expired' }),
  );
  expect((await sdk.callApi('/api/books', { method: 'POST', body: body() })).status).toBe(200);
  expect(tenant.to('/api/books').map((request) => String(request.body))).toEqual(['text', 'text']);
});

test('pluginPlayOptions(auth) needs only what an account shows, and is the same each time', () => {
  const make = () => createQelosAuth({ env: {}, config: { url: home.url, username: 'u', password: 'p' } });
  const auth = make();
  const options = pluginPlayOptions(auth);
  expect(pluginPlayOptions(auth)).toBe(options);
  expect(options.qelosUrl).toBe(home.url);
  expect(pluginPlayOptions(make()).qelosApiToken).not.toBe(options.qelosApiToken);
  const { http } = auth;
  expect(pluginPlayOptions({ http } as typeof auth).qelosUrl).toBe(home.url);
});
