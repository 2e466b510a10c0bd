import { Agent } from 'node:http';
import { describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosInstance, isAxiosError } from 'axios';
import { setupCache } from 'axios-cache-interceptor';
import * as AxiosLogger from 'axios-logger';
import rateLimit from 'axios-rate-limit';
import axiosRetry from 'axios-retry';
import * as rax from 'retry-axios';
import { isAuthError, type QelosAuth, type QelosAuthOptions } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const SIGN_IN = '/api/signin';
const failure = (call: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error,
  );

async function start(): Promise<QelosServer> {
  const server = await startQelosServer();
  whenDone(() => server.close());
  return server;
}

/** Over an API that answers a plain sign-in with `faults` first. */
function signingIn(server: QelosServer, options: QelosAuthOptions = {}): QelosAuth {
  const { username, password } = server.users[0] as { username: string; password: string };
  return openAuth({ ...options, config: { url: server.url, username, password } });
}

const withToken = ({ url, apiToken }: Backend, options: QelosAuthOptions = {}) =>
  openAuth({ ...options, config: { url, apiToken } });

describe('S17: the error of a failed sign-in, as axios plugins see it', () => {
  it('has the config as the caller wrote it and is an AuthError all the same', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 400 });
    const auth = signingIn(server);
    const error = (await failure(auth.http.get('/api/me', { params: { a: 1 }, headers: { 'x-mine': '1' } }))) as {
      config: { url: string; method: string; params: object; headers: { get(name: string): string } };
    };
    expect(isAuthError(error)).toBe(true);
    expect(isAxiosError(error)).toBe(true);
    expect(error.config).toMatchObject({ url: '/api/me', method: 'get', params: { a: 1 } });
    expect(error.config.headers.get('x-mine')).toBe('1');
    expect(leaks(error, [server.users[0]?.password as string])).toEqual([]);
  });

  it('does not break an interceptor that reads error.config and error.response', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 400 });
    const auth = signingIn(server);
    const seen: unknown[] = [];
    auth.http.interceptors.response.use(undefined, (error) => {
      seen.push(error.config.url, error.response?.status, error.toJSON?.());
      return Promise.reject(error);
    });
    expect(isAuthError(await failure(auth.http.get('/api/me')))).toBe(true);
    expect(seen.slice(0, 2)).toEqual(['/api/me', undefined]);
  });

  it('gives each caller an error with its own config', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 400 });
    const auth = signingIn(server);
    const [a, b] = (await Promise.all([failure(auth.http.get('/a')), failure(auth.http.get('/b'))])) as {
      config: { url: string };
    }[];
    expect([a?.config.url, b?.config.url]).toEqual(['/a', '/b']);
  });
});

describe('S17: axios-retry', () => {
  it('is asked about a failed sign-in, and tries again', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 429, headers: { 'retry-after': '0' } }, 1);
    const auth = signingIn(server);
    const retryCondition = jest.fn((error: unknown) => isAuthError(error) && error.retryable);
    axiosRetry(auth.http, { retries: 1, retryDelay: () => 1, retryCondition });
    await failure(auth.http.get('/api/me'));
    expect(retryCondition).toHaveBeenCalled();
  });

  it.each(['its own origin', 'another origin'] as const)(
    'sends a second time by the agent of the call: %s',
    async (where) => {
      const backend = await startBackend();
      const other = await startBackend({ other: (_request, response) => sendJson(response, 503, {}) });
      let answers = 0;
      backend.on('/flaky', (_request, response) => {
        answers += 1;
        sendJson(response, answers === 1 ? 503 : 200, { answers });
      });
      const auth = withToken(backend);
      axiosRetry(auth.http, { retries: 1, retryDelay: () => 1 });
      const used: string[] = [];
      class Counting extends Agent {
        override createConnection(...given: Parameters<Agent['createConnection']>) {
          used.push('connected');
          return super.createConnection(...given);
        }
      }
      const httpAgent = new Counting({ keepAlive: false });
      whenDone(() => httpAgent.destroy());
      const url = where === 'its own origin' ? '/flaky' : `${other.url}/flaky`;
      const outcome = await auth.http.get(url, { httpAgent }).catch((error) => error.response);
      expect(outcome.status).toBe(where === 'its own origin' ? 200 : 503);
      expect(used).toHaveLength(2);
      expect(leaks(outcome, [backend.apiToken])).toEqual([]);
    },
  );
});

describe('S17: retry-axios', () => {
  it('sends a 503 again, with the credential', async () => {
    const backend = await startBackend();
    let answers = 0;
    backend.on('/flaky', ({ authorized }, response) => {
      answers += 1;
      sendJson(response, answers === 1 ? 503 : 200, { authorized });
    });
    const auth = withToken(backend);
    rax.attach(auth.http as never);
    const raxConfig = { retry: 2, retryDelay: 1, backoffType: 'static' };
    const { data } = await auth.http.get('/flaky', { raxConfig } as never);
    expect(data).toEqual({ authorized: true });
    expect(answers).toBe(2);
  });

  it('ends with the AuthError of a failed sign-in', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 400 }, 10);
    const auth = signingIn(server);
    rax.attach(auth.http as never);
    const raxConfig = { retry: 1, retryDelay: 1, noResponseRetries: 1, backoffType: 'static' };
    const error = await failure(auth.http.get('/api/me', { raxConfig } as never));
    expect(isAuthError(error)).toBe(true);
    expect(leaks(error, [server.users[0]?.password as string])).toEqual([]);
  });
});

describe('S17: axios-cache-interceptor', () => {
  it.each(['after', 'before'] as const)(
    'settles every call when a sign-in failed, set up %s attaching',
    async (order) => {
      const server = await start();
      server.fail(SIGN_IN, { status: 400 }, 1);
      const { username, password } = server.users[0] as { username: string; password: string };
      const auth = openAuth({ config: { url: server.url, username, password } });
      let http: AxiosInstance;
      if (order === 'after') http = setupCache(auth.http as never) as unknown as AxiosInstance;
      else {
        http = setupCache(axios.create({ baseURL: server.url }) as never) as unknown as AxiosInstance;
        auth.attach(http);
      }
      const first = await Promise.all([failure(http.get('/api/me')), failure(http.get('/api/me'))]);
      expect(first.filter((error) => error === undefined || isAuthError(error))).toHaveLength(2);
      const again = await Promise.all([failure(http.get('/api/me')), failure(http.get('/api/me'))]);
      expect(again.filter((error) => error === undefined || isAuthError(error))).toHaveLength(2);
    },
  );

  it('answers from its cache, without a secret in it', async () => {
    const backend = await startBackend();
    const auth = withToken(backend);
    const http = setupCache(auth.http as never, { ttl: 60_000 }) as unknown as AxiosInstance;
    await http.get('/books');
    const cached = await http.get('/books');
    expect(cached.data).toMatchObject({ ok: true });
    expect(backend.to('/books')).toHaveLength(1);
    expect(leaks(cached, [backend.apiToken])).toEqual([]);
  });
});

describe('S17: axios-rate-limit', () => {
  it('lets every call through, with the credential', async () => {
    const backend = await startBackend();
    const auth = withToken(backend);
    const http = rateLimit(auth.http as never, { maxRequests: 100, perMilliseconds: 1000 }) as unknown as AxiosInstance;
    const calls = await Promise.all(Array.from({ length: 20 }, () => http.get('/books')));
    expect(calls.filter(({ status }) => status === 200)).toHaveLength(20);
    expect(backend.to('/books').filter(({ authorized }) => authorized)).toHaveLength(20);
  });

  it('passes on the AuthError of a failed sign-in', async () => {
    const server = await start();
    server.fail(SIGN_IN, { status: 400 }, 1);
    const auth = signingIn(server);
    const http = rateLimit(auth.http as never, { maxRequests: 100, perMilliseconds: 1000 }) as unknown as AxiosInstance;
    expect(isAuthError(await failure(http.get('/api/me')))).toBe(true);
  });
});

describe('S17: axios-logger', () => {
  it('logs requests, answers, refusals and failed sign-ins without a secret, and hides none of them', async () => {
    const backend = await startBackend();
    const auth = openAuth({
      config: { url: backend.url, username: backend.username, password: backend.password },
    });
    const lines: string[] = [];
    const options = { logger: (text: string) => void lines.push(text), headers: true, data: true };
    auth.http.interceptors.request.use(((request: never) => AxiosLogger.requestLogger(request, options)) as never);
    auth.http.interceptors.response.use(
      ((response: never) => AxiosLogger.responseLogger(response, options)) as never,
      (error) => AxiosLogger.errorLogger(error, options),
    );
    backend.on(SIGN_IN, (_request, response) => sendJson(response, 400, {}));
    expect(isAuthError(await failure(auth.http.get('/books')))).toBe(true);
    backend.on('/no', (_request, response) => sendJson(response, 403, { message: 'not permitted' }));
    const other = openAuth({ config: { url: backend.url, apiToken: backend.apiToken } });
    other.http.interceptors.response.use(
      ((response: never) => AxiosLogger.responseLogger(response, options)) as never,
      (error) => AxiosLogger.errorLogger(error, options),
    );
    expect((await other.http.get('/books')).status).toBe(200);
    expect(await failure(other.http.get('/no'))).toMatchObject({ response: { status: 403 } });
    expect(lines.length).toBeGreaterThan(3);
    for (const secret of Object.values(backend.secrets)) expect(lines.join('\n')).not.toContain(secret);
  });
});

describe('S17: the idiom of the axios documentation', () => {
  it('finds error.request where there was no answer, and no secret behind it', async () => {
    const backend = await startBackend();
    backend.on('/reset', (_request, _response, incoming) => incoming.socket.destroy());
    const auth = withToken(backend);
    const error = await failure(auth.http.get('/reset'));
    expect(isAxiosError(error) && error.response === undefined && Boolean(error.request)).toBe(true);
    expect(leaks(error, [backend.apiToken])).toEqual([]);
  });
});
