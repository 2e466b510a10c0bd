import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import axios, { type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { undici } from 'qelos-auth/undici';
import type { QelosAuthOptions } from '../../src';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Until something holds, within five seconds. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(holds()).toBe(true);
}

/** An answer that has begun and does not end by itself. */
function begun(api: Backend, status = 200, headers: Record<string, string> = { 'content-length': '1000' }) {
  const sockets: Socket[] = [];
  api.on('/begun', (_, response, incoming) => {
    sockets.push(incoming.socket);
    response.writeHead(status, headers);
    response.write('begin');
  });
  return {
    reset: () => sockets.at(-1)?.resetAndDestroy(),
    cut: () => sockets.at(-1)?.destroySoon(),
    closed: () => until(() => sockets.every(({ destroyed }) => destroyed)),
  };
}

/** How a stream is opened: with this library, and with bare axios, which says what is to be expected. */
const options: [string, QelosAuthOptions][] = [
  ['the adapter http', {}],
  ['the adapter fetch', { axios: { adapter: 'fetch' } }],
  ['the adapter http over undici', { transport: undici() }],
];
const openers: [string, (api: Backend) => AxiosInstance][] = options.flatMap(([name, options]) => [
  [name, (api) => openAuth({ config: { url: api.url, apiToken: api.apiToken }, ...options }).http],
  [
    `${name}, sent as written`,
    (api) =>
      openAuth({
        config: { url: api.url, apiToken: api.apiToken },
        ...options,
        axios: { ...options.axios, skipAuth: true } as never,
      }).http,
  ],
]);
openers.push(
  ['bare axios', (api) => axios.create({ baseURL: api.url })],
  ['bare axios with the adapter fetch', (api) => axios.create({ baseURL: api.url, adapter: 'fetch' })],
);

type Broken = ReturnType<typeof begun> & { abort: AbortController };
const faults: [string, (broken: Broken) => unknown][] = [
  ['reset', ({ reset }) => reset()],
  ['cut short', ({ cut }) => cut()],
  ['aborted', ({ abort }) => abort.abort()],
];

describe.each(openers)('an answer as a stream, through %s', (name, open) => {
  const stream = async (status: number, fault: (broken: Broken) => unknown, listen: (data: Readable) => void) => {
    const api = await startBackend();
    const http = open(api);
    const server = begun(api, status);
    const abort = new AbortController();
    const call = http.get('/begun', { responseType: 'stream', signal: abort.signal });
    const { data } = await call.catch((error) => error.response);
    listen(data);
    await fault({ ...server, abort });
    await server.closed();
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    return data as Readable | ReadableStream;
  };

  describe.each([200, 404])('with status %i', (status) => {
    // axios itself does not listen to a signal any more once an answer has made it fail.
    const known = status === 404 && /as written|bare/.test(name) ? faults.slice(0, 2) : faults;

    it.each(known)(
      'S01: %s while nobody listens harms nobody, and who reads later gets the error',
      async (_, fault) => {
        const data = await stream(status, fault, () => {});
        expect(await failure(buffer(data as Readable))).toHaveProperty('message');
      },
    );

    it.each(known)('S01: %s is told to who listens', async (_, fault) => {
      const told: unknown[] = [];
      const data = await stream(
        status,
        fault,
        (data) => data instanceof Readable && data.on('error', (e) => told.push(e)),
      );
      if (data instanceof Readable) await until(() => told.length === 1);
      else expect(await failure(buffer(data as never))).toHaveProperty('message');
    });
  });

  it('S01: destroyed by its reader with an error that nobody listens for', async () => {
    const reason = new Error('not wanted');
    const api = await startBackend();
    const server = begun(api);
    const { data } = await open(api).get('/begun', { responseType: 'stream' });
    if (data instanceof Readable) data.destroy(reason);
    else await data.cancel(reason);
    await server.closed();
    if (data instanceof Readable) expect(data.errored ?? reason).toBe(reason);
  });
});

describe.each(openers.filter(([name]) => !/fetch|bare/.test(name)))('through %s', (_, open) => {
  it('S01: an answer that is larger than allowed ends for its reader with an error, and its connection with it', async () => {
    const api = await startBackend();
    const server = begun(api, 200, {});
    const { data } = await open(api).get('/begun', { responseType: 'stream', maxContentLength: 3 });
    if (data instanceof Readable) data.on('data', () => {}); // and not for errors
    expect(await failure(buffer(data))).toHaveProperty('message');
    await server.closed();
  });

  it('S01: an answer that is larger than allowed, and that its reader leaves alone', async () => {
    const api = await startBackend();
    const server = begun(api, 200, {});
    const { data } = await open(api).get('/begun', { responseType: 'stream', maxContentLength: 1_000 });
    const chunks = data[Symbol.asyncIterator]();
    expect(String(Buffer.from((await chunks.next()).value))).toBe('begin');
    if (data instanceof Readable) data.destroy();
    else await chunks.return();
    await server.closed();
  });
});

describe('a refused answer that is longer than what is read of it', () => {
  /** Refuses what is not authorized, and `/never` whatever it is, with a megabyte. */
  async function refusing(
    options: Partial<QelosAuthOptions> & { axios?: object },
  ): Promise<{ api: Backend; http: AxiosInstance; agent: Agent }> {
    const api = await startBackend();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    whenDone(() => agent.destroy());
    const auth = openAuth({
      config: { url: api.url, username: api.username, password: api.password },
      ...options,
      axios: { httpAgent: agent, ...options.axios },
    });
    await auth.signIn();
    const body = 'x'.repeat(1_000_000);
    for (const path of ['/x', '/never']) {
      api.on(path, ({ authorized }, response) =>
        authorized && path === '/x' ? false : response.writeHead(401, { 'content-length': '1000000' }).end(body),
      );
    }
    return { api, http: auth.http, agent };
  }
  const taken = (agent: Agent) => Object.values(agent.sockets).flat().length;
  const get = (http: AxiosInstance, path: string, more: AxiosRequestConfig = {}) =>
    http.get(path, { responseType: 'stream', validateStatus: null, timeout: 5_000, ...more });

  it.each([1, 2])('S04: is let go of before the renewal, with %i connections', async (maxSockets) => {
    const { api, http, agent } = await refusing({});
    agent.maxSockets = maxSockets;
    api.expire();
    const calls = Array.from({ length: 10 }, async () => buffer((await get(http, '/x')).data));
    const answers = await Promise.all(calls);
    expect(answers.map((answer) => JSON.parse(String(answer)).ok)).toEqual(answers.map(() => true));
    expect(api.to('/api/token/refresh')).toHaveLength(1);
    await until(() => taken(agent) === 0);
  });

  it('S04: that is the answer is whole, and its connection is free when its reader gives up', async () => {
    const { http, agent } = await refusing({});
    await get(http, '/never').then(({ data }) => data.destroy());
    await until(() => taken(agent) === 0);
    const { status, data } = await get(http, '/never'); // there is no second renewal: nothing had to be let go of
    expect([status, (await buffer(data)).length]).toEqual([401, 1_000_000]);
    await until(() => taken(agent) === 0);
    expect((await http.get('/y')).status).toBe(200);
  });

  it('S04: to an upload does not keep the renewal for the others waiting', async () => {
    const { api, http, agent } = await refusing({});
    api.expire();
    const options = { responseType: 'stream', validateStatus: null } as const;
    const { status, data } = await http.post('/x', Readable.from(['a']), options);
    expect(status).toBe(401);
    expect((await http.get('/y', { timeout: 5_000 })).status).toBe(200);
    let text = '';
    const error = await failure(
      (async () => {
        for await (const chunk of data) text += chunk;
      })(),
    );
    expect(text).toMatch(/^x{65536,}$/); // what was read ahead
    expect(error).toMatchObject({ message: expect.stringContaining('let go of') });
    await until(() => taken(agent) === 0);
  });

  it('S04: is cancelled with the adapter fetch too', async () => {
    const { api, http } = await refusing({ axios: { adapter: 'fetch', httpAgent: undefined } });
    api.expire();
    expect(JSON.parse(String(await buffer((await get(http, '/x')).data)))).toMatchObject({ ok: true });
    const { data } = await get(http, '/never');
    expect(String(await buffer(data))).toHaveLength(1_000_000);
  });

  it.each(['http', 'fetch'])('S04: that stalls is let go of, with the adapter %s too', async (adapter) => {
    const { api, http } = await refusing({ axios: { adapter, httpAgent: undefined } });
    const sockets: Socket[] = [];
    api.on('/stalls', ({ authorized }, response, incoming) => {
      if (authorized) return false;
      sockets.push(incoming.socket);
      return response.writeHead(401).write('{');
    });
    api.expire();
    const { data } = await get(http, '/stalls', { timeout: 2_000 });
    expect(JSON.parse(String(await buffer(data)))).toMatchObject({ ok: true });
    expect(sockets).toHaveLength(1);
    await until(() => sockets[0]?.destroyed === true);
  });

  it('S04: holds nothing when its redirect is followed', async () => {
    const { api, http, agent } = await refusing({});
    api.on('/moved', (_, response) => response.writeHead(302, { location: '/y' }).end('x'.repeat(1_000_000)));
    api.on('/stalls', (_, response) => {
      response.writeHead(302, { location: '/y', 'content-length': '10' });
      response.write('x');
    });
    expect(JSON.parse(String(await buffer((await get(http, '/moved')).data)))).toMatchObject({ ok: true });
    expect(JSON.parse(String(await buffer((await get(http, '/stalls')).data)))).toMatchObject({ ok: true });
    await until(() => taken(agent) === 0);
  });
});

it('S01: an abort after the end of an answer changes nothing', async () => {
  const api = await startBackend();
  const { http } = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  api.on('/x', (_, response) => sendJson(response, 200, { a: 1 }));
  const abort = new AbortController();
  const { data } = await http.get('/x', { responseType: 'stream', signal: abort.signal });
  expect(String(await buffer(data))).toBe('{"a":1}');
  abort.abort();
  await new Promise(setImmediate);
  expect(data.errored).toBeNull();
});
