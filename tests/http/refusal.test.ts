import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import axios, { type AxiosInstance } from 'axios';
import { apiRefusal, Credential, type QelosAuth, TenantAuth } from '../../src';
import { refusalOf } from '../../src/http/fetch';
import { type QelosServer, type QelosServerOptions, startQelosServer } from '../../src/testing';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { openAuth, ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const REFRESH = '/api/token/refresh';
const SIGN_IN = '/api/signin';
const ME = '/api/me';

async function started(options: QelosServerOptions = {}): Promise<QelosServer> {
  const server = await startQelosServer(options);
  whenDone(() => server.close());
  return server;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );

const refusalIn = async (promise: Promise<unknown>) => {
  const error = await failure(promise);
  return { status: (error as { response?: { status: number } }).response?.status, ...apiRefusal(error) };
};

interface Settings {
  username?: string;
  password?: string;
  apiToken?: string;
}

/** The second user, a plain one, with each kind of credential. */
const KINDS: readonly { kind: string; settings(server: QelosServer): Settings }[] = [
  {
    kind: 'a password',
    settings: ({ users }) => ({ username: users[1]?.username ?? '', password: users[1]?.password ?? '' }),
  },
  {
    kind: 'a token',
    settings: (server) => ({ apiToken: server.issueApiToken({ username: server.users[1]?.username ?? '' }) }),
  },
];

/** What Qelos answers with 401 though the credential is good. */
const WEATHER: readonly {
  name: string;
  path: string;
  authCode: string;
  hint: RegExp;
  most: number;
  begin?(server: QelosServer): () => void;
}[] = [
  { name: 'a wrong path', path: '/api/nobody/x', authCode: 'ERR_AUTH_FORBIDDEN', hint: /path/, most: 0 },
  {
    name: 'a missing role',
    path: '/api/integrations',
    authCode: 'ERR_AUTH_FORBIDDEN',
    hint: /role.*path.*service/s,
    most: 1,
  },
  {
    name: 'an auth service that is down behind the gateway',
    path: '/api/blueprints/book/entities',
    authCode: 'ERR_AUTH_UNAVAILABLE',
    hint: /auth service/,
    most: 1,
    begin: (server) => server.stopAuthService(),
  },
  {
    name: 'a frozen database',
    path: '/api/blueprints/book/entities',
    authCode: 'ERR_AUTH_UNAVAILABLE',
    hint: /database/,
    most: 1,
    begin: (server) => server.freezeDatabase(),
  },
];

/** Refreshes, sign-ins and questions since the last reset. */
const costOf = (server: QelosServer) => ({
  renewals: server.requests.count({ path: REFRESH }) + server.requests.count({ path: SIGN_IN }),
  asked: server.requests.count({ path: ME }),
});

describe.each(WEATHER)('W05: $name', ({ path, authCode, hint, most, begin }) => {
  describe.each(KINDS)('with $kind', ({ settings }) => {
    it.each(ways)(
      'costs no renewal, through $name',
      async ({ open, send }) => {
        const server = await started();
        const auth = open({ config: { url: server.url, ...settings(server) } });
        expect((await send(auth, { path: ME })).status).toBe(200);
        const end = begin?.(server);
        server.requests.reset();
        const crowd = Array.from({ length: 20 }, () => send(auth, { path }));
        for (const { status } of await Promise.all(crowd)) expect(status).toBe(401);
        for (let call = 0; call < 5; call++) expect((await send(auth, { path })).status).toBe(401);
        expect(costOf(server).renewals).toBe(0);
        expect(costOf(server).asked).toBeLessThanOrEqual(most);
        expect(server.requests.count({ path })).toBeLessThanOrEqual(most === 0 ? 25 : 50);
        end?.();
        expect((await send(auth, { path: ME })).status).toBe(200);
        expect(costOf(server).renewals).toBe(0);
      },
      30_000,
    );

    it('says what it can be', async () => {
      const server = await started();
      const auth = openAuth({ config: { url: server.url, ...settings(server) } });
      await auth.http.get(ME);
      begin?.(server);
      const refusal = await refusalIn(auth.http.get(path));
      expect(refusal.status).toBe(401);
      expect(refusal.authCode).toBe(authCode);
      expect(refusal.hint).toMatch(hint);
    }, 30_000);

    it('costs no renewal through an attached instance and a tenant, whose handles share what was found out', async () => {
      const server = await started();
      const config = { url: server.url, ...settings(server) };
      const auth = openAuth({ config });
      const attached = axios.create({ baseURL: server.url });
      auth.attach(attached);
      const tenants = new TenantAuth(async () => config);
      whenDone(() => tenants.close());
      const clients: (() => Promise<AxiosInstance>)[] = [
        async () => attached,
        async () => (await tenants.for('a')).http,
      ];
      for (const client of clients) await (await client()).get(ME);
      begin?.(server);
      server.requests.reset();
      for (const client of clients) {
        for (let call = 0; call < 3; call++) {
          expect(await refusalIn((await client()).get(path))).toMatchObject({ status: 401, authCode });
        }
      }
      expect(costOf(server).renewals).toBe(0);
      expect(costOf(server).asked).toBeLessThanOrEqual(2 * most);
    }, 30_000);
  });
});

describe('W05: the question to the auth service', () => {
  async function signedIn(strategy = false): Promise<{ api: Backend; auth: QelosAuth }> {
    const api = await startBackend();
    const { url, username, password } = api;
    const isRejected = ({ status }: { status: number }) => status === 401;
    const own = { name: 'own', missing: () => [], signIn: async () => Credential.apiKey(api.apiToken), isRejected };
    const auth = strategy
      ? openAuth({ config: { url }, strategies: [own] })
      : openAuth({ config: { url, username, password } });
    await auth.http.get('/y');
    return { api, auth };
  }

  it('serves a call that the gateway has passed on as anonymous', async () => {
    const { api, auth } = await signedIn();
    api.on('/x', (_, response) => (api.to('/x').length > 1 ? false : response.writeHead(401).end()));
    expect((await auth.http.post('/x', 'a')).status).toBe(200);
    expect(api.to('/x')).toHaveLength(2);
    expect(api.to(ME)).toHaveLength(1);
    expect(api.to(REFRESH)).toHaveLength(0);
  });

  it('finds out that the credential has ended, and renews it', async () => {
    const { api, auth } = await signedIn();
    api.on('/x', ({ authorized }, response) => (authorized ? false : response.writeHead(401).end()));
    api.expire();
    const answers = await Promise.all(Array.from({ length: 20 }, () => auth.http.get('/x')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(api.to(ME)).toHaveLength(1);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('is not needed where nobody answers it and the life of the credential may be over: that is renewed', async () => {
    const api = await startBackend();
    const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url');
    const iat = Math.floor(Date.now() / 1_000);
    let signIns = 0;
    const signIn = async () =>
      Credential.bearer(`${part({ alg: 'HS256' })}.${part({ iat, exp: iat + 1, sub: ++signIns })}.x`);
    const auth = openAuth({ config: { url: api.url }, strategies: [{ name: 'own', missing: () => [], signIn }] });
    api.on(ME, (_, response) => response.writeHead(503).end());
    api.on('/x', (_, response) => response.writeHead(api.to('/x').length === 2 ? 401 : 200).end());
    await auth.http.get('/x');
    expect((await auth.http.get('/x')).status).toBe(200);
    expect([signIns, api.to(ME).length, api.to('/x').length]).toEqual([2, 1, 3]);
  });

  it('is not put where a strategy judges by itself', async () => {
    const { api, auth } = await signedIn(true);
    api.on('/x', (_, response) => response.writeHead(401).end());
    await failure(auth.http.get('/x'));
    expect(api.to(ME)).toHaveLength(0);
  });

  it('leaves the answer to the call where a strategy, whosever it is, has nothing to renew', async () => {
    const api = await startBackend();
    for (const path of ['/x', ME]) api.on(path, (_, response) => void response.writeHead(401).end());
    let signIns = 0;
    const signIn = async () => Credential.apiKey(`ql_${++signIns}`);
    const strategy = { name: 'own', isConfigured: true, isFinal: true, signIn, isRejected: () => true } as const;
    const { http } = openAuth({ config: { url: api.url }, strategies: [strategy] });
    expect(await refusalIn(http.get('/x'))).toMatchObject({ status: 401, authCode: 'ERR_AUTH_TOKEN_REFUSED' });
    expect([signIns, api.to('/x').length, api.to(ME).length]).toEqual([1, 1, 1]);
  });

  it('leaves a call with a time-out the time to hand out its answer', async () => {
    const { api, auth } = await signedIn();
    api.on('/x', (_, response) => response.writeHead(401).end());
    api.on(ME, () => undefined); // never answered
    expect(await refusalIn(auth.http.get('/x', { timeout: 2_000 }))).toMatchObject({
      status: 401,
      authCode: 'ERR_AUTH_UNAVAILABLE',
    });
    expect(api.to(REFRESH)).toHaveLength(0);
  });

  it('is signed by a strategy that signs', async () => {
    const api = await startBackend();
    const strategy = {
      name: 'signing',
      missing: () => [],
      signIn: async () => Credential.headers({ 'x-key': 'k' }),
      authorize: (request: { headers: { set(name: string, value: string): void } }) =>
        request.headers.set('x-api-key', api.apiToken),
    };
    const auth = openAuth({ config: { url: api.url }, strategies: [strategy] });
    api.on('/x', (_, response) => response.writeHead(401).end());
    expect(await refusalIn(auth.http.get('/x'))).toMatchObject({ authCode: 'ERR_AUTH_FORBIDDEN' });
    expect(api.to(ME).map(({ authorized }) => authorized)).toEqual([true]);
  });

  it('has an upload say that it was not sent again', async () => {
    const { api, auth } = await signedIn();
    api.expire();
    const refusal = await refusalIn(auth.http.post('/x', Readable.from(['content'])));
    expect(refusal).toMatchObject({ status: 401, authCode: 'ERR_AUTH_SESSION_REFUSED' });
    expect(refusal.hint).toMatch(/not sent again/);
    expect(refusal.hint).not.toMatch(/fresh session/);
    expect(api.to('/x')).toHaveLength(1);
  });
});

/** What a refused call can be, by what is answered to it. */
const REFUSALS: readonly { name: string; status?: number; body?: object; authCode: string }[] = [
  { name: 'a missing role', body: { message: 'you are not privileged.' }, authCode: 'ERR_AUTH_FORBIDDEN' },
  { name: 'a missing permission', status: 403, body: { message: 'no' }, authCode: 'ERR_AUTH_FORBIDDEN' },
  { name: 'a wrong path', body: { message: 'plugin not exist' }, authCode: 'ERR_AUTH_FORBIDDEN' },
  { name: 'one of these, without a word', authCode: 'ERR_AUTH_FORBIDDEN' },
  { name: 'a refused token', body: { message: 'Invalid or expired API token' }, authCode: 'ERR_AUTH_TOKEN_REFUSED' },
  { name: 'a deploy', body: { message: 'API token authentication failed' }, authCode: 'ERR_AUTH_UNAVAILABLE' },
];

describe.each(REFUSALS)('W05: $name', ({ status = 401, body, authCode }) => {
  it('is explained alike through every way; what explains it travels with the answer', async () => {
    const server = await started();
    const path = '/api/blueprints/book/entities';
    const config = { url: server.url, apiToken: server.issueApiToken() };
    server.fail(path, body ? { status, body } : { status });
    const attached = axios.create({ baseURL: server.url });
    const auth = openAuth({ config });
    whenDone(auth.attach(attached));
    const tenants = new TenantAuth(async () => config);
    whenDone(() => tenants.close());
    const explained = {
      attached: apiRefusal(await failure(attached.get(path))),
      'a stream': apiRefusal(await failure(auth.http.get(path, { responseType: 'stream' }))),
      'the SDK': apiRefusal(await failure(auth.sdk.blueprints.entitiesOf('book').getList())),
      fetch: refusalOf(await auth.fetch(path)),
      'the SDK of a tenant': apiRefusal(
        await failure((await tenants.for('a')).sdk.blueprints.entitiesOf('book').getList()),
      ),
    };
    for (const way of ways.filter(({ name }) => name !== 'auth.fetch' && name !== 'auth.sdk')) {
      Object.assign(explained, { [way.name]: apiRefusal(await failure(way.open({ config }).http.get(path))) });
    }
    const { attached: first } = explained;
    expect(first).toMatchObject({ authCode, hint: expect.any(String) });
    for (const [way, refusal] of Object.entries(explained)) expect([way, refusal]).toEqual([way, first]);
    // Whatever else refuses a call later says nothing of this one.
    const error = await failure(auth.http.get(path));
    await failure(auth.http.get('/api/nobody/x'));
    expect(apiRefusal(error)).toEqual(first);
  });
});

describe('W05: a token from a file that has died', () => {
  it.each(ways)("leaves the API's own 401, with its body, through $name", async ({ open, send }) => {
    const server = await started();
    const folder = await mkdtemp(join(tmpdir(), 'token-'));
    whenDone(() => rm(folder, { recursive: true }));
    const apiTokenFile = join(folder, 'token');
    const token = server.issueApiToken();
    await writeFile(apiTokenFile, token);
    const auth = open({ config: { url: server.url, apiTokenFile } });
    expect((await send(auth, { path: ME })).status).toBe(200);
    server.revokeApiToken(token);
    for (let call = 0; call < 3; call++) {
      const { status, data } = await send(auth, { path: '/api/users' });
      expect([status, data]).toEqual([401, { message: 'Invalid or expired API token' }]);
    }
    expect(await refusalIn(auth.http.get('/api/users'))).toMatchObject({
      status: 401,
      authCode: 'ERR_AUTH_TOKEN_REFUSED',
    });
    await writeFile(apiTokenFile, server.issueApiToken());
  });
});

describe('a new credential that the server does not know yet', () => {
  /** What was obtained last is refused, everywhere, this many times. */
  async function lagging(refusals: number): Promise<{ api: Backend; auth: QelosAuth }> {
    const api = await startBackend();
    const { url, username, password } = api;
    const auth = openAuth({ config: { url, username, password } });
    await auth.http.get('/y');
    api.expire();
    const lag = (path: string) =>
      api.on(path, (_, response) => {
        if (api.to(REFRESH).length === 0 || api.to('/x').length > 1 + refusals) return false;
        return sendJson(response, 401, { message: 'authorization token is not valid.' });
      });
    lag('/x');
    lag(ME);
    return { api, auth };
  }

  it.each([1, 2])('is sent again %i times, after a pause each, and not renewed again', async (refusals) => {
    const { api, auth } = await lagging(refusals);
    expect((await auth.http.get('/x')).status).toBe(200);
    expect(api.to('/x')).toHaveLength(2 + refusals);
    expect(api.to(REFRESH)).toHaveLength(1);
    expect(api.to(SIGN_IN)).toHaveLength(1);
  });

  it('is given up after the second, and costs no renewal more', async () => {
    const { api, auth } = await lagging(10);
    expect(await refusalIn(auth.http.get('/x'))).toMatchObject({ status: 401, authCode: 'ERR_AUTH_SESSION_REFUSED' });
    expect(api.to('/x')).toHaveLength(4);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('is waited for within the time-out of the call', async () => {
    const { api, auth } = await lagging(10);
    const error = await failure(auth.http.get('/x', { timeout: 600 }));
    expect(error).toMatchObject({ code: 'ECONNABORTED' });
    expect(api.to(REFRESH)).toHaveLength(1);
  });
});
