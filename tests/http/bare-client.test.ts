import nodeHttp, { Agent, createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, jest } from '@jest/globals';
import axios, { type AxiosAdapter, AxiosError, type CreateAxiosDefaults } from 'axios';
import { createBareClient } from '../../src/http/bare-client';
import { Origin } from '../../src/http/origin';
import { listen, startBackend } from '../support/backend';
import { startProxy } from '../support/proxy';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

function clientOf(url: string, defaults: CreateAxiosDefaults = {}) {
  const abort = new AbortController();
  return {
    http: createBareClient(url, new Origin(url), abort.signal, defaults, { strategy: 'own', setting: 'QELOS_URL' }),
    abort,
  };
}

/** An adapter that answers with what the test gives, and shows what it was asked. */
function answering(response: object = {}) {
  return jest.fn<AxiosAdapter>(async (config) => ({
    ...{ status: 200, statusText: 'OK', headers: {}, data: '{"a":1}', request: {}, config },
    ...response,
  }));
}

describe('the client that strategies obtain credentials with', () => {
  it('sends to the origin of the instance alone', async () => {
    const adapter = answering();
    const { http } = clientOf('https://qelos.test', { adapter });
    expect(await failure(http.get('https://elsewhere.test/x'))).toMatchObject({ code: 'ERR_AUTH_INSECURE_URL' });
    expect(adapter).not.toHaveBeenCalled();
  });

  it('is reached like the instance, and takes nothing else over from it', async () => {
    const adapter = answering();
    const httpsAgent = { agent: true };
    const { http } = clientOf('https://qelos.test', {
      adapter,
      httpsAgent,
      headers: { 'x-mine': '1' } as never,
      params: { a: 1 },
    });
    await http.get('/x');
    const sent = adapter.mock.lastCall?.[0];
    expect(sent).toMatchObject({ httpsAgent, maxRedirects: 0 });
    expect(sent).not.toHaveProperty('httpAgent');
    expect(sent?.params).toBeUndefined();
    expect(sent?.headers.has('x-mine')).toBe(false);
  });

  it.each([
    ['http://127.0.0.1:1', false],
    ['https://qelos.test', { host: 'proxy.test', port: 1 }],
  ])('sends to %s with the proxy %j', async (url, proxy) => {
    const adapter = answering();
    await clientOf(url, { adapter, proxy: { host: 'proxy.test', port: 1 } }).http.get('/x');
    expect(adapter.mock.lastCall?.[0].proxy).toEqual(proxy);
  });

  it('shows of an answer nothing that was sent', async () => {
    const api = await startBackend();
    const { http } = clientOf(api.url);
    const response = await http.post('/api/signin', { username: api.username, password: api.password });
    expect(response.data.payload.token).toBe(api.secrets['access1']);
    expect(response.request).toBeUndefined();
    expect(response.config).toMatchObject({ headers: {}, transitional: expect.anything() });
    expect(response.config).not.toHaveProperty('data');
  });

  it('shows of a failure the status, the code and the body, and nothing that was sent', async () => {
    const api = await startBackend();
    const { http } = clientOf(api.url);
    const error = await failure(http.post('/api/signin', { username: 'x', password: 'wrong-password' }));
    expect(error).toMatchObject({
      name: 'AxiosError',
      code: 'ERR_BAD_REQUEST',
      response: { status: 401, data: { errors: expect.anything() } },
    });
    expect(error).not.toHaveProperty('config');
    expect(JSON.stringify(error)).not.toContain('wrong-password');
  });

  it('passes on what is no error of axios as it is', async () => {
    const adapter = async () => Promise.reject(new RangeError('of an adapter'));
    expect(await failure(clientOf('https://qelos.test', { adapter }).http.get('/x'))).toBeInstanceOf(RangeError);
  });

  it.each(['of the attempt', 'of one request'])('ends with the signal %s', async (whose) => {
    const api = await startBackend();
    const { http, abort } = clientOf(api.url);
    const own = new AbortController();
    api.on('/hang', () => (whose === 'of one request' ? own : abort).abort());
    const error = await failure(http.get('/hang', { signal: own.signal }));
    expect(axios.isCancel(error)).toBe(true);
    expect(error).toMatchObject({ name: 'CanceledError', code: 'ERR_CANCELED' });
    expect(error).not.toHaveProperty('config'); // axios' own names all that was sent
    // What is no cancellation does not look like one.
    api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
    const other = await failure(clientOf(api.url).http.get('/reset'));
    expect(other).toMatchObject({ name: 'AxiosError' });
    expect(other).not.toHaveProperty('response');
    expect(axios.isCancel(other)).toBe(false);
  });

  it.each(['as an answer', 'as an error'])('F04 follows no redirect that comes %s', async (how) => {
    for (const [location, says] of [
      ['/elsewhere', 'never followed'],
      ['https://elsewhere.test/', 'to https://elsewhere.test was not followed'],
    ]) {
      const adapter: AxiosAdapter = async (config) => {
        const response = await answering({ status: 302, headers: { location } })(config);
        if (how === 'as an answer') return response;
        throw new AxiosError('redirect', undefined, config, undefined, response);
      };
      const error = await failure(clientOf('https://qelos.test', { adapter }).http.get('/x'));
      expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: 302, retryable: true });
      expect(error).toMatchObject({ message: expect.stringContaining(says as string) });
    }
  });
});

describe('S18 plain http and what sits below axios', () => {
  it('a global agent that goes through a proxy sees nothing of a sign-in', async () => {
    const api = await startBackend();
    const proxy = await startProxy();
    class ProxyAgent extends Agent {
      override createConnection() {
        return connect(proxy.port, '127.0.0.1');
      }
    }
    const { globalAgent } = nodeHttp;
    nodeHttp.globalAgent = new ProxyAgent();
    try {
      const { http } = clientOf(api.url);
      await http.post('/api/signin', { username: api.username, password: api.password });
    } finally {
      nodeHttp.globalAgent = globalAgent;
    }
    expect(proxy.seen).toEqual([]);
    expect(api.to('/api/signin')).toHaveLength(1);
  });
});

describe('W02 keep-alive connections that have died unnoticed', () => {
  /** A server that has answered on so many connections at once, and resets whatever comes over one of them afterwards. */
  async function withDeadSockets(count: number) {
    const used = new Set<unknown>();
    let together: (() => void)[] = [];
    let answered = 0;
    const server = createServer((request, response) => {
      if (used.has(request.socket)) return request.socket.resetAndDestroy();
      used.add(request.socket);
      const answer = () => {
        answered++;
        response.setHeader('content-type', 'application/json').end('{}');
      };
      if (answered >= count) return answer();
      together.push(answer);
      if (together.length === count) for (const go of together.splice(0)) go();
    });
    server.keepAliveTimeout = 60_000;
    const port = await listen(server);
    whenDone(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const httpAgent = new Agent({ keepAlive: true });
    whenDone(() => httpAgent.destroy());
    const { http } = clientOf(`http://127.0.0.1:${port}`, { httpAgent });
    await Promise.all(Array.from({ length: count }, () => http.get('/x')));
    together = [];
    return { http, answered: () => answered };
  }

  it.each([1, 20])('%i of them: the request is sent once more over a new one, at once', async (count) => {
    const { http, answered } = await withDeadSockets(count);
    expect((await http.post('/api/token/refresh')).status).toBe(200);
    expect(answered()).toBe(count + 1);
  });

  it('a reset of a new connection is told: whoever wants to try again waits first', async () => {
    const api = await startBackend();
    api.on('/reset', (_, _response, incoming) => incoming.socket.resetAndDestroy());
    expect(await failure(clientOf(api.url).http.get('/reset'))).toMatchObject({ code: 'ECONNRESET' });
    expect(api.to('/reset')).toHaveLength(1);
  });
});
