import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosResponse, type InternalAxiosRequestConfig, isAxiosError } from 'axios';
import NodeFormData from 'form-data';
import { apiRefusal, Credential, type QelosAuth } from '../../src';
import { AuthInterceptor } from '../../src/http/auth-interceptor';
import type { CredentialSource } from '../../src/http/credential-check';
import { Origin } from '../../src/http/origin';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { impersonating, openAuth, ways } from '../support/ways';

const REFRESH = '/api/token/refresh';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A backend with a session whose access token has just expired. */
async function expired(open: typeof openAuth = openAuth): Promise<{ api: Backend; auth: QelosAuth }> {
  const api = await startBackend();
  const auth = open({ config: { url: api.url, username: api.username, password: api.password } });
  await auth.signIn();
  api.expire();
  return { api, auth };
}

/** Keeps a path's requests waiting. Resolves with the function that lets all of them, and all later ones, be answered. */
function held(api: Backend, path: string): { arrived: Promise<void>; release: () => void } {
  const waiting: (() => void)[] = [];
  let open = false;
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  api.on(path, (request, response, incoming) => {
    if (open) return false;
    waiting.push(() => {
      api.on(path, () => false);
      api.replay(request, response, incoming);
    });
    arrive();
    return true;
  });
  return {
    arrived,
    release() {
      open = true;
      for (const answer of waiting.splice(0)) answer();
    },
  };
}

describe('F31: a body that was refused is sent again byte for byte', () => {
  const bytes = Buffer.from([0, 1, 255, 13, 10, 128, 0xe2, 0x82, 0xac]);
  const form = () => {
    const data = new FormData();
    data.append('text', 'grüße');
    data.append('file', new Blob([bytes], { type: 'application/x-thing' }), 'thing.bin');
    return data;
  };
  const bodies: [string, () => unknown][] = [
    ['JSON', () => ({ a: 'ü', b: [1, 2, { c: null }] })],
    ['a string', () => 'plain tëxt'],
    ['an empty string', () => ''],
    ['a Buffer', () => bytes],
    ['a Uint8Array that is a part', () => new Uint8Array(Buffer.concat([bytes, bytes])).subarray(3, 12)],
    ['a Float64Array', () => new Float64Array([1.5, Number.NaN])],
    ['an ArrayBuffer', () => new Uint8Array(bytes).buffer],
    ['URLSearchParams', () => new URLSearchParams({ a: '1 2', b: 'ü&' })],
    ['a Blob', () => new Blob([bytes, 'more'], { type: 'application/x-thing' })],
    ['a FormData', form],
    ['nothing', () => undefined],
  ];

  describe.each(['http', 'fetch'])('with the adapter %s', (adapter) => {
    it.each(bodies)('%s', async (_, body) => {
      const { api, auth } = await expired((options) => openAuth({ ...options, axios: { adapter } }));
      const interceptor = jest.fn((config: InternalAxiosRequestConfig) => config);
      const transform = jest.fn((data: unknown) => data);
      const answered = jest.fn((response: AxiosResponse) => response);
      auth.http.interceptors.request.use(interceptor);
      auth.http.interceptors.response.use(answered);
      const transformRequest = [transform, ...[axios.defaults.transformRequest ?? []].flat()] as never;
      const { status } = await auth.http.post('/upload', body(), { transformRequest });
      expect(status).toBe(200);
      const sent = api.to('/upload');
      expect(sent.map(({ authorized }) => authorized)).toEqual([false, true]);
      expect(sent[1]?.body.equals(unbounded(sent[0], sent[1]))).toBe(true);
      expect(sent[1]?.headers['content-type']?.replace(/boundary=.*/, '')).toBe(
        sent[0]?.headers['content-type']?.replace(/boundary=.*/, ''),
      );
      if (body() !== undefined && body() !== '') expect(sent[1]?.body.length).toBeGreaterThan(0);
      expect(interceptor).toHaveBeenCalledTimes(1);
      expect(transform).toHaveBeenCalledTimes(1);
      expect(answered).toHaveBeenCalledTimes(1);
      expect(api.to(REFRESH)).toHaveLength(1);
    });
  });

  it('also if validateStatus takes the 401 for a success', async () => {
    const { api, auth } = await expired();
    expect((await auth.http.post('/x', { a: 1 }, { validateStatus: null })).status).toBe(200);
    expect(api.to('/x')).toHaveLength(2);
  });

  it.each(['stream', 'arraybuffer', 'text', 'blob'] as const)(
    'also if it asks for responseType %s',
    async (responseType) => {
      const { api, auth } = await expired((options) =>
        openAuth({ ...options, ...(responseType === 'blob' && { axios: { adapter: 'fetch' } }) }),
      );
      const { status, data } = await auth.http.post('/x', 'a', { responseType });
      expect(status).toBe(200);
      if (responseType === 'text') expect(JSON.parse(data)).toMatchObject({ ok: true });
      if (responseType === 'arraybuffer') expect(JSON.parse(Buffer.from(data).toString())).toMatchObject({ ok: true });
      if (responseType === 'stream') {
        let text = '';
        for await (const chunk of data) text += chunk;
        expect(JSON.parse(text)).toMatchObject({ ok: true });
      }
      expect(api.to('/x')).toHaveLength(2);
    },
  );
});

describe('F23: a refusal that a new credential does not cure', () => {
  const refuse = (api: Backend, path: string, status = 401) =>
    api.on(path, (_request, response) => sendJson(response, status, { message: 'authorization token is not valid.' }));

  it('is the answer after one refresh, and costs the next call none', async () => {
    const { api, auth } = await expired();
    const told: unknown[] = [];
    auth.on('requestRetried', (detail) => told.push(detail));
    refuse(api, '/x');
    const error = await failure(auth.http.post('/x?secret=1', 'a'));
    expect(isAxiosError(error) && error.response?.status).toBe(401);
    expect(apiRefusal(error)?.authCode).toBe('ERR_AUTH_SESSION_REFUSED');
    expect(told).toEqual([{ instance: api.url, method: 'POST', path: '/x', status: 401 }]);
    await failure(auth.http.get('/x'));
    expect(api.to('/x')).toHaveLength(3);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('of an upload that cannot be sent again asks once for a new credential, not for each', async () => {
    const { api, auth } = await expired();
    refuse(api, '/x');
    for (let upload = 1; upload <= 4; upload++) {
      await failure(auth.http.post('/x', Readable.from(['content'])));
      await auth.http.get('/y'); // waits for the refresh
      expect(api.to('/x')).toHaveLength(upload);
      expect(api.to(REFRESH)).toHaveLength(1);
    }
  });

  it('is forgotten once a refresh has cured another request: the next one counts as the first', async () => {
    const { api, auth } = await expired();
    const start = performance.now();
    const after = (seconds: number) => jest.spyOn(performance, 'now').mockReturnValue(start + seconds * 1_000);
    refuse(api, '/x');
    await failure(auth.http.get('/x')); // refreshing is useless for 30 s
    after(40);
    api.expire();
    expect((await auth.http.get('/y')).status).toBe(200);
    await failure(auth.http.get('/x')); // for 30 s again, not for 60
    after(80);
    api.expire();
    expect((await auth.http.get('/y')).status).toBe(200);
    expect(api.to(REFRESH)).toHaveLength(4);
  });

  it('is for the strategy to tell, of any answer from 400 on', async () => {
    const api = await startBackend();
    const asked: number[] = [];
    const strategy = {
      name: 'asked',
      missing: () => [],
      signIn: async () => Credential.apiKey(api.apiToken),
      isRejected: ({ status }: { status: number }) => asked.push(status) < 0,
    };
    const auth = openAuth({ config: { url: api.url }, strategies: [strategy] });
    for (const status of [201, 304, 399, 400, 500, 401]) {
      refuse(api, '/x', status);
      const error = await failure(auth.http.get('/x'));
      expect(apiRefusal(error)?.authCode).toBe(status === 401 ? 'ERR_AUTH_TOKEN_REFUSED' : undefined);
    }
    expect(asked).toEqual([400, 500, 401]);
  });

  it('is tried no more than five times, even if each credential may have ended on the way', async () => {
    const api = await startBackend();
    refuse(api, '/x');
    let made = 0;
    const signIn = async () => Credential.bearer(`short-${++made}`, { expiresAt: new Date(0) });
    const auth = openAuth({ config: { url: api.url }, strategies: [{ name: 'short', missing: () => [], signIn }] });
    expect(await failure(auth.http.get('/x'))).toMatchObject({ response: { status: 401 } });
    expect(api.to('/x')).toHaveLength(5);
    expect(made).toBe(5);
  });

  it('is told of the credential that the request had renewed, and of no other that came to hand', async () => {
    const api = await startBackend();
    const [ended, own, another] = ['ended', 'own', 'another'].map((token) => Credential.bearer(token));
    api.on('/x', ({ headers }, response) => {
      const isGood = headers.authorization === 'Bearer another';
      response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isGood ? {} : { message: 'authorization token is not valid.' }));
    });
    const told: unknown[] = [];
    const source: CredentialSource = {
      // A renewal for the first refusal; by the second, another call's renewal is over already.
      get: (rejected) => (rejected === own ? another : rejected === ended ? Promise.resolve(own) : ended) as Credential,
      stageOf: () => 'ending',
      mayHaveEnded: () => true,
      replayed: (credential, cured) => void told.push([credential === own ? 'own' : 'another', cured]),
    };
    const interceptor = new AuthInterceptor({
      origin: new Origin(api.url),
      strategy: { name: 'mine', signIn: async () => ended as Credential },
      source,
      client: () => axios.create({ baseURL: api.url }),
      events: { emit() {} },
    });
    const instance = axios.create({ baseURL: api.url });
    interceptor.attach(instance);
    expect(await instance.get('/x')).toMatchObject({ status: 200 });
    expect(told).toEqual([['own', false]]);
  });

  it('of what the user may not do is the answer at once', async () => {
    const { api, auth } = await expired();
    refuse(api, '/x', 403);
    expect(apiRefusal(await failure(auth.http.get('/x')))?.authCode).toBe('ERR_AUTH_FORBIDDEN');
    expect(api.to('/x')).toHaveLength(1);
    expect(api.to(REFRESH)).toHaveLength(0);
  });

  it.each([400, 500])('is none at all with status %i', async (status) => {
    const { api, auth } = await expired();
    refuse(api, '/x', status);
    const error = await failure(auth.http.get('/x'));
    expect(isAxiosError(error) && error.response?.status).toBe(status);
    expect(apiRefusal(error)).toBeUndefined();
    expect(api.to('/x')).toHaveLength(1);
  });
});

/** The first body with the second's boundary: a form is packed anew for each send. */
function unbounded(first: Backend['received'][number] | undefined, second: typeof first): Buffer {
  // From the body: axios' fetch adapter names no boundary in Node.
  const boundary = (of: typeof first) => /^--(\S*boundary\S*|\S*undici\S*)\r\n/.exec(String(of?.body))?.[1];
  const [old, now] = [boundary(first), boundary(second)];
  const body = first?.body ?? Buffer.alloc(0);
  return old && now ? Buffer.from(body.toString('latin1').replaceAll(old, now), 'latin1') : body;
}

describe('F30: a body that can be read only once', () => {
  const nodeForm = () => {
    const form = new NodeFormData();
    form.append('file', Buffer.from('content'), { filename: 'a.txt' });
    return form;
  };
  async function* generate() {
    yield Buffer.from('con');
    yield Buffer.from('tent');
  }
  const cases: [string, string, () => unknown][] = [
    ['a stream', 'http', () => Readable.from(['con', 'tent'])],
    ['an async iterable', 'http', () => Readable.from(generate())],
    ['a form-data form', 'http', nodeForm],
    ['a web stream', 'fetch', () => new Blob(['content']).stream()],
  ];
  it.each(cases)('%s is sent once, and the 401 comes out', async (_, adapter, body) => {
    const { api, auth } = await expired((options) => openAuth({ ...options, axios: { adapter } }));
    const error = await failure(auth.http.post('/upload', body()));
    expect(isAxiosError(error) && error.response?.status).toBe(401);
    expect(api.to('/upload')).toHaveLength(1);
    expect(api.to('/upload')[0]?.body.toString()).toContain('content');
    // The next call finds out by itself.
    expect((await auth.http.get('/x')).status).toBe(200);
  });

  it.each([
    ['a web stream', () => new Blob(['content']).stream()],
    ['an async iterable', () => generate()],
  ])('%s through auth.fetch is sent once, and the 401 comes out', async (_, body) => {
    const { api, auth } = await expired();
    const response = await auth.fetch('/upload', { method: 'POST', body: body() as never, duplex: 'half' } as never);
    expect(response.status).toBe(401);
    expect(api.to('/upload').map(({ body: sent }) => sent.toString())).toEqual(['content']);
  });

  it('arrives whole if the credential is good', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    await auth.http.post('/upload', Readable.from(['con', 'tent']));
    await auth.http.post('/upload', nodeForm());
    expect(api.to('/upload').map(({ body }) => body.toString().includes('content'))).toEqual([true, true]);
  });
});

describe.each([...ways, impersonating])('waiting for a refresh, through $name', ({ name, open, send }) => {
  let api: Backend;
  let auth: QelosAuth;
  beforeEach(async () => {
    ({ api, auth } = await expired(open));
  });

  it('F33: a caller that aborts leaves at once; the others get their answer from the one refresh', async () => {
    const refresh = held(api, REFRESH);
    const abort = new AbortController();
    const first = failure(send(auth, { path: '/first', signal: abort.signal }));
    await refresh.arrived;
    const others = Array.from({ length: 20 }, () => send(auth, { path: '/other' }));
    const begun = performance.now();
    abort.abort();
    const error = await first;
    expect(performance.now() - begun).toBeLessThan(50);
    if (name.includes('.http')) expect(error).toMatchObject({ code: 'ERR_CANCELED' });
    else expect(error).toMatchObject({ name: 'AbortError' });
    refresh.release();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(others.map(() => 200));
    expect(api.to(REFRESH)).toHaveLength(1);
    expect(api.to('/first')).toHaveLength(1);
  });

  it('F33: one that was aborted before it began sends nothing', async () => {
    const reason = new Error('not any more');
    const error = await failure(send(auth, { path: '/x', signal: AbortSignal.abort(reason) }));
    if (name.includes('.http')) expect(axios.isCancel(error)).toBe(true);
    else expect(error).toBe(reason);
    expect(api.to('/x')).toEqual([]);
  });
});

describe('a call and its own time-out', () => {
  it('F33: cancelToken ends the wait too', async () => {
    const { api, auth } = await expired();
    const refresh = held(api, REFRESH);
    const source = axios.CancelToken.source();
    const call = failure(auth.http.get('/x', { cancelToken: source.token }));
    await refresh.arrived;
    source.cancel('enough');
    expect(await call).toBe(source.token.reason); // as without this library
    expect(await call).toMatchObject({ message: 'enough', code: 'ERR_CANCELED' });
    refresh.release();
    expect((await auth.http.get('/y')).status).toBe(200);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('F33: a cancelToken that many calls share keeps nothing of those that are done', async () => {
    const { api, auth } = await expired();
    const source = axios.CancelToken.source();
    const left = () => (source.token as unknown as { _listeners?: unknown[] })._listeners ?? [];
    for (let round = 0; round < 3; round++) {
      api.expire();
      await Promise.all(Array.from({ length: 5 }, () => auth.http.get('/x', { cancelToken: source.token })));
    }
    expect(left()).toEqual([]);
  });

  it('F35: a time-out counts while a refresh is awaited, which goes on for the others', async () => {
    const { api, auth } = await expired();
    const refresh = held(api, REFRESH);
    const begun = performance.now();
    const short = failure(auth.http.get('/short', { timeout: 200 }));
    const long = auth.http.get('/long');
    const error = await short;
    const took = performance.now() - begun;
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(450);
    expect(error).toMatchObject({ code: 'ECONNABORTED', message: expect.stringContaining('200ms') });
    refresh.release();
    expect((await long).status).toBe(200);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('F35: with the code and message that axios was told to use', async () => {
    const { api, auth } = await expired();
    held(api, REFRESH);
    const error = await failure(
      auth.http.get('/x', {
        timeout: 20,
        timeoutErrorMessage: 'too slow',
        transitional: { clarifyTimeoutError: true },
      }),
    );
    expect(error).toMatchObject({ code: 'ETIMEDOUT', message: 'too slow' });
  });

  it('F35: holds for the whole call: sign-in, first send, refresh and second send', async () => {
    const { api, auth } = await expired();
    api.on('/x', ({ authorized }, response) => {
      if (authorized) return true; // and never answers
      setTimeout(() => sendJson(response, 401, { message: 'authorization token is not valid.' }), 200);
      return true;
    });
    const begun = performance.now();
    const error = await failure(auth.http.get('/x', { timeout: 300 }));
    const took = performance.now() - begun;
    expect(error).toMatchObject({ code: 'ECONNABORTED' });
    expect(api.to('/x')).toHaveLength(2);
    expect(took).toBeGreaterThan(250);
    expect(took).toBeLessThan(480); // it were 500 if the second send had a time-out of its own
  });

  it.each([429, 503])('F25: no call outlives it while sign-in asks to wait with a %i', async (status) => {
    const api = await startBackend();
    api.on('/api/signin', (_, response) => response.writeHead(status, { 'retry-after': '3600' }).end());
    const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
    const begun = performance.now();
    for (let i = 0; i < 3; i++) {
      const error = await failure(auth.http.get('/x', { timeout: 300 }));
      expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
      const { retryAfterMs } = error as { retryAfterMs: number };
      expect(retryAfterMs).toBeGreaterThan(290_000);
      expect(retryAfterMs).toBeLessThanOrEqual(300_000);
    }
    expect(performance.now() - begun).toBeLessThan(900);
    expect(api.to('/api/signin')).toHaveLength(1);
  });
});

describe('a request that is made again from what came out', () => {
  it('gets over its own failure: instance.request(error.config)', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
    api.on('/x', (_, response) => response.writeHead(503).end());
    const error = await failure(auth.http.post('/x', { a: 1 }, { params: { b: 2 } }));
    if (!isAxiosError(error) || !error.config) throw new Error('no AxiosError with a config');
    api.on('/x', () => false);
    expect((await auth.http.request(error.config)).status).toBe(200);
    expect(api.to('/x').map(({ url, body, authorized }) => [url, body.toString(), authorized])).toEqual([
      ['/x?b=2', '{"a":1}', true],
      ['/x?b=2', '{"a":1}', true],
    ]);
  });

  it('is refreshed and replayed again: instance.request(response.config) after the token has expired', async () => {
    const { api, auth } = await expired();
    const { config } = await auth.http.get('/x');
    for (let i = 0; i < 3; i++) {
      api.expire();
      expect((await auth.http.request(config)).status).toBe(200);
    }
    expect(api.to(REFRESH)).toHaveLength(4);
    expect(api.to('/api/signin')).toHaveLength(1);
  });

  it('works from a response interceptor, as retry libraries do it', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
    let failures = 2;
    api.on('/x', (_, response) => (failures-- > 0 ? response.writeHead(503).end() && true : false));
    auth.http.interceptors.response.use(null, (error) =>
      error.response?.status === 503 ? auth.http.request(error.config) : Promise.reject(error),
    );
    expect((await auth.http.get('/x')).status).toBe(200);
    expect(api.to('/x').map(({ authorized }) => authorized)).toEqual([true, true, true]);
  });

  it('carries no credential to another instance', async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    const { config } = await auth.http.get('/x');
    const error = await failure(axios.request(config));
    expect(isAxiosError(error) && error.response?.status).toBe(401);
    expect(api.to('/x').map(({ authorized }) => authorized)).toEqual([true, false]);
  });
});
