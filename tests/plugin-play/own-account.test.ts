import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { apiRefusal, createQelosAuth, isAuthError, type QelosAuth } from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { type QelosServer, type QelosServerUser, startQelosServer } from 'qelos-auth/testing';
import { sendJson, startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { reachableSecrets } from '../support/secrets';
import { exitCode, loadPlay, type PluginPlay } from './play';

const BOOKS = '/api/blueprints/book/entities';
const AT_ONCE = Array.from({ length: 50 });

let server: QelosServer;
let plain: QelosServerUser;
let play: PluginPlay;

beforeEach(async () => {
  server = await startQelosServer();
  plain = server.users[1] as QelosServerUser;
  play = loadPlay();
});

afterEach(() => server.close());

interface Account {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

function withPassword({ url, username, password }: Account = { ...plain, url: server.url }): QelosAuth {
  return createQelosAuth({ env: {}, config: { url, username, password } });
}

/** The SDK of a plugin that has changed its two lines, once plugin-play has made its first call. */
async function startedWith(auth: QelosAuth) {
  play.configure({}, pluginPlayOptions(auth));
  const sdk = play.getSdk();
  await sdk.authentication.getLoggedInUser();
  return sdk;
}

describe('getSdk()', () => {
  test.each([
    ['user name and password', () => withPassword()],
    [
      'API token',
      () =>
        createQelosAuth({
          env: {},
          config: { url: server.url, apiToken: server.issueApiToken({ username: plain.username }) },
        }),
    ],
  ])('acts as the account of the QelosAuth: %s', async (_, create) => {
    const sdk = await startedWith(create());
    expect(await sdk.authentication.getLoggedInUser()).toMatchObject({ username: plain.username });
    await sdk.blueprints.entitiesOf('book').create({ metadata: { title: 'Dune' } });
    expect(await sdk.blueprints.entitiesOf('book').getList()).toMatchObject([{ metadata: { title: 'Dune' } }]);
    expect(server.requests.count({ status: 401 })).toBe(0);
  });

  test('needs nothing of the environment, and what is there does not get in its way', async () => {
    const options = pluginPlayOptions(withPassword());
    play.configure({}, { qelosUsername: 'somebody', qelosPassword: 'else', ...options });
    expect(await play.getSdk().authentication.getLoggedInUser()).toMatchObject({ username: plain.username });
  });

  test('50 calls at once cost 1 sign-in, and after expiry 1 refresh; no call fails', async () => {
    play.configure({}, pluginPlayOptions(withPassword()));
    const books = play.getSdk().blueprints.entitiesOf('book');
    await Promise.all(AT_ONCE.map(() => books.getList()));
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);

    server.expireAccessTokens();
    await Promise.all(AT_ONCE.map(() => books.getList()));
    expect(server.requests.count({ path: '/api/token/refresh' })).toBe(1);
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test.each([400, 403, 404, 409, 429, 500, 503])('a POST that is answered with %i is sent once', async (status) => {
    const sdk = await startedWith(withPassword());
    server.fail(BOOKS, { status, body: { message: 'no' } });
    await expect(sdk.blueprints.entitiesOf('book').create({})).rejects.toMatchObject({
      message: 'no',
      details: { message: 'no' },
      response: { status, data: { message: 'no' } },
    });
    expect(server.requests.count({ path: BOOKS })).toBe(1);
    expect(server.requests.count({ path: '/api/token/refresh' })).toBe(0);
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('a failure that is no JSON keeps its status and text', async () => {
    const sdk = await startedWith(withPassword());
    server.fail(BOOKS, { status: 502, body: 'Bad gateway' });
    await expect(sdk.blueprints.entitiesOf('book').getList()).rejects.toMatchObject({
      message: 'Bad gateway',
      response: { status: 502, data: 'Bad gateway' },
    });
    server.fail(BOOKS, { status: 502 });
    await expect(sdk.blueprints.entitiesOf('book').getList()).rejects.toMatchObject({ response: { data: '' } });
    server.fail(BOOKS, { status: 502, body: '{"cut', headers: { 'content-type': 'application/json' } });
    await expect(sdk.blueprints.entitiesOf('book').getList()).rejects.toMatchObject({ response: { data: '{"cut' } });
  });

  test('a missing role is told apart from a refused credential', async () => {
    const sdk = await startedWith(withPassword());
    server.requests.reset();
    const error = await sdk.users.getList().catch((reason: unknown) => reason);
    expect(apiRefusal(error)?.authCode).toBe('ERR_AUTH_FORBIDDEN');
    expect(server.requests.count()).toBe(1);
  });

  test('callApi gives failed answers as any fetch does', async () => {
    const sdk = await startedWith(withPassword());
    server.fail(BOOKS, { status: 404, body: { message: 'gone' } });
    const byStatus = await sdk.callApi(BOOKS);
    expect([byStatus.status, await byStatus.json()]).toEqual([404, { message: 'gone' }]);
    const byOk = await sdk.callApi(BOOKS);
    expect([byOk.ok, await byOk.text()]).toEqual([false, '{"message":"gone"}']);
    expect(server.requests.count({ path: BOOKS })).toBe(2);
  });

  test('a sign-in with credentials of somebody else is sent as it is', async () => {
    const sdk = await startedWith(withPassword());
    const { username, password } = server.users[0] as QelosServerUser;
    const { payload } = await sdk.authentication.oAuthSignin({ username, password });
    expect(payload.user.username).toBe(username);
    expect(await sdk.authentication.getLoggedInUser()).toMatchObject({ username: plain.username });
  });

  test('no secret can be reached from an error, nor from the options', async () => {
    const backend = await startBackend();
    const auth = withPassword(backend);
    const sdk = await startedWith(auth);
    const errors = [];
    for (const status of [401, 403, 500]) {
      backend.on('/api/blueprints', (_, response) => sendJson(response, status, { message: 'no' }));
      errors.push(await sdk.blueprints.getList().catch((error: unknown) => error));
    }
    backend.on('/api/blueprints', (_request, response) => response.destroy());
    errors.push(await sdk.blueprints.getList().catch((error: unknown) => error));
    for (const error of errors) expect(error).toBeInstanceOf(Error);
    for (const root of [...errors, pluginPlayOptions(auth)]) {
      expect(reachableSecrets(root, Object.values(backend.secrets))).toEqual([]);
    }
  });

  test('once closed, says so', async () => {
    const auth = withPassword();
    const sdk = await startedWith(auth);
    await auth.close();
    await expect(sdk.blueprints.getList()).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });

  test('sends the custom headers, the credential, and no stand-in', async () => {
    const backend = await startBackend();
    const auth = withPassword(backend);
    const sdk = await startedWith(auth);
    sdk.setCustomHeader('x-trace', 'abc');
    await sdk.blueprints.getList();
    const { headers } = backend.received.at(-1) ?? {};
    expect(headers).toMatchObject({ 'x-trace': 'abc', authorization: `Bearer ${backend.secrets['access1']}` });
    for (const standIn of standInsOf(auth)) expect(JSON.stringify(backend.received)).not.toContain(standIn);
  });

  test('refuses to lead elsewhere, where somebody has put another URL behind ours', async () => {
    const exit = exitCode();
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const other = await startBackend();
    play.configure({}, { ...pluginPlayOptions(withPassword()), qelosUrl: other.url });
    await expect(play.getSdk().blueprints.getList()).rejects.toMatchObject({
      code: 'ERR_AUTH_INSECURE_URL',
      message: expect.stringContaining(other.url),
    });
    expect(other.received).toEqual([]);
    expect(await exit).toBe(1);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(other.url), expect.anything());
  });
});

describe('a wrong password', () => {
  test('costs 1 sign-in, and every call has the reason', async () => {
    const exit = exitCode();
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    play.configure({}, pluginPlayOptions(withPassword({ ...plain, password: 'wrong', url: server.url })));
    const sdk = play.getSdk();
    const errors = await Promise.all(AT_ONCE.map(() => sdk.blueprints.getList().catch((error: unknown) => error)));
    expect(errors.map((error) => isAuthError(error) && error.code)).toEqual(AT_ONCE.map(() => 'ERR_AUTH_REFUSED'));
    expect(new Set(errors).size).toBe(AT_ONCE.length);
    expect(server.requests.count()).toBe(1);
    expect(await exit).toBe(1);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('config.password'), {
      type: 'AuthError',
      code: 'ERR_AUTH_REFUSED',
      detail: expect.stringContaining('wrong password'),
    });
  });

  test.each(['production', 'development'])(
    'ends a plugin at its start, which says why (%s)',
    async (mode) => {
      const { username } = plain;
      const env = {
        NODE_ENV: mode,
        APP_URL: 'https://plugin.test',
        QELOS_URL: server.url,
        QELOS_USERNAME: username,
        QELOS_PASSWORD: 'wrong-password',
      };
      const { code, stdout, stderr } = await runChild('plugin-play.ts', {}, [], env);
      expect(code).toBe(1);
      expect(stdout).toContain('could not authenticate to own qelos app');
      expect(stderr).toContain('[ERR_AUTH_REFUSED] AuthError: QELOS_USERNAME and QELOS_PASSWORD were refused');
      expect(stdout + stderr).not.toContain('wrong-password');
      expect(server.requests.count()).toBe(1);
    },
    30_000,
  );
});

describe('a start that fails otherwise', () => {
  const hint = expect.stringContaining('fresh session');
  test.each([
    { fault: { status: 503, body: 'busy' }, message: 'busy', options: { code: 'ERR_BAD_RESPONSE' } },
    { fault: 'reset' as const, message: 'fetch failed', options: { type: 'TypeError' } },
    { fault: { status: 401, body: { message: 'no' } }, message: 'no', options: { detail: hint } },
  ])('says why, once: $message', async ({ fault, message, options }) => {
    const exit = exitCode();
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    server.fail('/api/me', fault);
    play.configure({}, pluginPlayOptions(withPassword()));
    const sdk = play.getSdk();
    expect(await exit).toBe(1);
    await expect(sdk.authentication.getLoggedInUser()).rejects.toThrow();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn).toHaveBeenCalledWith(message, expect.objectContaining(options));
  });
});

describe('pluginPlayOptions()', () => {
  test('are the same each time, and other ones for each account', () => {
    const auth = withPassword();
    expect(pluginPlayOptions(auth)).toBe(pluginPlayOptions(auth));
    const [one, other] = [standInsOf(withPassword()), standInsOf(withPassword())];
    expect(new Set([...one, ...other]).size).toBe(4);
  });

  test('take a Request too, as any fetch', async () => {
    const { qelosApiToken, sdkOptions } = pluginPlayOptions(withPassword());
    const request = (url: string) => new Request(url, { headers: { 'x-api-key': qelosApiToken } });
    expect(await (await sdkOptions.fetch(request(`${server.url}/api/me`))).json()).toMatchObject({
      username: plain.username,
    });
    await expect(sdkOptions.fetch(request('http://127.0.0.1:9/api/me'))).rejects.toMatchObject({
      code: 'ERR_AUTH_INSECURE_URL',
    });
    const byPath = sdkOptions.fetch('/api/me', { headers: { 'x-api-key': qelosApiToken } });
    await expect(byPath).rejects.toMatchObject({ message: expect.stringContaining('no URL') });
  });

  test('the stand-in of one account gets no credential of another', async () => {
    const exit = exitCode();
    const options = pluginPlayOptions(withPassword());
    play.configure({}, { ...options, qelosApiToken: pluginPlayOptions(withPassword()).qelosApiToken });
    await expect(play.getSdk().authentication.getLoggedInUser()).rejects.toThrow('Invalid or expired API token');
    expect(await exit).toBe(1);
    expect(server.requests.count({ path: '/api/signin' })).toBe(0);
  });
});

function standInsOf(auth: QelosAuth): string[] {
  const { qelosApiToken, sdkOptions } = pluginPlayOptions(auth);
  return [qelosApiToken, sdkOptions.accessToken];
}
