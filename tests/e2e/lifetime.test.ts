import { beforeEach, describe, expect, it } from '@jest/globals';
import { container } from 'tsyringe';
import { isAuthError, QELOS_HTTP, QELOS_SDK, QelosAuth, registerQelosAuth } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { type Backend, startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { openAuth, ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';
/** The life of an access token of the embedded server, as a client counts it. */
const LIFE_MS = (300 * 60 - 1) * 1_000;

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

const start = async (): Promise<{
  server: QelosServer;
  config: { url: string; username: string; password: string };
}> => {
  const server = await startQelosServer();
  whenDone(() => server.close());
  const { username, password } = server.users[0] as { username: string; password: string };
  return { server, config: { url: server.url, username, password } };
};

describe.each(ways)('close(), through $name', ({ open, send }) => {
  it('F56: ends whoever waits for a sign-in, and what comes later, with ERR_AUTH_CLOSED', async () => {
    const { server, config } = await start();
    server.fail(SIGN_IN, 'hang');
    const auth = open({ config });
    const waiting = Array.from({ length: 10 }, () => failure(send(auth, { path: '/api/me' })));
    await Promise.resolve();
    await auth.close();
    const errors = [...(await Promise.all(waiting)), await failure(send(auth, { path: '/api/me' }))];
    expect(errors.map((error) => isAuthError(error) && error.code)).toEqual(errors.map(() => 'ERR_AUTH_CLOSED'));
    expect(new Set(errors).size).toBe(errors.length); // each caller has an error of its own
    expect(server.requests.count({ path: '/api/me' })).toBe(0);
    await auth.close(); // twice does no harm
  });

  it('F56: ends whoever waits for a refresh', async () => {
    const api = await startBackend();
    const auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    await auth.signIn();
    api.expire();
    const arrived = new Promise<void>((resolve) => api.on(REFRESH, () => resolve()));
    const call = failure(send(auth, { path: '/x' }));
    await arrived;
    await auth.close();
    expect(await call).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(api.to('/x')).toHaveLength(1);
  });

  it('F56: lets an answer that is on its way arrive', async () => {
    const api = await startBackend();
    const auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    await auth.signIn();
    let answer = () => {};
    const arrived = new Promise<void>((resolve) => {
      api.on('/slow', (_, response) => {
        answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"fine":1}');
        resolve();
      });
    });
    const call = send(auth, { path: '/slow' });
    await arrived;
    await auth.close();
    answer();
    expect(await call).toMatchObject({ status: 200, data: { fine: 1 } });
  });
});

describe('a process', () => {
  it('F56: ends by itself after close(), though a sign-in hangs', async () => {
    const { server, config } = await start();
    server.fail(SIGN_IN, 'hang');
    const { code, stdout, stderr } = await runChild('close-in-flight.ts', { ...config, timeoutMs: 600_000 });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual(Array.from({ length: 4 }, () => 'ERR_AUTH_CLOSED'));
  }, 20_000);

  it.each(['http', 'fetch', 'sdk'])(
    'ends by itself when it is idle (%s)',
    async (way) => {
      const { config } = await start();
      const { code, stdout, stderr } = await runChild('idle.ts', { config, way });
      expect([code, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout)).toMatchObject({ statuses: [200], failures: [] });
      expect(JSON.parse(stdout).seconds).toBeLessThan(10);
    },
    20_000,
  );

  it.each([
    ['is down', { status: 503 }],
    ['resets', 'reset'],
    ['hangs', 'hang'],
    ['answers with a web page', 'html'],
  ] as const)(
    'F48: goes on in the soft window while refresh %s, rejects nothing unhandled, and ends by itself',
    async (_, fault) => {
      const { server, config } = await start();
      server.fail(REFRESH, fault);
      const { code, stdout, stderr } = await runChild('idle.ts', {
        config: { ...config, timeoutMs: 500 },
        way: 'http',
        lifeMs: LIFE_MS,
      });
      expect([code, stderr]).toEqual([0, '']);
      const { statuses, failures } = JSON.parse(stdout);
      expect(statuses).toEqual([200, 200, 200]);
      expect(failures).toHaveLength(1);
      // The flight tries again within its 500 ms.
      expect(server.requests.count({ path: REFRESH })).toBeGreaterThan(0);
      expect(server.requests.count({ path: REFRESH })).toBeLessThanOrEqual(4);
      expect(server.requests.count({ path: SIGN_IN })).toBe(1);
    },
    20_000,
  );
});

describe('F57: several accounts in one process', () => {
  let first: Backend;
  let second: Backend;
  beforeEach(async () => {
    first = await startBackend();
    second = await startBackend();
  });
  const secretsIn = (from: Backend, at: Backend) => {
    const all = at.received.map(({ headers, body, url }) => `${url} ${JSON.stringify(headers)} ${body}`).join('\n');
    return Object.entries(from.secrets).filter(([, secret]) => all.includes(secret));
  };

  it.each(ways)('no credential crosses over between two origins, through $name', async ({ open, send }) => {
    const auths = [first, second].map(({ url, username, password }) =>
      open({ config: { url, username, password } }),
    ) as [QelosAuth, QelosAuth];
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => send(auths[i % 2] as QelosAuth, { path: '/x' })),
      );
      expect(answers.every(({ status }) => status === 200)).toBe(true);
      (round % 2 ? first : second).expire();
    }
    expect([secretsIn(first, second), secretsIn(second, first)]).toEqual([[], []]);
    expect(Object.keys(first.secrets).length).toBeGreaterThan(4);
  });

  it('each reaches the other origin only without its credential', async () => {
    const auths = [first, second].map(({ url, apiToken }) => openAuth({ config: { url, apiToken } })) as [
      QelosAuth,
      QelosAuth,
    ];
    await failure(auths[0].http.get(`${second.url}/x`));
    await failure(auths[1].fetch(`${first.url}/x`));
    expect([second.to('/x').length, first.to('/x').length]).toEqual([1, 1]);
    expect([secretsIn(first, second), secretsIn(second, first)]).toEqual([[], []]);
  });

  it('two accounts of one origin keep apart', async () => {
    const server = await startQelosServer();
    whenDone(() => server.close());
    const auths = server.users.map(({ username, password }) =>
      openAuth({ config: { url: server.url, username, password } }),
    );
    for (let round = 0; round < 3; round++) {
      const names = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, i) => (await (auths[i % 2] as QelosAuth).http.get('/api/me')).data.username,
        ),
      );
      expect(names).toEqual(Array.from({ length: 20 }, (_, i) => server.users[i % 2]?.username));
      server.expireAccessTokens();
    }
  });

  it('two containers keep apart, whichever way something is injected', async () => {
    const children = [first, second].map(({ url, apiToken }) => {
      const child = container.createChildContainer();
      registerQelosAuth(child, { env: {}, config: { url, apiToken } });
      whenDone(() => child.dispose());
      return child;
    });
    for (const child of [...children, ...children]) {
      await child.resolve(QELOS_HTTP).get('/x');
      await child.resolve(QELOS_SDK).blocks.getList();
      await child.resolve(QelosAuth).fetch('/y');
    }
    for (const backend of [first, second]) {
      expect(backend.received).toHaveLength(7); // and one sign-in
      expect(backend.received.every(({ authorized }) => authorized)).toBe(true);
    }
    expect([secretsIn(first, second), secretsIn(second, first)]).toEqual([[], []]);
  });
});
