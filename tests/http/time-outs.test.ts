import { createServer as createTcpServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import axios, { type AxiosRequestConfig } from 'axios';
import { undici } from 'qelos-auth/undici';
import type { QelosAuth, QelosAuthOptions } from '../../src';
import { type Backend, listen, startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const TIMEOUT_MS = 200;
/** Ten times the time-out: what ends by then ended by it, as nothing else here ends anything. */
const SOON_MS = 2_000;

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

async function soon<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('did not end')), SOON_MS);
  });
  return Promise.race([call, late]).finally(() => clearTimeout(timer));
}

type Handle = Pick<QelosAuth, 'http'>;
const adapters: [string, QelosAuthOptions, handle?: (auth: QelosAuth, apiKey: string) => Handle][] = [
  ['http', {}],
  ['http, acting for a caller', {}, (auth, apiKey) => auth.actingFor({ apiKey })],
  ['http, impersonating', {}, (auth) => auth.impersonating({ user: '65f0c0ffee65f0c0ffee65f0' })],
  ['fetch', { axios: { adapter: 'fetch' } }],
  ['http over undici', { transport: undici() }],
];

describe.each(adapters)('a time-out over the adapter %s', (_, options, handle = (auth) => auth) => {
  const open = async () => {
    const api = await startBackend();
    const auth = openAuth({ config: { url: api.url, apiToken: api.apiToken }, ...options });
    const { http } = handle(auth, api.apiToken);
    return {
      api,
      get: (path: string, more: AxiosRequestConfig = {}) => http.get(path, { timeout: TIMEOUT_MS, ...more }),
    };
  };
  /** Answers the beginning of a body, and drips the rest or not. */
  const stall = (api: Backend, path: string, status: number, drips = false, type = 'application/json') =>
    api.on(path, (_, response) => {
      response.writeHead(status, { 'content-type': type });
      response.write('{');
      const timer = drips ? setInterval(() => response.write(' '), 20) : undefined;
      response.once('close', () => clearInterval(timer));
    });

  it('S03: leaves no timer behind when its call is over', async () => {
    const { api, get } = await open();
    const timersOf = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    api.on('/404', (_, response) => void response.writeHead(404).end());
    await get('/warm', { timeout: 0 });
    const before = timersOf();
    for (let i = 0; i < 20; i++) await failure(get(i % 2 ? '/x' : '/404', { timeout: 3_600_000 }));
    expect(timersOf() - before).toBeLessThan(10); // connections that are kept have timers too, one each
  });

  describe.each([200, 401, 403, 503])('a body with status %i', (status) => {
    it.each([false, true])('S03: ends a buffered call (dripping: %s)', async (drips) => {
      const { api, get } = await open();
      stall(api, '/x', status, drips);
      const error = await soon(failure(get('/x')));
      expect(error).toMatchObject({ code: 'ECONNABORTED', message: `timeout of ${TIMEOUT_MS}ms exceeded` });
      expect(error).toMatchObject({ config: { timeout: TIMEOUT_MS }, request: { responseURL: `${api.url}/x` } });
    });

    it('S03: ends a stream that is silent for that long, and its reader is told', async () => {
      const { api, get } = await open();
      stall(api, '/x', status);
      const { data } = await soon(get('/x', { responseType: 'stream', validateStatus: null }));
      expect(await soon(failure(buffer(data)))).toMatchObject({ message: `timeout of ${TIMEOUT_MS}ms exceeded` });
    });

    it('S03: leaves a stream that drips to its reader', async () => {
      const { api, get } = await open();
      stall(api, '/x', status, true);
      const { data } = await soon(get('/x', { responseType: 'stream', validateStatus: null }));
      let chunks = 0;
      for await (const _ of data) if (++chunks === 20) break; // at least 400 ms
      expect(chunks).toBe(20);
    });
  });

  it('S03: counts once, whatever comes between', async () => {
    const { api, get } = await open();
    api.on('/x', (_, response) => void setTimeout(() => response.writeHead(302, { location: '/x' }).end(), 40));
    expect(await soon(failure(get('/x')))).toMatchObject({ code: 'ECONNABORTED' });
    expect(api.to('/x').length).toBeLessThan(20); // it would be 21 redirects
  });

  it('S03: of more than Node can count is none that ends at once', async () => {
    const { api, get } = await open();
    api.on('/x', (_, response) => void setTimeout(() => response.end('{}'), 50));
    expect((await get('/x', { timeout: 2 ** 31 })).status).toBe(200);
  });

  it('S20: says what axios was told to say', async () => {
    const { api, get } = await open();
    stall(api, '/x', 200);
    const words = { timeoutErrorMessage: 'too slow', transitional: { clarifyTimeoutError: true } };
    expect(await failure(get('/x', words))).toMatchObject({ code: 'ETIMEDOUT', message: 'too slow' });
  });

  it('S03: ends a call whose adapter obeys nothing', async () => {
    const { get } = await open();
    const error = await soon(failure(get('/x', { adapter: () => new Promise(() => {}) })));
    expect(error).toMatchObject({ code: 'ECONNABORTED' });
  });

  it('S01: a stalled stream that nobody reads is ended too, and harms nobody', async () => {
    const { api, get } = await open();
    let isClosed = false;
    api.on('/x', (_, response) => {
      response.writeHead(200, { 'content-length': '10' }).flushHeaders();
      response.once('close', () => {
        isClosed = true;
      });
    });
    await get('/x', { responseType: 'stream' });
    for (let turn = 0; turn < 400 && !isClosed; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isClosed).toBe(true);
  });

  it('S03: a slow reader is none of the server’s fault', async () => {
    const { api, get } = await open();
    api.on('/x', (_, response) => response.end('x'.repeat(1_000_000)));
    const { data } = await get('/x', { responseType: 'stream', timeout: 500 });
    let size = 0;
    for await (const chunk of data) {
      if (size === 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
      size += chunk.length;
    }
    expect(size).toBe(1_000_000);
  });
});

describe.each(['http', 'fetch'])('a time-out that is no number, over the adapter %s', (adapter) => {
  it.each<[unknown]>([['5s'], ['1e1'], ['30'], [{}], [true]])('S03: %j is read as axios reads it', async (timeout) => {
    const api = await startBackend();
    api.on('/hang', () => {});
    const { http } = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { adapter } });
    await http.get('/x'); // so that a call has not to wait
    const config = { timeout: timeout as number };
    const ours = (await soon(failure(http.get('/hang', config)))) as { code: string; message: string };
    const bare = (await soon(failure(axios.get(`${api.url}/hang`, { ...config, adapter })))) as typeof ours;
    expect(ours.message).toBe(bare.message);
    if (adapter === 'http') expect(ours.code).toBe(bare.code);
  });
});

it('S03: a call ends after an unasked 101', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    whenDone(() => socket.destroy());
    socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  });
  const port = await listen(server as never);
  whenDone(() => server.close());
  const auth = openAuth({ config: { url: `http://127.0.0.1:${port}`, apiToken: `ql_${'0'.repeat(64)}` } });
  for (const responseType of ['json', 'stream'] as const) {
    expect(await soon(failure(auth.http.get('/x', { timeout: TIMEOUT_MS, responseType })))).toHaveProperty('code');
  }
});

it('S03: a refusal whose body stalls is replayed in time', async () => {
  const api = await startBackend();
  const auth = openAuth({ config: { url: api.url, username: api.username, password: api.password } });
  await auth.signIn();
  api.expire();
  api.on('/x', ({ authorized }, response) => {
    if (authorized) return false;
    response.writeHead(401, { 'content-length': '10' }).write('{');
    return true;
  });
  const { data } = await auth.http.get('/x', { timeout: 1_000, responseType: 'stream' });
  expect(JSON.parse(String(await buffer(data)))).toMatchObject({ ok: true });
  expect(api.to('/x')).toHaveLength(2);
});
