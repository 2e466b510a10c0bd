import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from '@jest/globals';
import axios, { type InternalAxiosRequestConfig } from 'axios';
import { undici } from 'qelos-auth/undici';
import { apiRefusal, Credential, createQelosAuth, type QelosAuth } from '../../src';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

let api: Backend;
let auth: QelosAuth;

beforeEach(async () => {
  api = await startBackend();
  auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
});

/** The request as it was just before it got to the library, and as its answer or error shows it. */
async function beforeAndAfter(config: object): Promise<[Record<string, unknown>, Record<string, unknown>]> {
  let before: Record<string, unknown> = {};
  // Interceptors run in the reverse order of their adding; what comes after this one is the library's own.
  auth.http.interceptors.request.use((request) => {
    before = shown(request);
    return request;
  });
  const settled = await auth.http.request(config).catch((error) => error);
  return [before, shown(settled.config)];
}

/** All there is to see of a request, but for what sends it, and the body, which transforms change. */
function shown({ adapter: _, data: __, headers, ...request }: InternalAxiosRequestConfig): Record<string, unknown> {
  return { ...request, headers: { ...headers } };
}

describe('what is put on a request for sending is taken back', () => {
  it.each<[string, object]>([
    ['nothing in particular', {}],
    ['a limit of redirects', { maxRedirects: 3 }],
    ['no redirects', { maxRedirects: 0 }],
    ['a proxy, which plain http never goes through', { proxy: { host: '127.0.0.1', port: 1 } }],
    ['no proxy', { proxy: false }],
    ['a user name of its own', { auth: { username: 'u', password: 'p' } }],
    ['a time-out', { timeout: 10_000 }],
    ['a body', { method: 'post', data: { a: 1 } }],
  ])('%s', async (_, config) => {
    const [before, after] = await beforeAndAfter({ url: '/x', ...config });
    expect(after).toEqual({ ...before, headers: expect.any(Object) });
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    expect(JSON.stringify(after['headers'])).not.toContain(api.apiToken);
    expect(api.to('/x')).toMatchObject([{ authorized: true }]);
  });

  it('over undici too, and where the request names a transport of its own', async () => {
    const overUndici = createQelosAuth({
      env: {},
      config: { url: api.url, apiToken: api.apiToken },
      transport: undici(),
    });
    whenDone(() => overUndici.close());
    expect((await overUndici.http.get('/x')).config).not.toHaveProperty('transport');
    let isUsed = false;
    const { request } = require('node:http');
    const transport = {
      request: (...parts: unknown[]) => {
        isUsed = true;
        return request(...parts);
      },
    };
    expect((await overUndici.http.get('/x', { transport })).config.transport.request).toBe(transport.request);
    expect(isUsed).toBe(true);
  });

  it('from a request that failed', async () => {
    api.on('/x', (_, response) => sendJson(response, 404, {}));
    const [before, after] = await beforeAndAfter({ url: '/x', proxy: { host: '127.0.0.1', port: 1 } });
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    expect(after['proxy']).toEqual(before['proxy']);
  });
});

describe('what a caller gets', () => {
  it('the place that answered, also with an error and without redirect', async () => {
    api.on('/gone', (_, response) => sendJson(response, 410, {}));
    const error = await auth.http.get('/gone').catch((error) => error);
    expect(error.response.request.responseURL).toBe(`${api.url}/gone`);
  });

  it('the error of a request that is sent as written', async () => {
    await expect(auth.http.get('/x', { skipAuth: true })).rejects.toMatchObject({ response: { status: 401 } });
  });

  it('an adapter of somebody else keeps what it was given', async () => {
    const kept: InternalAxiosRequestConfig[] = [];
    const http = axios.create({
      baseURL: api.url,
      adapter: (config) => {
        kept.push(config);
        return axios.getAdapter('http')(config);
      },
    });
    whenDone(auth.attach(http));
    await http.get('/x');
    expect(kept[0]?.headers['x-api-key']).toBe(api.apiToken);
  });

  it('no wait, with a credential at hand: the request is handed to the adapter before the call returns', async () => {
    let sent = 0;
    const adapter = async (config: InternalAxiosRequestConfig) => {
      sent++;
      return { status: 200, statusText: 'OK', headers: {}, data: '', config };
    };
    const http = axios.create({ baseURL: api.url, adapter });
    whenDone(auth.attach(http));
    await http.get('/x');
    const call = http.get('/x');
    expect(sent).toBe(2);
    await call;
  });

  it('the reason for a refusal in the errors of the SDK too', async () => {
    await auth.signIn();
    api.on('/api/me', (_, response) => sendJson(response, 401, { message: 'Invalid or expired API token' }));
    const error = await auth.sdk.authentication.getLoggedInUser().catch((error) => error);
    expect(apiRefusal(error)).toMatchObject({ authCode: 'ERR_AUTH_TOKEN_REFUSED' });
  });

  it('a status below 300 as it is, one of 300 too', async () => {
    api.on('/choices', (_, response) => sendJson(response, 300, { choices: [] }));
    expect((await auth.http.get('/choices', { validateStatus: null })).status).toBe(300);
  });
});

it('an answer that says nothing of the credential does not prove that refreshing helps', async () => {
  const session = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await session.signIn();
  api.on('/never', (_, response) => sendJson(response, 401, { message: 'authorization token is not valid.' }));
  api.on('/gone', (_, response) => sendJson(response, 410, {}));
  const get = (path: string) => session.http.get(path, { validateStatus: null });
  await get('/never');
  expect(api.to('/api/token/refresh')).toHaveLength(1);
  await get('/gone');
  await get('/never');
  expect(api.to('/api/token/refresh')).toHaveLength(1);
});

it('a refused upload that cannot be sent again renews the credential for the calls after it', async () => {
  const session = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await session.signIn();
  api.expire();
  const refreshed = new Promise((resolve) => session.on('refreshed', resolve));
  const upload = session.http.post('/upload', Readable.from(['a', 'b']), { validateStatus: null });
  expect((await upload).status).toBe(401);
  await refreshed;
  await new Promise(setImmediate); // it is told just before it counts
  await session.http.get('/x');
  expect(api.to('/upload')).toHaveLength(1);
  expect(api.to('/x')).toMatchObject([{ authorized: true }]);
});

it('a request without body, null that is, is sent again like any other', async () => {
  const session = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await session.signIn();
  api.expire();
  expect((await session.http.post('/x', null)).status).toBe(200);
  expect(api.to('/x')).toMatchObject([{ authorized: false }, { authorized: true }]);
});

it("a credential's own header takes the place of the caller's, in whatever letter case", async () => {
  const signIn = async () => Credential.headers({ 'x-tenant-key': 'ours', 'x-api-key': api.apiToken });
  const strategies = [{ name: 'two headers', missing: () => [], signIn }];
  const custom = openAuth({ config: { url: api.url }, strategies });
  await custom.http.get('/x', { headers: { 'X-Tenant-Key': 'theirs', 'X-Other': 'kept' } });
  expect(api.to('/x')).toMatchObject([{ headers: { 'x-tenant-key': 'ours', 'x-other': 'kept' } }]);
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['a text', 'broken'],
  ['no error, with an answer', { response: { status: 401 } }],
  ['an error whose answer has no status', Object.assign(new Error('broken'), { response: {} })],
])('what an adapter of somebody else fails with is handed on: %s', async (_, thrown) => {
  const http = axios.create({ baseURL: api.url, adapter: () => Promise.reject(thrown) });
  whenDone(auth.attach(http));
  const failure = await http.get('/x').then(
    () => 'no failure',
    (error) => ({ error }),
  );
  expect(failure).toEqual({ error: thrown });
});
