import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AxiosRequestConfig } from 'axios';
import { isAuthError, type QelosAuth } from '../../src';
import { Origin, resolveUrl } from '../../src/http/origin';
import { type Backend, startBackend } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { startProxy } from '../support/proxy';
import { impersonating, openAuth, ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('what leads to the origin', () => {
  const base = 'https://qelos.test';
  const origin = new Origin(base);

  it.each([
    ['https://qelos.test/x', true],
    ['HTTPS://QELOS.test:443/x', true],
    ['http://qelos.test/x', false],
    ['https://qelos.test:444/x', false],
    ['https://user@qelos.test/x', false],
    ['https://:password@qelos.test/x', false],
    ['/x', false],
    ['', false],
  ])('%s: %p', (url, owned) => {
    expect(origin.owns(url)).toBe(owned);
  });

  it.each<[AxiosRequestConfig, boolean]>([
    [{ baseURL: base }, true],
    [{ baseURL: base, url: '/x' }, true],
    [{ baseURL: base, url: 'https://elsewhere.test/' }, false],
    [{ baseURL: base, url: 'https://elsewhere.test/', allowAbsoluteUrls: false }, true],
    [{ baseURL: 'https://elsewhere.test', url: '/x' }, false],
    [{ baseURL: 'https://elsewhere.test', url: 'https://qelos.test/x' }, true],
    [{ url: 'https://qelos.test/x' }, true],
    [{ url: '/x' }, false],
    [{ url: 'https://qelos.test/x', socketPath: '/socket' }, false],
  ])('as an adapter would send %j: %p', (config, owned) => {
    expect(origin.ownsRequest(config)).toBe(owned);
  });

  it('is not what axios cannot make a URL of', () => {
    const paramsSerializer = () => {
      throw new RangeError('no parameters');
    };
    const config = { url: '/x', params: { a: 1 }, paramsSerializer } as AxiosRequestConfig;
    expect(resolveUrl(config)).toBe('');
    expect(origin.ownsRequest(config)).toBe(false);
  });
});

describe.each([...ways, impersonating])('the headers a caller sets, through $name', ({ name: way, open, send }) => {
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    await auth.signIn();
  });

  it.each([
    ['x-api-key', 'ql_other'],
    ['X-API-Key', 'ql_other'],
    ['authorization', 'Basic other'],
    ['AUTHORIZATION', 'Bearer other'],
    ['cookie', 'qlt_0=other'],
    ['Cookie', 'token=other'],
  ])('F18: drops %s, which the server would prefer', async (name, value) => {
    expect(await send(auth, { path: '/x', headers: { [name]: value } })).toMatchObject({ status: 200 });
    const { headers } = api.to('/x')[0] as { headers: IncomingHttpHeaders };
    expect(headers).toMatchObject({ authorization: `Bearer ${api.secrets['access1']}` });
    expect([headers['x-api-key'], headers.cookie]).toEqual([undefined, undefined]);
  });

  it('F18: keeps the others', async () => {
    const asLong = { from: 'me', 'x-request': '7', 'x-correlation': '8' }; // as the names that matter
    const headers = { accept: 'text/plain', 'X-Api-Keys': 'mine', 'user-agent': 'plugin/1', ...asLong };
    await send(auth, { path: '/x', headers });
    expect(api.to('/x')[0]?.headers).toMatchObject({
      ...asLong,
      accept: 'text/plain',
      'x-api-keys': 'mine',
      'user-agent': 'plugin/1',
    });
  });

  // The SDK's paths all begin at the base URL.
  if (way === 'auth.sdk') return;
  it('puts the credential on an absolute URL of the origin too', async () => {
    await send(auth, { path: `${api.url}/x` });
    await send(auth, { path: `${api.url.replace('http', 'HTTP')}/x` });
    expect(api.to('/x').map(({ authorized }) => authorized)).toEqual([true, true]);
  });
});

describe('what an axios request can ask for', () => {
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  });

  it('F18: skipAuth sends a request as it was written, and signs nobody in', async () => {
    const headers = { authorization: 'Bearer mine', cookie: 'a=b', 'x-api-key': 'key' };
    await failure(auth.http.get('/x', { skipAuth: true, headers }));
    expect(api.received).toMatchObject([{ url: '/x', headers }]);
    await failure(auth.http.get('/y', { skipAuth: true }));
    expect(api.to('/y')[0]?.headers).not.toHaveProperty('x-api-key');
    expect(api.to('/api/me')).toEqual([]);
  });

  it.each(['authorization', 'AUTHORIZATION'])('F18: drops %s beside an API token too', async (name) => {
    await auth.http.get('/x', { headers: { [name]: 'Bearer other' } });
    expect(api.to('/x')[0]?.headers).toMatchObject({ 'x-api-key': api.apiToken });
    expect(api.to('/x')[0]?.headers).not.toHaveProperty('authorization');
  });

  it('drops what config.auth would put in the place of the credential', async () => {
    const response = await auth.http.get('/x', { auth: { username: 'u', password: 'p' } });
    expect(api.to('/x')[0]?.headers).toMatchObject({ 'x-api-key': api.apiToken });
    expect(api.to('/x')[0]?.headers).not.toHaveProperty('authorization');
    expect(response.config.auth).toEqual({ username: 'u', password: 'p' });
  });

  it('leaves config.auth and the rest of the config as it was, whatever the answer', async () => {
    api.on('/bad', (_, response) => response.writeHead(500).end());
    const wanted = {
      auth: { username: 'u', password: 'p' },
      maxRedirects: 3,
      timeout: 5_000,
      headers: { 'X-Mine': '1' },
    };
    const ok = await auth.http.get('/x', wanted);
    const error = (await failure(auth.http.get('/bad', wanted))) as { config: typeof ok.config };
    for (const config of [ok.config, error.config]) {
      expect(config).toMatchObject({ auth: wanted.auth, maxRedirects: 3, timeout: 5_000, baseURL: api.url });
      expect(config.headers.get('x-mine')).toBe('1');
      expect('proxy' in config).toBe(false);
      expect(config.headers.has('x-api-key')).toBe(false);
    }
  });

  it.each(['evil.example', '127.0.0.1', '127.0.0.1:1', ''])(
    'F09: refuses the foreign Host header "%s"',
    async (host) => {
      await auth.signIn();
      for (const name of ['Host', 'host', 'HOST']) {
        const error = await failure(auth.http.get('/x', { headers: { [name]: host } }));
        expect(isAuthError(error) && error.code).toBe('ERR_AUTH_INSECURE_URL');
      }
      expect(api.to('/x')).toEqual([]);
    },
  );

  it('F09: refuses it before the first sign-in as well', async () => {
    const error = await failure(auth.http.get('/x', { headers: { host: 'evil.example' } }));
    expect(error).toMatchObject({ code: 'ERR_AUTH_INSECURE_URL' });
  });

  it('F09: accepts a Host header that is the origin', async () => {
    const { host } = new URL(api.url);
    expect((await auth.http.get('/x', { headers: { Host: host } })).status).toBe(200);
    const named = openAuth({ config: { url: api.url.replace('127.0.0.1', 'localhost'), apiToken: api.apiToken } });
    const upper = { headers: { Host: `LOCALHOST:${api.port}` } };
    expect((await named.http.get('/x', upper)).status).toBe(200);
  });

  it.each([null, false, undefined])('F09: accepts %p in its place, which stands for none', async (none) => {
    expect((await auth.http.get('/x', { headers: { Host: none } as never })).status).toBe(200);
  });

  it('F09: sends no credential through a socket of somebody else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qelos-auth-'));
    whenDone(() => rmSync(folder, { recursive: true, force: true }));
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers);
      response.end('{}');
    });
    const socketPath = join(folder, 'socket');
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    whenDone(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    await auth.signIn();
    const { data } = await auth.http.get('/x', { socketPath });
    expect(data).toEqual({});
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain(api.apiToken);
  });

  it('F09: sends a readable credential through no proxy that a request names', async () => {
    const proxy = await startProxy();
    const { status } = await auth.http.get('/x', { proxy: { protocol: 'http', host: '127.0.0.1', port: proxy.port } });
    expect(status).toBe(200);
    expect(proxy.seen).toEqual([]);
    expect(api.to('/x')).toMatchObject([{ authorized: true }]);
  });

  it('keeps to the path of the base URL', async () => {
    auth = openAuth({ config: { url: `${api.url}/tenant/`, apiToken: api.apiToken } });
    await auth.signIn();
    await auth.http.get('x');
    await auth.http.get('/y');
    expect(api.received.map(({ url }) => url)).toEqual(['/tenant/api/me', '/tenant/x', '/tenant/y']);
  });
});

describe.each(ways)('proxies of the environment, through $name', ({ name, open, send }) => {
  const setEnvironment = (values: Record<string, string>) => {
    const names = [
      'HTTP_PROXY',
      'http_proxy',
      'HTTPS_PROXY',
      'https_proxy',
      'NO_PROXY',
      'no_proxy',
      'ALL_PROXY',
      'all_proxy',
    ];
    const old = { ...process.env };
    for (const variable of names) delete process.env[variable];
    Object.assign(process.env, values);
    whenDone(() => {
      for (const variable of names) {
        if (old[variable] === undefined) delete process.env[variable];
        else process.env[variable] = old[variable];
      }
    });
  };

  it('F43: HTTP_PROXY sees nothing of requests to a plain loopback base, nor of sign-ins', async () => {
    const proxy = await startProxy();
    setEnvironment({ HTTP_PROXY: proxy.url, http_proxy: proxy.url });
    const api = await startBackend();
    const auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    expect(await send(auth, { path: '/x' })).toMatchObject({ status: 200, data: { ok: true } });
    api.expire();
    expect(await send(auth, { path: '/x' })).toMatchObject({ status: 200, data: { ok: true } });
    expect(proxy.seen).toEqual([]);
  });

  // undici takes no proxy from the environment, and no certificates from an agent of axios'.
  if (name.includes("'fetch'")) return;
  it('F44: CONNECT to HTTPS_PROXY carries no credential', async () => {
    const proxy = await startProxy();
    setEnvironment({ HTTPS_PROXY: proxy.url, https_proxy: proxy.url });
    const tls = await selfSigned();
    const api = await startBackend({ tls });
    const httpsAgent = new TlsAgent({ ca: tls.cert });
    whenDone(() => httpsAgent.destroy());
    const auth = open({
      config: { url: api.url, username: api.username, password: api.password },
      axios: { httpsAgent },
    });
    await auth.signIn();
    const signedIn = proxy.seen.length;
    expect(signedIn).toBeGreaterThan(0);
    expect(await send(auth, { path: '/x' })).toMatchObject({ status: 200, data: { ok: true } });
    expect(proxy.seen.length).toBeGreaterThan(signedIn);
    for (const text of proxy.seen) expect(text).toMatch(/^CONNECT /);
    for (const secret of Object.values(api.secrets)) expect(proxy.seen.join('\n')).not.toContain(secret);
  });
});
