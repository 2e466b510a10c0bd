import { Agent } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from '@jest/globals';
import axios, { type AxiosAdapter, type AxiosError, type AxiosRequestConfig, isAxiosError } from 'axios';
import { undici } from 'qelos-auth/undici';
import { isAuthError, type QelosAuth, type Transport } from '../../src';
import { type Backend, listen, sendJson, startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { EVENT_NAMES } from '../support/event-names';
import { hurry } from '../support/hurry';
import { leaks, reachableSecrets } from '../support/secrets';
import { sinksOf } from '../support/sinks';
import { impersonating, openAuth, ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Every secret there is by now, and the forms they travel in. */
const secretsOf = (...backends: Backend[]) =>
  backends.flatMap(({ secrets }) =>
    Object.values(secrets).flatMap((secret) => [secret, Buffer.from(secret).toString('base64')]),
  );

describe('the tools of this file', () => {
  it('find a secret wherever it is', async () => {
    const agent = {
      sockets: new Map([
        ['k', [Object.defineProperty({}, Symbol('s'), { value: { raw: Buffer.from('x-secret-x') } })]],
      ]),
    };
    const error = new Error('outer', { cause: Object.assign(new Error('inner'), { agent }) });
    expect(reachableSecrets(error, ['secret'])).toEqual(['.cause.agent.sockets<value 0>.0.Symbol(s).raw']);
    const printed = sinksOf(Object.assign(new Error('a-secret'), { config: { key: 'a-secret' } }));
    expect(Object.keys(printed).filter((sink) => !printed[sink]?.includes('a-secret'))).toEqual([]);
  });

  it('see that bare axios leaks', async () => {
    const api = await startBackend();
    const error = await failure(
      axios.get(`${api.url}/x`, { headers: { 'x-api-key': `${api.apiToken}` }, maxContentLength: 1 }),
    );
    const found = leaks(error, [api.apiToken]);
    expect(found).toContain('printed by inspect');
    expect(found.length).toBeGreaterThan(5);
  });
});

describe('what is handed out in the place of the request', () => {
  it('tells where the answer came from, and to loggers the same', async () => {
    const api = await startBackend();
    const { http } = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
    api.on('/moved', (_, response) => response.writeHead(302, { location: '/bad?x=1' }).end());
    api.on('/bad', (_, response) => sendJson(response, 404, {}));
    const cases: [string, string][] = [
      ['/x', '/x?y=2'],
      ['/bad', '/bad?y=2'],
      ['/moved', '/bad?x=1'],
    ];
    for (const [path, from] of cases) {
      const call = http.get(path, { params: { y: 2 } });
      const { request } = await call.catch((error) => error.response);
      expect(request.responseURL).toBe(`${api.url}${from}`);
      expect(request.res).toEqual({ responseUrl: `${api.url}${from}` });
    }
  });

  it('holds for requests without credential: the error is the one that axios makes', async () => {
    const api = await startBackend();
    const httpAgent = new Agent({ keepAlive: true });
    whenDone(() => httpAgent.destroy());
    const { http } = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { httpAgent } });
    const error = await failure(http.get('/x', { skipAuth: true }));
    expect(error).toMatchObject({ name: 'AxiosError', response: { status: 401 } });
    expect((error as AxiosError).request.responseURL).toBe(`${api.url}/x`);
    expect((error as AxiosError).config?.httpAgent).not.toBeInstanceOf(Agent);
    expect(leaks(error, ['freeSockets'])).toEqual([]); // nothing of the agent leads to its sockets
  });
});

const adapters: [string, AxiosRequestConfig['adapter'], Transport?][] = [
  ['http', 'http'],
  ['http over undici', 'http', undici()],
  ['fetch', 'fetch'],
  // Keeps the config it got on whatever it makes, as axios' own do.
  ['custom', ((config) => axios.getAdapter('http')(config)) as AxiosAdapter],
  [
    'careless custom',
    async (config) => {
      const response = await axios.getAdapter('http')({ ...config, validateStatus: null });
      const message = `failed with ${JSON.stringify(config.headers)}`;
      if (response.data instanceof Readable) {
        response.data.once('error', (error) => Object.assign(error, { message, config, request: { config } }));
      }
      if (response.status < 400) return { ...response, config };
      const error = new Error(message);
      throw Object.assign(error, {
        isAxiosError: true,
        config,
        response: { ...response, config },
        request: { config },
      });
    },
  ],
];

describe.each(adapters)('what comes out of the adapter %s', (adapterName, adapter, transport) => {
  describe.each(['session', 'api token'])('with an %s', (kind) => {
    let api: Backend;
    let auth: QelosAuth;
    beforeEach(async () => {
      api = await startBackend();
      const { url, username, password, apiToken } = api;
      auth = openAuth({
        config: kind === 'session' ? { url, username, password } : { url, apiToken },
        axios: { adapter } as never,
        ...(transport && { transport }),
      });
      await auth.signIn();
    });
    const expectNone = async (value: unknown) => expect(leaks(value, secretsOf(api))).toEqual([]);

    describe.each([undefined, 'stream', 'arraybuffer', 'text'] as const)('responseType %s', (responseType) => {
      const get = (path: string, more: AxiosRequestConfig = {}) =>
        auth.http.get(path, { ...(responseType && { responseType }), ...more });

      it('F12: no secret can be reached from a response', async () => {
        const response = await get('/x');
        await expectNone(response);
        if (response.data instanceof Readable) {
          for await (const _ of response.data);
          await expectNone(response);
        }
      });

      it.each([400, 401, 403, 404, 500, 503])('F10: none from the error of a %i', async (status) => {
        api.on('/bad', (_, response) => sendJson(response, status, { message: 'no' }));
        const error = await failure(get('/bad'));
        expect((error as { response: unknown }).response).toMatchObject({ status });
        await expectNone(error);
      });

      it('F10: none from a 401 that validateStatus takes for a success', async () => {
        api.on('/bad', (_, response) => sendJson(response, 401, { message: 'no' }));
        const response = await get('/bad', { validateStatus: null }).catch((error) => error.response);
        expect(response.status).toBe(401);
        await expectNone(response);
      });
    });

    it('F10: none from a network error', async () => {
      api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
      const error = await failure(auth.http.get('/reset'));
      expect(isAxiosError(error) && error.response).toBeUndefined();
      await expectNone(error);
    });

    it('F10: none from a time-out', async () => {
      api.on('/hang', () => {});
      const error = await failure(auth.http.get('/hang', { timeout: 30 }));
      expect(isAxiosError(error) && error.code).toMatch(/^(ECONNABORTED|ETIMEDOUT)$/);
      await expectNone(error);
    });

    it('F10: none from an abort', async () => {
      const abort = new AbortController();
      api.on('/hang', () => abort.abort());
      const error = await failure(auth.http.get('/hang', { signal: abort.signal }));
      expect(axios.isCancel(error)).toBe(true);
      await expectNone(error);
    });

    it('F10: none from an answer that is too large', async () => {
      api.on('/large', (_, response) => response.end('x'.repeat(100_000)));
      const error = await failure(auth.http.get('/large', { maxContentLength: 1_000 }));
      expect(error).toBeInstanceOf(Error);
      await expectNone(error);
    });

    it('F10: none from a body that is too large', async () => {
      const error = await failure(auth.http.post('/x', 'x'.repeat(100_000), { maxBodyLength: 1_000 }));
      expect(error).toBeInstanceOf(Error);
      await expectNone(error);
    });

    it('F10: none from a transform that throws', async () => {
      // It tells all that it was given: whatever the request was sent with must not be among it.
      function transform(this: unknown, ...given: unknown[]): never {
        throw Object.assign(new Error('transform'), { config: this, given });
      }
      for (const config of [{ transformResponse: transform }, { transformRequest: transform }]) {
        const error = await failure(auth.http.post('/x', {}, config));
        expect(error).toMatchObject({ message: 'transform', config: { url: '/x' } });
        await expectNone(error);
      }
    });

    it('F10: none from a redirect that was not followed', async () => {
      api.on('/moved', (_, response) => response.writeHead(302, { location: 'http://localhost:1/' }).end());
      const error = await failure(auth.http.get('/moved'));
      expect(isAuthError(error) && error.code).toBe('ERR_AUTH_REDIRECT');
      await expectNone(error);
    });

    it('F10: none from the stream of an answer that breaks off', async () => {
      api.on('/broken', (_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('begin', () => response.socket?.resetAndDestroy());
      });
      const { data } = await auth.http.get('/broken', { responseType: 'stream' });
      const error = await failure(buffer(data));
      expect(error).toHaveProperty('message');
      await expectNone({ error, data }); // node's own stream leads to its request
    });

    it('F10: none from what was answered after a redirect, a refresh and both', async () => {
      api.on('/moved', (_, response) => response.writeHead(307, { location: '/there' }).end());
      api.on('/there', ({ authorized }, response) => (authorized ? sendJson(response, 404, {}) : false));
      if (kind === 'session') api.expire();
      const error = await failure(auth.http.post('/moved', { a: 1 }));
      expect((error as { response: unknown }).response).toMatchObject({ status: 404 });
      await expectNone(error);
      await expectNone(await auth.http.get('/x'));
    });

    if (adapterName !== 'http') return;
    it('F11: none from two requests on one keep-alive agent of which one fails', async () => {
      const other = await startBackend();
      const httpAgent = new Agent({ keepAlive: true, maxSockets: 4 });
      whenDone(() => httpAgent.destroy());
      const both = [api, other].map(({ url, username, password, apiToken }) =>
        openAuth({
          config: kind === 'session' ? { url, username, password } : { url, apiToken },
          axios: { httpAgent },
        }),
      ) as [QelosAuth, QelosAuth];
      let answerSlow = () => {};
      for (const bad of ['/reset', '/missing', '/refused']) {
        other.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
        other.on('/missing', (_, response) => sendJson(response, 404, {}));
        other.on('/refused', (_, response) => sendJson(response, 401, {}));
        const arrived = new Promise<void>((resolve) => {
          api.on('/slow', (_, response) => {
            answerSlow = () => response.end('{}');
            resolve();
          });
        });
        const slow = both[0].http.get('/slow');
        await arrived;
        const error = await failure(both[1].http.get(bad));
        expect(error).toHaveProperty('message');
        expect(leaks(error, secretsOf(api, other))).toEqual([]);
        const response = await both[1].http.get('/x');
        expect(leaks(response, secretsOf(api, other))).toEqual([]);
        answerSlow();
        expect(leaks(await slow, secretsOf(api, other))).toEqual([]);
        expect(httpAgent.freeSockets).not.toEqual({});
      }
    });
  });
});

describe.each([...ways, impersonating])('errors, through $name', ({ open, send, name }) => {
  it('F14: no secret from a sign-in that answers 500 with a body that echoes the password', async () => {
    hurry();
    for (const status of [500, 400, 401, 200]) {
      const api = await startBackend();
      const { url, username, password } = api;
      api.on('/api/signin', ({ body, headers }, response) =>
        sendJson(
          response,
          status,
          { message: `no: ${body}`, echo: JSON.parse(body.toString()), headers },
          { 'x-echo': password },
        ),
      );
      const auth = open({ config: { url, username, password } });
      for (const error of [await failure(send(auth, { path: '/x' })), await failure(auth.signIn())]) {
        expect(isAuthError(error)).toBe(true);
        expect(leaks(error, [...secretsOf(api)])).toEqual([]);
      }
      expect(api.to('/x')).toEqual([]);
    }
  });

  it('F14: no secret from a refresh or sign-in that a redirect, a reset or a plain-text echo answers', async () => {
    hurry();
    const api = await startBackend();
    const { url, username, password } = api;
    const answers: Parameters<Backend['on']>[1][] = [
      ({ body, headers }, response) => response.writeHead(502).end(`${body} ${JSON.stringify(headers)}`),
      ({ body }, response) => response.writeHead(302, { location: `http://localhost:1/?${body}` }).end(),
      (_, _response, incoming) => incoming.socket.resetAndDestroy(),
      ({ body }, response) => sendJson(response, 200, { payload: { token: 5, refreshToken: String(body) } }),
    ];
    for (const answer of answers) {
      const auth = open({ config: { url, username, password } });
      await send(auth, { path: '/x' });
      api.expire();
      api.on('/api/token/refresh', answer);
      api.on('/api/signin', answer);
      const error = await failure(send(auth, { path: '/x' }));
      expect(isAuthError(error)).toBe(true);
      expect(leaks(error, secretsOf(api))).toEqual([]);
      api.on('/api/token/refresh', () => false);
      api.on('/api/signin', () => false);
    }
  });

  it('F10: no secret from a network fault, however deep', async () => {
    const api = await startBackend();
    const { url, username, password } = api;
    const auth = open({ config: { url, username, password } });
    await auth.signIn();
    api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
    const error = await failure(send(auth, { path: '/reset', method: 'POST', body: '{}' }));
    expect(error).toBeInstanceOf(Error);
    expect(leaks(error, secretsOf(api))).toEqual([]);
    await api.close();
    const refused = await failure(send(auth, { path: '/x' }));
    expect(refused).toBeInstanceOf(Error);
    expect(leaks(refused, secretsOf(api))).toEqual([]);
  });

  it('F54: no secret in any sink of the instance itself, before, during and after', async () => {
    const api = await startBackend();
    const { url, username, password } = api;
    const auth = open({ config: { url, username, password } });
    // The agents of axios are the process's own; what a plugin prints is the instance.
    const all = () => [auth, auth.http, auth.fetch, auth.strategy, auth.sdk].map((part) => ({ part }));
    for (const state of ['cold', 'warm', 'refreshed']) {
      for (const value of all()) expect([state, leaks(value, secretsOf(api))]).toEqual([state, []]);
      if (state === 'warm') api.expire();
      await send(auth, { path: '/x' });
    }
    expect(name).toBeTruthy();
  });

  it('F55: no secret in any event', async () => {
    hurry();
    const api = await startBackend();
    const { url, username, password } = api;
    const auth = open({ config: { url, username, password } });
    const told: unknown[] = [];
    for (const event of EVENT_NAMES) auth.on(event, (detail) => told.push({ event, detail }));
    await send(auth, { path: `/x?token=${password}` });
    api.expire();
    await send(auth, { path: `/x?token=${password}` });
    api.expire();
    api.on('/api/token/refresh', ({ headers }, response) => response.writeHead(503).end(JSON.stringify(headers)));
    await failure(send(auth, { path: '/x' }));
    expect(told.map((one) => (one as { event: string }).event)).toEqual(
      expect.arrayContaining(['strategySelected', 'signedIn', 'refreshed', 'refreshFailed', 'requestRetried']),
    );
    expect(leaks(told, secretsOf(api))).toEqual([]);
  });
});

it('F10: no secret when nothing listens at all', async () => {
  hurry();
  const server = createTcpServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  const secrets = ['password-of-nobody', `ql_${'0'.repeat(64)}`];
  for (const config of [{ username: 'nobody', password: secrets[0] as string }, { apiToken: secrets[1] as string }]) {
    const auth = openAuth({ config: { url: `http://localhost:${port}`, ...config } });
    const error = await failure(auth.http.get('/x'));
    expect(isAuthError(error) && error.code).toBe('ERR_AUTH_UNAVAILABLE');
    expect(leaks(error, secrets)).toEqual([]);
  }
});

it('F55: no secret in any line under NODE_DEBUG=qelos-auth', async () => {
  const api = await startBackend();
  const { url, username, password } = api;
  let calls = 0;
  api.on('/api/me', (_, response) => {
    if (calls++) return false;
    api.expire();
    return sendJson(response, 401, { message: 'authorization token is not valid.' });
  });
  const { stdout, stderr } = await runChild('sign-in.ts', { url, username, password }, [], {
    NODE_DEBUG: 'qelos-auth',
  });
  expect(JSON.parse(stdout)).toMatchObject({ status: 200 });
  for (const event of ['strategySelected', 'signedIn', 'refreshed', 'requestRetried']) expect(stderr).toContain(event);
  expect(secretsOf(api).filter((secret) => stderr.includes(secret))).toEqual([]);
}, 20_000);
