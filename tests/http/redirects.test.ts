import { Agent as TlsAgent } from 'node:https';
import { beforeEach, describe, expect, it } from '@jest/globals';
import axios, { type AxiosAdapter } from 'axios';
import { isAuthError, type QelosAuth } from '../../src';
import { type Backend, startBackend } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { handles, openAuth, ways } from '../support/ways';

const STATUSES = [301, 302, 303, 307, 308];
/** Built on axios' own, as adapters of others are; it leaves following to whoever calls it. */
const customAdapter: AxiosAdapter = (config) => axios.getAdapter('http')(config);

const allWays = [
  ...ways,
  ...handles,
  {
    name: 'auth.http with a custom adapter',
    open: (options: Parameters<typeof openAuth>[0]) =>
      openAuth({ ...options, axios: { ...options.axios, adapter: customAdapter } }),
    send: (ways[0] as (typeof ways)[number]).send,
  },
];

const redirect = (api: Backend, path: string, status: number, location: string) =>
  api.on(path, (_, response) => void response.writeHead(status, { location }).end());

const failure = (call: Promise<unknown>) =>
  call.then(
    (value) => ({ resolved: value }),
    (error: unknown) => error,
  );

describe.each(allWays)('redirects, through $name', ({ name, open, send }) => {
  /** Nobody here can renew somebody else's credential. */
  const whereRenewed = name.startsWith('auth.actingFor') ? it.skip : it;
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    auth = open({ config: { url: api.url, apiToken: api.apiToken } });
    await auth.signIn();
  });

  describe.each(STATUSES)('F01: a %i to another origin', (status) => {
    it('is not followed: the other port gets no request', async () => {
      const other = await startBackend();
      redirect(api, '/moved', status, `${other.url}/there?x=1`);
      for (const method of ['GET', 'POST']) {
        const error = await failure(send(auth, { path: '/moved', method, ...(method === 'POST' && { body: '{}' }) }));
        expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: status });
        expect(isAuthError(error)).toBe(true);
        // A location may hold a secret of its own.
        expect((error as Error).message).toContain(other.url);
        expect((error as Error).message).not.toContain('there');
      }
      expect(other.received).toEqual([]);
      expect(api.to('/moved')).toHaveLength(2);
    });

    it.each([
      ['another host', (port: number) => `http://localhost:${port}/there`],
      ['a sub-domain', (port: number) => `http://api.localhost:${port}/there`],
      ['another scheme', (port: number) => `https://127.0.0.1:${port}/there`],
      ['the same host by //', (port: number) => `//localhost:${port}/there`],
      ['userinfo', (port: number) => `http://user:pass@127.0.0.1:${port}/there`],
      ['no http at all', () => 'file:///etc/hostname'],
    ])('is not followed to %s', async (_, location) => {
      redirect(api, '/moved', status, location(api.port));
      expect(await failure(send(auth, { path: '/moved' }))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
      expect(api.to('/there')).toEqual([]);
    });
  });

  whereRenewed('F03: is followed with the credential of that moment, if it was renewed meanwhile', async () => {
    const bearer = open({ config: { url: api.url, username: api.username, password: api.password } });
    await bearer.signIn();
    api.on('/moved', async (_, response) => {
      api.expire();
      await send(bearer, { path: '/another' }); // renews
      response.writeHead(302, { location: '/there' }).end();
    });
    expect(await send(bearer, { path: '/moved' })).toMatchObject({ status: 200 });
    expect(api.to('/there').map(({ authorized }) => authorized)).toEqual([true]);
  });

  it('F01: is not followed by way of a second redirect either', async () => {
    const other = await startBackend();
    redirect(api, '/first', 302, '/second');
    redirect(api, '/second', 302, `${other.url}/there`);
    expect(await failure(send(auth, { path: '/first' }))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
    expect(other.received).toEqual([]);
  });

  describe.each(STATUSES)('F03: a %i inside the origin', (status) => {
    it.each(['/there?x=1', './there?x=1', 'absolute'])('is followed with the credential (%s)', async (location) => {
      redirect(api, '/moved', status, location === 'absolute' ? `${api.url}/there?x=1` : location);
      expect(await send(auth, { path: '/moved' })).toMatchObject({ status: 200, data: { ok: true } });
      expect(api.to('/there')).toMatchObject([{ method: 'GET', url: '/there?x=1', authorized: true }]);
    });

    const keeps = status === 307 || status === 308;
    it(`turns ${keeps ? 'no POST' : 'a POST'} into a GET`, async () => {
      redirect(api, '/moved', status, '/there');
      const body = '{"a":"ü"}';
      await send(auth, { path: '/moved', method: 'POST', body, headers: { 'content-type': 'application/json' } });
      const [there] = api.to('/there');
      expect(there).toMatchObject({ method: keeps ? 'POST' : 'GET', authorized: true });
      expect(there?.body.toString()).toBe(keeps ? body : '');
      if (!keeps) expect(Object.keys(there?.headers ?? {})).not.toContain('content-type');
    });

    it('turns a PUT into a GET only for 303', async () => {
      redirect(api, '/moved', status, '/there');
      await send(auth, { path: '/moved', method: 'PUT', body: 'x' });
      expect(api.to('/there')).toMatchObject([{ method: status === 303 ? 'GET' : 'PUT' }]);
    });
  });

  it('F03: gives up on a circle', async () => {
    redirect(api, '/round', 302, '/round');
    expect(await failure(send(auth, { path: '/round' }))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
    expect(api.to('/round')).toHaveLength(21);
  });

  whereRenewed('F03: gets over a 401 behind a redirect', async () => {
    auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    await auth.signIn();
    api.expire();
    redirect(api, '/moved', 307, '/there');
    const body = '{"a":1}';
    const answer = await send(auth, {
      path: '/moved',
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer).toMatchObject({ status: 200 });
    expect(api.to('/there').map(({ authorized, body }) => [authorized, body.toString()])).toEqual([
      [false, body],
      [true, body],
    ]);
    expect(api.to('/moved')).toHaveLength(1);
    expect(api.to('/api/token/refresh')).toHaveLength(1);
  });
});

describe('redirects, https', () => {
  it('F01: a redirect from https to http of the same host is not followed', async () => {
    const tls = await selfSigned();
    const api = await startBackend({ tls });
    const plain = await startBackend();
    const httpsAgent = new TlsAgent({ ca: tls.cert });
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { httpsAgent } });
    expect((await auth.http.get('/fine')).data).toMatchObject({ ok: true });
    for (const status of STATUSES) {
      redirect(api, '/moved', status, `${plain.url}/there`);
      expect(await failure(auth.http.get('/moved'))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
      expect(await failure(auth.fetch('/moved'))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
    }
    expect(plain.received).toEqual([]);
    httpsAgent.destroy();
  });
});

describe('redirects, as axios has them', () => {
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  });

  it('F03: hands out the redirect itself with maxRedirects: 0', async () => {
    redirect(api, '/moved', 302, 'https://elsewhere.example/file');
    const error = await failure(auth.http.get('/moved', { maxRedirects: 0 }));
    expect(error).toMatchObject({
      response: { status: 302, headers: { location: 'https://elsewhere.example/file' } },
    });
    const response = await auth.http.get('/moved', { maxRedirects: 0, validateStatus: null });
    expect(response.status).toBe(302);
  });

  it('F03: follows at most maxRedirects', async () => {
    redirect(api, '/a', 302, '/b');
    redirect(api, '/b', 302, '/c');
    expect((await auth.http.get('/a', { maxRedirects: 2 })).status).toBe(200);
    expect(await failure(auth.http.get('/a', { maxRedirects: 1 }))).toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
  });

  it('F03: shows where the answer came from, and the request as its caller wrote it', async () => {
    redirect(api, '/moved', 302, '/there?x=1');
    const response = await auth.http.get('/moved', { params: { y: 2 } });
    expect(response.request.res.responseUrl).toBe(`${api.url}/there?x=1`);
    expect(response.config).toMatchObject({ url: '/moved', params: { y: 2 }, baseURL: api.url });
    expect(api.to('/there')).toMatchObject([{ url: '/there?x=1' }]); // and not y once more
  });

  it('F03: does not send a stream again for a 307', async () => {
    redirect(api, '/moved', 307, '/there');
    const { Readable } = await import('node:stream');
    const error = await failure(auth.http.post('/moved', Readable.from(['abc'])));
    expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: 307 });
    expect(api.to('/there')).toEqual([]);
  });

  it.each([301, 302, 303])('F03: leaves a HEAD what it is, and a GET its headers, at a %i', async (status) => {
    redirect(api, '/moved', status, '/there');
    await auth.http.head('/moved');
    await auth.http.get('/moved', { headers: { 'content-language': 'de' } });
    expect(api.to('/there')).toMatchObject([
      { method: 'HEAD' },
      { method: 'GET', headers: { 'content-language': 'de' } },
    ]);
  });

  it.each([
    [300, '/there'],
    [304, '/there'],
    [302, undefined],
  ])('F03: a %i to %s is an answer like any other', async (status, location) => {
    api.on('/moved', (_, response) => response.writeHead(status, location === undefined ? {} : { location }).end());
    expect(await failure(auth.http.get('/moved'))).toMatchObject({ response: { status } });
    expect(api.to('/there')).toEqual([]);
  });

  it('F01: names what it did not follow, where that has no host too', async () => {
    redirect(api, '/moved', 302, 'data:text/plain,x');
    const error = await failure(auth.http.get('/moved'));
    expect(error).toMatchObject({ message: expect.stringContaining('to another scheme was not followed') });
    expect(error).toMatchObject({ retryable: false });
  });

  it('F03: says so if the location is no URL', async () => {
    redirect(api, '/moved', 302, 'http://[');
    expect(await failure(auth.http.get('/moved'))).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: 302 });
  });

  it('F03: lets follow-redirects have requests that are not for the origin', async () => {
    const other = await startBackend({ other: (_, response) => void response.end('fine') });
    redirect(other, '/moved', 302, '/there');
    expect((await auth.http.get(`${other.url}/moved`)).data).toBe('fine');
    expect(other.received.map(({ headers }) => headers['x-api-key'])).toEqual([undefined, undefined]);
  });
});

describe.each([...ways, ...handles])('where a URL leads, through $name', ({ open, send }) => {
  it('F05: a URL that leads elsewhere is sent without the credential, or refused', async () => {
    const api = await startBackend();
    const other = await startBackend();
    const host = `127.0.0.1:${other.port}`;
    const auth = open({ config: { url: api.url, apiToken: api.apiToken } });
    await auth.signIn();
    const urls = [
      `http://${host}/absolute`,
      `HTTP://${host}/upper-case-scheme`,
      `http://user:pass@${host}/userinfo`,
      `http://${new URL(api.url).host}@${host}/userinfo-like-ours`,
      `//${host}/protocol-relative`,
      `\\\\${host}\\backslash`,
      `/\\${host}/slash-backslash`,
      `http:\\\\${host}\\scheme-backslash`,
      `http:/${host}/one-slash`,
      `http:${host}/no-slash`,
      ` http://${host}/leading-blank`,
      `\thttp://${host}/leading-tab`,
      `ht\ttp://${host}/tab-inside`,
      `\nhttp://${host}/leading-line-end`,
      `@${host}/at-sign`,
      `:80@${host}/port-at-sign`,
      `.${host}/dot`,
      `/../../${host}/dots`,
    ];
    for (const path of urls) await failure(send(auth, { path }));
    for (const { url, headers } of other.received) {
      expect([url, headers['x-api-key'], headers.authorization?.includes(api.apiToken) ?? false]).toEqual([
        url,
        undefined,
        false,
      ]);
    }
  });

  it('F05: a URL of ours with userinfo is sent without the credential, or refused', async () => {
    const api = await startBackend();
    const auth = open({ config: { url: api.url, apiToken: api.apiToken } });
    await auth.signIn();
    await failure(send(auth, { path: `http://user:pass@127.0.0.1:${api.port}/userinfo` }));
    expect(api.to('/userinfo').filter(({ headers }) => headers['x-api-key'])).toEqual([]);
  });
});

describe('F06: interceptors that change where a request leads', () => {
  let api: Backend;
  let other: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    other = await startBackend({ other: (_, response) => void response.end('fine') });
    auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  });

  it.each([
    ['baseURL', () => ({ baseURL: other.url })],
    ['url', () => ({ url: `${other.url}/x` })],
    ['a protocol-relative url', () => ({ baseURL: '', url: `//127.0.0.1:${other.port}/x` })],
    [
      'baseURL, with allowAbsoluteUrls: false',
      () => ({ baseURL: other.url, url: `${api.url}/x`, allowAbsoluteUrls: false }),
    ],
  ])('to another origin by %s take the credential off', async (_, change) => {
    for (const synchronous of [true, false]) {
      const id = auth.http.interceptors.request.use((config) => Object.assign(config, change()), null, { synchronous });
      await failure(auth.http.get('/x'));
      auth.http.interceptors.request.eject(id);
    }
    expect(JSON.stringify([...other.received, ...api.to('/x')].map(({ headers }) => headers))).not.toContain(
      api.apiToken,
    );
  });

  it('back to the origin put it on', async () => {
    auth.http.interceptors.request.use((config) => Object.assign(config, { baseURL: api.url, url: '/x' }));
    expect((await auth.http.get(`${other.url}/y`)).status).toBe(200);
    expect(other.received).toEqual([]);
    expect(api.to('/x')).toMatchObject([{ authorized: true }]);
  });
});
