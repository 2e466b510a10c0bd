import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosAdapter, AxiosError, type InternalAxiosRequestConfig } from 'axios';
import MockAdapter from 'axios-mock-adapter';
import { Credential, type QelosAuth } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { type Backend, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const REFRESH = '/api/token/refresh';
const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('axios-mock-adapter on auth.http', () => {
  let server: QelosServer;
  let auth: QelosAuth;
  let mock: MockAdapter;
  beforeEach(async () => {
    server = await startQelosServer();
    whenDone(() => server.close());
    const { username, password } = server.users[0] as { username: string; password: string };
    auth = openAuth({ config: { url: server.url, username, password } });
    mock = new MockAdapter(auth.http as never);
  });
  const sentBearer = (config: { headers?: object | undefined }) =>
    (config.headers as Record<string, string>)['authorization'];

  it('shows its handlers the credential, and keeps it in the history', async () => {
    let seen: string | undefined;
    mock.onGet('/x').reply((config) => {
      seen = sentBearer(config);
      return [200, { mocked: true }];
    });
    const { status, data } = await auth.http.get('/x');
    expect([status, data]).toEqual([200, { mocked: true }]);
    expect(seen).toMatch(/^Bearer ey/);
    expect(mock.history['get']?.map(sentBearer)).toEqual([seen]);
  });

  it('can match by the credential and by what the caller sent', async () => {
    mock
      .onPost('/x', { a: 1 })
      .reply(({ headers, data }) => [headers?.['x-mine'] === '1' ? 201 : 400, JSON.parse(data)]);
    const { status, data } = await auth.http.post('/x', { a: 1 }, { headers: { 'x-mine': '1' } });
    expect([status, data]).toEqual([201, { a: 1 }]);
  });

  it('is refreshed and replayed once for a mocked 401', async () => {
    mock.onGet('/x').replyOnce(401, { message: 'authorization token is not valid.' }).onGet('/x').reply(200, 'fine');
    expect((await auth.http.get('/x')).data).toBe('fine');
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
    expect(mock.history['get']).toHaveLength(2);
  });

  it('hands out a 401 that stays', async () => {
    mock.onGet('/x').reply(401, { message: 'authorization token is not valid.' });
    const error = await failure(auth.http.get('/x'));
    expect(error).toMatchObject({ response: { status: 401 }, authCode: 'ERR_AUTH_SESSION_REFUSED' });
    expect(mock.history['get']).toHaveLength(2);
  });

  it('mocks network errors and time-outs', async () => {
    mock.onGet('/network').networkError().onGet('/timeout').timeout();
    expect(await failure(auth.http.get('/network'))).toMatchObject({ message: 'Network Error' });
    expect(await failure(auth.http.get('/timeout'))).toMatchObject({ code: 'ECONNABORTED' });
  });

  it('passes through with the credential', async () => {
    mock.onGet('/api/me').passThrough();
    expect((await auth.http.get('/api/me')).data).toMatchObject({ username: server.users[0]?.username });
    server.expireAccessTokens();
    expect((await auth.http.get('/api/me')).status).toBe(200);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
  });

  it('mocks auth.fetch and auth.sdk as well', async () => {
    mock
      .onGet('/x')
      .reply(200, { mocked: 1 })
      .onGet(`${server.url}/api/blocks`)
      .reply(200, [{ _id: 'b' }], { 'content-type': 'application/json' });
    expect(await (await auth.fetch('/x')).json()).toEqual({ mocked: 1 });
    expect(await auth.sdk.blocks.getList()).toEqual([{ _id: 'b' }]);
  });

  it('mocks calls of the SDK by their path alone, whatever their query', async () => {
    const entities = '/api/blueprints/book/entities';
    mock
      .onGet(entities)
      .reply(200, [{ identifier: 'dune' }])
      .onDelete(`${entities}/dune`)
      .reply(204);
    const books = auth.sdk.blueprints.entitiesOf('book');
    expect(await books.getList({ title: 'a b&c', $limit: 2 } as never)).toEqual([{ identifier: 'dune' }]);
    await books.remove('dune', { query: { bypassAdmin: 'true' } } as never);
    expect(mock.history['get']?.[0]?.params).toMatchObject({ title: 'a b&c', $limit: '2' });
    expect(mock.history['delete']?.[0]?.params).toMatchObject({ bypassAdmin: 'true' });
  });

  it('may answer JSON as text without a content type', async () => {
    mock.onGet('/api/blocks').reply(200, '[{"_id":"b"}]').onGet('/api/blocks/b').reply(200, 'no json');
    expect(await auth.sdk.blocks.getList()).toEqual([{ _id: 'b' }]);
    expect(await auth.sdk.blocks.getBlock('b')).toBe('no json');
  });

  it('leaves no credential on what comes out', async () => {
    mock
      .onGet('/ok')
      .reply(200, {})
      .onGet('/bad')
      .reply(500, {})
      .onGet('/refused')
      .reply(401, {})
      .onGet('/api/me')
      .passThrough();
    mock.onGet('/network').networkError();
    const outcomes = [
      await auth.http.get('/ok'),
      await auth.http.get('/api/me'),
      await failure(auth.http.get('/bad')),
      await failure(auth.http.get('/refused')),
      await failure(auth.http.get('/network')),
    ];
    const tokens = (mock.history['get'] ?? []).map((config) => sentBearer(config)?.replace('Bearer ', '') ?? '');
    expect(tokens.every((token) => token.length > 100)).toBe(true);
    for (const outcome of outcomes) expect(leaks(outcome, tokens)).toEqual([]);
  });

  it('gives the instance back on restore', async () => {
    mock.onAny().reply(418);
    mock.restore();
    expect((await auth.http.get('/api/me')).status).toBe(200);
  });
});

describe('adapters of others', () => {
  it('get the request as it is sent, and keep nothing of what is shown', async () => {
    const api = await startBackend();
    const kept: InternalAxiosRequestConfig[] = [];
    const adapter: AxiosAdapter = (config) => {
      kept.push(config);
      return axios.getAdapter('http')(config);
    };
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { adapter } });
    const response = await auth.http.get('/x', { headers: { 'x-mine': '1' } });
    const sent = kept.at(-1) as InternalAxiosRequestConfig;
    expect(sent.headers.get('x-api-key')).toBe(api.apiToken);
    expect(sent.headers.get('x-mine')).toBe('1');
    expect(sent).not.toBe(response.config);
    expect(response.config.headers.has('x-api-key')).toBe(false);
    expect(response.config.adapter).toBe(adapter);
  });

  it('may be set for one request', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    const adapter: AxiosAdapter = async (config) => ({
      data: config.headers.get('x-api-key'),
      status: 200,
      statusText: 'OK',
      headers: {},
      config,
    });
    expect((await auth.http.get('/x', { adapter })).data).toBe(api.apiToken);
    expect((await auth.http.get('https://elsewhere.example/x', { adapter })).data).toBeUndefined();
    expect((await auth.http.get('/x', { adapter, skipAuth: true })).data).toBeUndefined();
  });

  it('may be set by a user interceptor', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    auth.http.interceptors.request.use((config) => {
      config.adapter = async (sent) => ({
        data: sent.headers.get('x-api-key'),
        status: 200,
        statusText: '',
        headers: {},
        config: sent,
      });
      return config;
    });
    expect((await auth.http.get('/x')).data).toBe(api.apiToken);
  });

  it('may answer with a 401 by themselves, thrown or not', async () => {
    const api = await startBackend();
    const { url, username, password } = api;
    for (const thrown of [true, false]) {
      const auth = openAuth({ config: { url, username, password } });
      await auth.signIn();
      let calls = 0;
      const adapter: AxiosAdapter = async (config) => {
        const response = { data: '{"message":"no"}', status: calls++ ? 200 : 401, statusText: '', headers: {}, config };
        if (thrown && response.status === 401) throw new AxiosError('no', 'ERR_BAD_REQUEST', config, {}, response);
        return response;
      };
      expect((await auth.http.get('/x', { adapter })).status).toBe(200);
      expect(calls).toBe(2);
    }
    expect(api.to(REFRESH)).toHaveLength(2);
  });

  it('are asked again when a request is made from the error of one that never got to them', async () => {
    const api = await startBackend();
    const adapter: AxiosAdapter = async (config) =>
      config.url === '/x'
        ? { data: config.headers.get('x-api-key'), status: 200, statusText: '', headers: {}, config }
        : axios.getAdapter('http')(config);
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { adapter } });
    const error = (await failure(auth.http.get('/x', { signal: AbortSignal.abort() }))) as AxiosError;
    const { signal: _, ...config } = error.config as InternalAxiosRequestConfig;
    expect((await auth.http.request(config)).data).toBe(api.apiToken);
    expect(api.to('/x')).toEqual([]);
  });

  it('may throw at once, or errors of their own that tell of an answer', async () => {
    const kept: InternalAxiosRequestConfig[] = [];
    const adapter: AxiosAdapter = (config) => {
      kept.push(config);
      const refusal = { status: 401, statusText: '', headers: {}, data: 'no', config };
      throw Object.assign(new Error('an error of its own'), { config, response: refusal });
    };
    const auth = openAuth({
      config: { url: 'http://127.0.0.1:1' },
      strategies: [{ name: 'own', missing: () => [], signIn: async () => Credential.apiKey('a-secret-key') }],
    });
    const error = await failure(auth.http.get('/x', { adapter }));
    expect(error).toMatchObject({ message: 'an error of its own', authCode: 'ERR_AUTH_TOKEN_REFUSED' });
    expect(kept).toHaveLength(2); // signed in again, sent once more
    expect(leaks(error, ['a-secret-key'])).toEqual([]);
  });

  it('may throw what is no AxiosError', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    const reason = new RangeError('own');
    expect(await failure(auth.http.get('/x', { adapter: async () => Promise.reject(reason) }))).toBe(reason);
  });
});

describe('attach: an instance that exists already', () => {
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    api = await startBackend();
    auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  });

  it('is authenticated from then on, refreshed and replayed; until it is detached', async () => {
    const instance = axios.create({ baseURL: api.url });
    const detach = auth.attach(instance);
    expect((await instance.get('/x')).status).toBe(200);
    api.expire();
    expect((await instance.get('/x')).status).toBe(200);
    expect(api.to(REFRESH)).toHaveLength(1);
    detach();
    expect(await failure(instance.get('/y'))).toMatchObject({ response: { status: 401 } });
    expect(api.to('/y').map(({ headers }) => headers.authorization)).toEqual([undefined]);
    detach(); // twice does no harm
    auth.attach(instance);
    expect((await instance.get('/x')).status).toBe(200);
  });

  it('keeps its interceptors, those from before and those from after; each runs once a call', async () => {
    const instance = axios.create({ baseURL: api.url });
    const order: string[] = [];
    const note = (name: string) =>
      jest.fn((config: InternalAxiosRequestConfig) => {
        order.push(name);
        expect(config.headers.has('authorization')).toBe(false);
        config.headers.set(`x-${name}`, '1');
        return config;
      });
    instance.interceptors.request.use(note('before'));
    instance.interceptors.request.use(note('before-sync'), null, { synchronous: true });
    auth.attach(instance);
    instance.interceptors.request.use(note('after'));
    instance.interceptors.request.use(async (config) => note('after-async')(config));
    await auth.signIn();
    api.expire();
    expect((await instance.get('/x')).status).toBe(200);
    // As axios has it: the last one added runs first.
    expect(order).toEqual(['after-async', 'after', 'before-sync', 'before']);
    for (const { headers } of api.to('/x')) {
      expect(headers).toMatchObject({ 'x-before': '1', 'x-before-sync': '1', 'x-after': '1', 'x-after-async': '1' });
    }
    expect(api.to('/x')).toHaveLength(2);
  });

  it('hides a header that an interceptor from before sets as its own credential', async () => {
    const instance = axios.create({ baseURL: api.url });
    instance.interceptors.request.use((config) => {
      config.headers.set('authorization', 'Bearer stale');
      return config;
    });
    auth.attach(instance);
    expect((await instance.get('/x')).status).toBe(200);
  });

  it('runs its response interceptors once, on the last answer', async () => {
    const instance = axios.create({ baseURL: api.url });
    const statuses: number[] = [];
    instance.interceptors.response.use((response) => {
      statuses.push(response.status);
      return response;
    });
    auth.attach(instance);
    await auth.signIn();
    api.expire();
    await instance.get('/x');
    expect(statuses).toEqual([200]);
  });

  it('may serve two accounts of two origins, each with its own credential', async () => {
    const other = await startBackend();
    const second = openAuth({ config: { url: other.url, apiToken: other.apiToken } });
    const instance = axios.create();
    auth.attach(instance);
    second.attach(instance);
    expect((await instance.get(`${api.url}/x`)).status).toBe(200);
    expect((await instance.get(`${other.url}/x`)).status).toBe(200);
    expect(api.to('/x')[0]?.headers).not.toHaveProperty('x-api-key');
    expect(other.to('/x')[0]?.headers).not.toHaveProperty('authorization');
  });

  it('may be attached twice', async () => {
    const instance = axios.create({ baseURL: api.url });
    auth.attach(instance);
    const detach = auth.attach(instance);
    expect((await instance.get('/x')).status).toBe(200);
    detach();
    expect((await instance.get('/x')).status).toBe(200);
  });

  it('keeps its own defaults', async () => {
    const instance = axios.create({
      baseURL: `${api.url}/base/`,
      timeout: 4_000,
      headers: { common: { 'x-mine': '1' } },
    });
    auth.attach(instance);
    const { config } = await instance.get('x');
    expect(api.to('/base/x')).toMatchObject([{ authorized: true, headers: { 'x-mine': '1' } }]);
    expect(config.timeout).toBe(4_000);
  });
});
