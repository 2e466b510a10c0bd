import { Agent, createServer } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it, jest } from '@jest/globals';
import axios, {
  type AxiosAdapter,
  AxiosError,
  type AxiosRequestConfig,
  type InternalAxiosRequestConfig,
  isAxiosError,
} from 'axios';
import NodeFormData from 'form-data';
import { undici } from 'qelos-auth/undici';
import { type AuthStrategy, apiRefusal, Credential, isAuthError, type OutgoingRequest } from '../../src';
import { refusalOf } from '../../src/http/answer';
import { type Backend, listen, sendJson, startBackend } from '../support/backend';
import { hurry } from '../support/hurry';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

const withToken = (api: Backend, more: object = {}) =>
  openAuth({ config: { url: api.url, apiToken: api.apiToken }, ...more });

const withSession = async (api: Backend) => {
  const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await auth.signIn();
  return auth;
};

const withStrategy = (api: Backend, strategy: Partial<AuthStrategy>) =>
  openAuth({
    config: { url: api.url },
    strategies: [{ name: 'own', missing: () => [], signIn: async () => Credential.apiKey(api.apiToken), ...strategy }],
  });

describe('an upload that is read from a stream', () => {
  /** Never ends by itself. */
  const endless = () =>
    new Readable({
      read() {
        setTimeout(() => this.push(Buffer.alloc(16_384, 'x')), 1);
      },
    });

  describe.each<[string, object]>([
    ['http', {}],
    ['http over undici', { transport: undici() }],
    ['http, sent as written on an agent that others use', { axios: { skipAuth: true } }],
  ])('over the adapter %s', (_, options) => {
    it.each([200, 401, 413, 500])(
      'S02: does not lead to the request that was answered %i before it ended',
      async (status) => {
        hurry(); // a sign-in that is answered 500 is tried again
        const httpAgent = new Agent({ keepAlive: true });
        whenDone(() => httpAgent.destroy());
        const api = await startBackend();
        const server = createServer((_, response) => void response.writeHead(status).end('{}'));
        const url = `http://127.0.0.1:${await listen(server)}`;
        whenDone(() => server.closeAllConnections());
        whenDone(() => server.close());
        const auth = openAuth({ config: { url, apiToken: api.apiToken }, ...options });
        const data = endless();
        whenDone(() => data.destroy());
        const outcome = await auth.http.post('/x', data, { httpAgent }).catch((error) => error);
        expect(outcome.response?.status ?? outcome.status ?? outcome.code).toBeDefined();
        expect(leaks({ outcome, data }, [api.apiToken])).toEqual([]);
        expect(outcome.config.data).toBe(data);
      },
    );
  });

  it('S02: arrives whole, in order and no faster than it is taken, and a form with its length', async () => {
    const api = await startBackend();
    const { http } = withToken(api);
    let given = 0;
    const chunk = Buffer.alloc(64 * 1024, 'y');
    const large = new Readable({
      read() {
        this.push(given++ < 200 ? chunk : null);
      },
    });
    await http.post('/large', large, { maxBodyLength: Number.POSITIVE_INFINITY });
    expect(api.to('/large')[0]?.body.length).toBe(200 * chunk.length);
    const form = new NodeFormData();
    form.append('file', Buffer.from('content'), { filename: 'a.txt' });
    const length = form.getLengthSync();
    await http.post('/form', form);
    expect(api.to('/form')[0]?.headers).toMatchObject({
      'content-length': String(length),
      'content-type': form.getHeaders()['content-type'],
    });
  });

  it('S02: that fails or is closed ends the call', async () => {
    const api = await startBackend();
    const { http } = withToken(api);
    await http.get('/warm'); // with a credential at hand, what follows is on its way before any timer fires
    const broken = endless();
    setTimeout(() => broken.destroy(new Error('disk is gone')), 30);
    expect(await failure(http.post('/x', broken))).toMatchObject({ message: 'disk is gone' });
    const closed = endless();
    setTimeout(() => closed.destroy(), 30);
    expect(axios.isCancel(await failure(http.post('/x', closed)))).toBe(true);
  });

  it('S02: that has been read before ends the call, and nothing empty takes its place', async () => {
    const api = await startBackend();
    const { http } = withToken(api);
    const data = Readable.from(['a', 'b']);
    await http.post('/x', data);
    expect(await failure(http.post('/x', data))).toMatchObject({
      message: expect.stringContaining('read or closed before'),
    });
    expect(api.to('/x').map(({ body }) => String(body))).not.toContain('');
  });
});

describe('agents', () => {
  const keepAlive = () => {
    const httpAgent = new Agent({ keepAlive: true });
    whenDone(() => httpAgent.destroy());
    return httpAgent;
  };

  it('S02: show in no defaults, no interceptor and no error, also of a call aborted before it was sent', async () => {
    const api = await startBackend();
    const httpAgent = keepAlive();
    const { http } = withToken(api, { axios: { httpAgent } });
    const own = keepAlive();
    let answer = () => {};
    const arrived = new Promise<void>((resolve) => {
      api.on('/slow', (_, response) => {
        answer = () => response.end('{}');
        resolve();
      });
    });
    const seen: unknown[] = [];
    http.interceptors.request.use((config) => {
      seen.push(leaks(config, [api.apiToken]));
      return config;
    });
    const slow = http.get('/slow', { httpAgent: own });
    await arrived;
    expect(leaks(own, [api.apiToken])).not.toEqual([]); // there is something to be found
    const aborted = await failure(http.get('/x', { httpAgent: own, signal: AbortSignal.abort() }));
    expect(axios.isCancel(aborted)).toBe(true);
    expect(leaks({ aborted, defaults: http.defaults }, [api.apiToken])).toEqual([]);
    answer();
    await slow;
    expect(seen).toEqual([[], []]);
  });

  it('S02: an interceptor that looks at its config while the call is under way sees no credential', async () => {
    const api = await startBackend();
    const { http } = withToken(api);
    let kept: InternalAxiosRequestConfig | undefined;
    http.interceptors.request.use((config) => {
      kept = config;
      return config;
    });
    let found: string[] = ['not looked'];
    api.on('/x', (_, response) => {
      found = leaks(kept, [api.apiToken]);
      response.end('{}');
    });
    await http.get('/x');
    expect(found).toEqual([]);
  });

  it('S17: of a call serve its second try, made from what came out of the first, here and elsewhere', async () => {
    const api = await startBackend();
    const other = await startBackend();
    const { http } = withToken(api, { axios: { httpAgent: keepAlive() } });
    for (const url of [`${api.url}/x`, `${other.url}/x`]) {
      const httpAgent = keepAlive();
      const used = jest.spyOn(httpAgent as never as { addRequest(): void }, 'addRequest');
      const { config } = await http.get(url, { httpAgent, validateStatus: null });
      await http.request(config);
      await axios.request(config); // also by an instance that knows nothing of it
      expect(used).toHaveBeenCalledTimes(3);
    }
  });

  it('S02: an attached instance has its own back once it is detached', async () => {
    const api = await startBackend();
    const httpAgent = keepAlive();
    const instance = axios.create({ baseURL: api.url, httpAgent });
    const detach = withToken(api).attach(instance);
    expect(instance.defaults.httpAgent).not.toBe(httpAgent);
    expect((await instance.get('/x')).status).toBe(200);
    expect(Object.values(httpAgent.freeSockets).flat()).toHaveLength(1);
    detach();
    expect(instance.defaults.httpAgent).toBe(httpAgent);
  });
});

describe('adapters of others that fail', () => {
  const deep = (error: Error, levels: number): Error =>
    levels === 0 ? error : new Error('outer', { cause: deep(error, levels - 1) });
  const cases: [string, (config: InternalAxiosRequestConfig) => unknown][] = [
    ['with a plain object', (config) => ({ config, headers: { ...config.headers }, why: `sent ${config.headers}` })],
    ['with a text', (config) => `sent ${config.headers}`],
    [
      'with an AggregateError',
      (config) => new AggregateError([Object.assign(new Error('one'), { config }), { config }]),
    ],
    ['with a cause 12 deep', (config) => deep(Object.assign(new Error(`${config.headers}`), { config }), 12)],
    [
      'with a request of Node',
      (config) => Object.assign(new Error('no'), { req: new Agent(), sent: [config], copy: { ...config } }),
    ],
    [
      'in a circle',
      (config) => {
        const error = Object.assign(new Error('no'), { config, self: undefined as unknown });
        error.self = { error };
        return error;
      },
    ],
  ];
  it.each(cases)('S02: %s show no secret', async (_, reason) => {
    const api = await startBackend();
    const adapter: AxiosAdapter = (config) => Promise.reject(reason(config));
    const error = await failure(withToken(api).http.get('/x', { adapter }));
    expect(leaks({ error }, [api.apiToken])).toEqual([]);
  });

  it('S16: keep their words where a header of the credential is as short as a word', async () => {
    const api = await startBackend();
    const signIn = async () => Credential.headers({ 'x-api-key': api.apiToken, 'x-level': '0', 'x-kind': 'Error' });
    const { http } = withStrategy(api, { signIn });
    const adapter: AxiosAdapter = () => Promise.reject(new RangeError('Error 10 of 100'));
    expect(await failure(http.get('/x', { adapter }))).toMatchObject({ message: 'Error 10 of 100' });
  });
});

describe('isRejected', () => {
  it.each<[string, () => unknown]>([
    ['answers later', async () => true],
    ['answers later with a failure', () => Promise.reject(new Error('late'))],
    ['answers something true', () => 'yes'],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
  ])('S11: that %s rejects nothing: a POST goes out once, and its answer comes out', async (_, isRejected) => {
    const api = await startBackend();
    api.on('/x', (_, response) => sendJson(response, 500, { a: 1 }));
    const { http } = withStrategy(api, { isRejected: isRejected as never });
    expect(await failure(http.post('/x', {}))).toMatchObject({ response: { status: 500, data: { a: 1 } } });
    expect(api.to('/x')).toHaveLength(1);
  });
});

describe('S12: a renewal that helped', () => {
  it.each([403, 404, 500])('counts as such where the answer is a %i', async (status) => {
    const api = await startBackend();
    const { http } = await withSession(api);
    const start = performance.now();
    const after = (seconds: number) => jest.spyOn(performance, 'now').mockReturnValue(start + seconds * 1_000);
    api.on('/never', (_, response) => sendJson(response, 401, { message: 'authorization token is not valid.' }));
    api.on('/error', ({ authorized }, response) => void response.writeHead(authorized ? status : 401).end());
    await failure(http.get('/never')); // renewing is useless for 30 s
    after(40);
    api.expire();
    expect(await failure(http.get('/error'))).toMatchObject({ response: { status } });
    await failure(http.get('/never')); // for 30 s again, and not for 60
    after(80);
    api.expire();
    expect(await failure(http.get('/error'))).toMatchObject({ response: { status } });
    expect(api.to('/api/token/refresh')).toHaveLength(4);
  });
});

describe('S16: "not privileged" costs no renewal', () => {
  const text = JSON.stringify({ message: 'you are not privileged.' });
  const answered = (bytes: Buffer, headers: Record<string, string> = {}) => ({
    bytes,
    headers: { 'content-type': 'application/json', ...headers },
  });
  const gzip = answered(gzipSync(text), { 'content-encoding': 'gzip' });
  const brotli = answered(brotliCompressSync(text), { 'content-encoding': 'br' });
  const withBom = answered(Buffer.from(`\ufeff${text}`));
  it.each<[string, ReturnType<typeof answered>, AxiosRequestConfig]>([
    ['gzip, bytes', gzip, { decompress: false, responseType: 'arraybuffer' }],
    ['gzip, a stream', gzip, { decompress: false, responseType: 'stream' }],
    ['brotli, bytes', brotli, { decompress: false, responseType: 'arraybuffer' }],
    ['gzip, decompressed', gzip, { responseType: 'stream' }],
    ['gzip, decompressed by fetch', gzip, { adapter: 'fetch', responseType: 'arraybuffer' }],
    ['a Blob', answered(Buffer.from(text)), { adapter: 'fetch', responseType: 'blob' }],
    ['with BOM, bytes', withBom, { responseType: 'arraybuffer' }],
    ['with BOM, a stream', withBom, { responseType: 'stream' }],
  ])('%s', async (_, { bytes, headers }, config) => {
    const api = await startBackend();
    const { http } = await withSession(api);
    api.on('/x', (_, response) => void response.writeHead(401, headers).end(bytes));
    const error = await failure(http.get('/x', config));
    expect(apiRefusal(error)?.authCode).toBe('ERR_AUTH_FORBIDDEN');
    expect(api.to('/api/token/refresh')).toEqual([]);
    expect(refusalOf((error as AxiosError).response as never)?.authCode).toBe('ERR_AUTH_FORBIDDEN');
  });
});

describe('S16: authorize sees the URL that is sent', () => {
  it('whatever the defaults of axios have become, and as it is written on the wire', async () => {
    const api = await startBackend();
    const seen: string[] = [];
    const authorize = ({ url, headers }: OutgoingRequest, credential: Credential) => {
      seen.push(url);
      credential.applyTo(headers);
    };
    const { http } = withStrategy(api, { authorize });
    axios.defaults.params = { late: 1 };
    try {
      for (const url of ['/a?x=1', "/ü/./b?q='ü'#part", '/c//d'])
        await failure(http.get(url, { params: { y: "it's", z: 'ü' } }));
    } finally {
      delete axios.defaults.params;
    }
    expect(seen).toEqual(api.received.map(({ url }) => `${api.url}${url}`));
    expect(seen).toHaveLength(3);
  });
});

describe('S17: an AuthError that leaves an axios instance', () => {
  const refused = async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, username: api.username, password: 'wrong' } });
    return { api, http: auth.http, fetch: auth.fetch };
  };

  it('carries what plugins go by, and is an AuthError still', async () => {
    const { http, fetch } = await refused();
    const [first, second] = await Promise.all([failure(http.get('/x', { params: { a: 1 } })), failure(http.get('/y'))]);
    expect(isAuthError(first) && isAxiosError(first)).toBe(true);
    expect(first).toMatchObject({ code: 'ERR_AUTH_REFUSED', config: { url: '/x', params: { a: 1 } } });
    expect(second).toMatchObject({ config: { url: '/y' } });
    expect((first as AxiosError).response).toBeUndefined();
    expect(inspect(first)).not.toContain('params');
    expect(JSON.parse(JSON.stringify(first))).toMatchObject({ code: 'ERR_AUTH_REFUSED', hint: expect.any(String) });
    expect(isAuthError(await failure(fetch('/x')))).toBe(true);
  });

  it('does not leave calls waiting that a cache keeps for its like', async () => {
    // As axios-cache-interceptor does it: whoever comes second waits for the first, whose error says by its config which it was.
    const { http } = await refused();
    const waiting = new Map<string, (error: unknown) => void>();
    let others: Promise<unknown> | undefined;
    http.interceptors.request.use((config) => {
      others ??= new Promise((_, reject) => waiting.set(config.url as string, reject));
      return config;
    });
    http.interceptors.response.use(undefined, (error) => {
      if (error.isAxiosError && error.config) waiting.get(error.config.url)?.(error);
      throw error;
    });
    const first = failure(http.get('/x'));
    await first;
    expect(await failure(others as Promise<unknown>)).toBe(await first);
  });

  it('is tried again where its plugin asks whether it is retryable', async () => {
    hurry();
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
    let down = true;
    api.on('/api/signin', (_, response) => (down ? response.writeHead(503).end() && true : false));
    auth.http.interceptors.response.use(undefined, (error) => {
      const { config } = error;
      if (!config || !isAuthError(error) || !error.retryable) throw error;
      down = false;
      jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
      return auth.http.request(config);
    });
    expect((await auth.http.get('/x')).status).toBe(200);
  });
});

it('S17: a call without answer has a request to tell it by, which leads to no secret', async () => {
  const api = await startBackend();
  const { http } = withToken(api);
  api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
  const error = (await failure(http.get('/reset'))) as AxiosError;
  expect(error.request).toMatchObject({ method: 'GET', responseURL: `${api.url}/reset` });
  expect(error.response).toBeUndefined();
  expect(leaks(error, [api.apiToken])).toEqual([]);
});

describe('S20: where an answer came from', () => {
  it('is told of requests that are sent untouched, and were redirected', async () => {
    const api = await startBackend();
    const other = await startBackend({ other: (_, response) => sendJson(response, 200, {}) });
    const { http, fetch } = withToken(api);
    for (const server of [api, other]) {
      server.on('/moved', (_, response) => response.writeHead(302, { location: '/there?a=1' }).end());
      server.on('/there', (_, response) => sendJson(response, 200, {}));
    }
    const { request } = await http.get('/moved', { skipAuth: true });
    expect(request.res.responseUrl).toBe(`${api.url}/there?a=1`);
    const response = await fetch(`${other.url}/moved`);
    expect([response.url, response.redirected]).toEqual([`${other.url}/there?a=1`, true]);
    const direct = await fetch(`${other.url}/there`);
    expect([direct.url, direct.redirected]).toEqual([`${other.url}/there`, false]);
  });

  it('is written as new URL() writes it, without fragment', async () => {
    const api = await startBackend();
    const { http, fetch } = withToken(api);
    const odd = '/a/../ü b#part';
    expect((await http.get(odd)).request.responseURL).toBe(`${api.url}/%C3%BC%20b`);
    expect((await fetch(odd)).url).toBe(`${api.url}/%C3%BC%20b`);
  });
});

it('S01: a stream that was let go of keeps nothing of its call', async () => {
  const api = await startBackend();
  const { http } = withToken(api);
  const abort = new AbortController();
  const removed = jest.spyOn(abort.signal, 'removeEventListener');
  const { data } = await http.get('/x', { responseType: 'stream', signal: abort.signal });
  await buffer(data);
  await new Promise(setImmediate);
  expect(removed).toHaveBeenCalled();
});
