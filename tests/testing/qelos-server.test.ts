import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type QelosServer, type QelosServerOptions, startQelosServer } from '../../src/testing';

interface Payload {
  readonly token: string;
  readonly refreshToken: string;
  readonly workspace?: { readonly _id: string; readonly name: string };
}

const open: QelosServer[] = [];

async function start(options?: QelosServerOptions): Promise<QelosServer> {
  const started = await startQelosServer(options);
  open.push(started);
  return started;
}

let server: QelosServer;

beforeEach(async () => {
  server = await start();
});
afterEach(async () => {
  jest.useRealTimers();
  for (const one of open.splice(0)) await one.close();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const get = (path: string, headers: Record<string, string> = {}) => fetch(server.url + path, { headers });

function post(path: string, body?: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

function signIn(user = 0): Promise<Response> {
  const { username, password } = server.users[user] ?? { username: '', password: '' };
  return post('/api/signin', { username, password, authType: 'oauth' });
}

const payload = async (response: Response) => ((await response.json()) as { payload: Payload }).payload;
const session = async (user = 0) => payload(await signIn(user));
const refresh = (refreshToken: string) => post('/api/token/refresh', undefined, bearer(refreshToken));
const statuses = async (responses: Promise<Response>[]) => (await Promise.all(responses)).map(({ status }) => status);
const okay = (all: number[]) => all.filter((status) => status === 200).length;

/** The error code a request ends with when there is no answer. */
function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'answered',
    (error: { cause?: { code?: string }; name: string }) => error.cause?.code ?? error.name,
  );
}

describe('start', () => {
  test('without options there are an admin and a plain user, with passwords of their own', async () => {
    const [admin, user] = server.users;
    expect(server.users).toHaveLength(2);
    expect(admin?.roles).toEqual(['admin']);
    expect(user?.roles).toEqual(['user']);
    expect(admin?.password).not.toBe(user?.password);
    expect((await start()).users[0]?.password).not.toBe(admin?.password);
    expect([(await signIn(0)).status, (await signIn(1)).status]).toEqual([200, 200]);
  });

  test('listens on loopback alone, at the port asked for', async () => {
    const { port } = new URL(server.url);
    await server.close();
    const again = await start({ port: Number(port) });
    expect(again.url).toBe(`http://127.0.0.1:${port}`);
  });

  test('a port that is taken is an error', async () => {
    const port = Number(new URL(server.url).port);
    await expect(startQelosServer({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('users share the workspaces they name, and the handle says their ids', async () => {
    server = await start({
      users: [
        { username: 'one', password: 'p1', workspaces: ['Acme', { name: 'Umbrella', roles: ['admin'] }] },
        { username: 'two', password: 'p2', workspaces: ['Acme'] },
      ],
    });
    const [one, two] = server.users;
    expect(one?.workspaces.map(({ name, roles }) => [name, roles])).toEqual([
      ['Acme', ['user']],
      ['Umbrella', ['admin']],
    ]);
    expect(two?.workspaces[0]?._id).toBe(one?.workspaces[0]?._id);
    expect((await session(1)).workspace?._id).toBe(two?.workspaces[0]?._id);
  });

  test('two users of one name are an error', async () => {
    const user = { username: 'twice', password: 'p' };
    await expect(startQelosServer({ users: [user, user] })).rejects.toThrow('there is a user "twice" already');
  });

  test('token lives are whole seconds, cut off', async () => {
    server = await start({ accessTokenSeconds: 2, refreshTokenSeconds: 60 });
    const { token, refreshToken } = await session();
    const life = (text: string) => {
      const { iat, exp } = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
      return exp - iat;
    };
    expect([life(token), life(refreshToken)]).toEqual([2, 60]);
  });

  test('its clock is not that of the test', async () => {
    const { token } = await session();
    jest.useFakeTimers({ now: Date.now() + 365 * 24 * 60 * 60 * 1000, doNotFake: ['nextTick', 'queueMicrotask'] });
    expect((await get('/api/me', bearer(token))).status).toBe(200);
    expect((await signIn()).status).toBe(200);
  });
});

describe('requests', () => {
  test('are counted by method, path and status', async () => {
    await session();
    await get('/api/me');
    await get('/api/me?again=yes');
    expect(server.requests.count()).toBe(3);
    expect(server.requests.count({ path: '/api/me' })).toBe(2);
    expect(server.requests.count({ method: 'post' })).toBe(1);
    expect(server.requests.count({ status: 401 })).toBe(2);
    expect(server.requests.count({ method: 'GET', path: '/api/me', status: 200 })).toBe(0);
  });

  test('start again at none after a reset', async () => {
    await get('/api/me');
    server.requests.reset();
    expect(server.requests.count()).toBe(0);
    await get('/api/me');
    expect(server.requests.count()).toBe(1);
  });

  test('that get no answer are counted without a status', async () => {
    server.fail('/api/me', 'reset');
    await failure(get('/api/me'));
    expect(server.requests.count({ path: '/api/me' })).toBe(1);
    expect(server.requests.count({ status: 200 })).toBe(0);
  });

  test('5,000 at once are all answered', async () => {
    const key = server.issueApiToken();
    const agent = new Agent({ keepAlive: true, maxSockets: 1000 });
    const one = async () => {
      const outgoing = request(`${server.url}/api/me`, { agent, headers: { 'x-api-key': key } }).end();
      const [response] = await once(outgoing, 'response');
      await once(response.resume(), 'end');
      return response.statusCode as number;
    };
    expect(okay(await Promise.all(Array.from({ length: 5000 }, one)))).toBe(5000);
    expect(server.requests.count({ status: 200 })).toBe(5000);
    agent.destroy();
  }, 60_000);
});

describe('fail', () => {
  test('answers with the status, headers and JSON given', async () => {
    server.fail('/api/me', { status: 429, body: { message: 'slow down' }, headers: { 'Retry-After': '7' } });
    const response = await get('/api/me?a=b');
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toEqual({ message: 'slow down' });
  });

  test.each([
    ['a string', 'plain', 'text/plain; charset=utf-8', 'plain'],
    ['bytes', Buffer.from('bytes'), 'text/plain; charset=utf-8', 'bytes'],
    ['null', null, 'application/json; charset=utf-8', 'null'],
    ['nothing', undefined, null, ''],
  ])('sends %s as a body', async (_name, body, type, text) => {
    server.fail('/api/me', { status: 200, body });
    const response = await get('/api/me');
    expect([response.headers.get('content-type'), await response.text()]).toEqual([type, text]);
  });

  test('headers given replace the usual ones in any letter case; the status is 500 if left out', async () => {
    server.fail('/api/me', { body: '<p>', headers: { 'Content-Type': 'text/html' } });
    const response = await get('/api/me');
    expect([response.status, response.headers.get('content-type')]).toEqual([500, 'text/html']);
  });

  test('resets the connection', async () => {
    server.fail('/api/me', 'reset');
    expect(await failure(get('/api/me'))).toBe('ECONNRESET');
  });

  test('hangs until the client leaves', async () => {
    server.fail('/api/me', 'hang');
    const leave = new AbortController();
    const hanging = failure(fetch(`${server.url}/api/me`, { signal: leave.signal }));
    // Whatever is sent later is answered all the same.
    expect((await signIn()).status).toBe(200);
    leave.abort();
    expect(await hanging).toBe('AbortError');
  });

  test('hangs until the server closes', async () => {
    server.fail('/api/me', 'hang');
    const hanging = failure(get('/api/me'));
    await signIn();
    await server.close();
    expect(await hanging).not.toBe('answered');
  });

  test('drips a first byte at once and does not come to an end', async () => {
    server.fail('/api/me', 'slow');
    const response = await get('/api/me');
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    expect((await reader?.read())?.value).toHaveLength(1);
    await server.close();
    await expect(reader?.read()).rejects.toThrow();
  });

  test('sends a web page', async () => {
    server.fail('/api/me', 'html');
    const response = await get('/api/me');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });

  test('sends JSON that is cut off', async () => {
    server.fail('/api/me', 'broken-json');
    const response = await get('/api/me');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    await expect(response.json()).rejects.toMatchObject({ name: 'SyntaxError' });
  });

  test('redirects', async () => {
    server.fail('/api/me', { redirect: 'http://127.0.0.1:1/elsewhere' });
    const response = await fetch(`${server.url}/api/me`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/elsewhere']);
  });

  test('goes on until told otherwise, or for so many times', async () => {
    const three = async () => [(await signIn()).status, (await signIn()).status, (await signIn()).status];
    server.fail('/api/signin', { status: 503 }, 2);
    expect(await three()).toEqual([503, 503, 200]);
    server.fail('/api/signin', { status: 503 });
    expect(await three()).toEqual([503, 503, 503]);
    server.fail('/api/signin', { status: 500 }, 1);
    expect(await three()).toEqual([500, 200, 200]);
    server.fail('/api/signin', { status: 503 });
    server.fail('/api/signin', 'reset', 0);
    expect(await three()).toEqual([200, 200, 200]);
  });

  test('on /api/me makes the other services take everybody for anonymous', async () => {
    const key = server.issueApiToken();
    const list = () => get('/api/blueprints/task/entities', { 'x-api-key': key });
    server.fail('/api/me', 'hang', 1);
    const refused = await list();
    expect([refused.status, await refused.json()]).toEqual([401, { message: 'you must be logged in to access' }]);
    expect((await list()).status).toBe(200);
    expect(server.requests.count({ path: '/api/me' })).toBe(0);
  });
});

describe('credentials', () => {
  const me = async (headers: Record<string, string>) => (await get('/api/me', headers)).status;

  test('an API token is of the first user unless named', async () => {
    const name = async (options?: { username: string }) => {
      const response = await get('/api/me', { 'x-api-key': server.issueApiToken(options) });
      return ((await response.json()) as { username: string }).username;
    };
    expect([await name(), await name({ username: 'user' })]).toEqual(['admin', 'user']);
    expect(() => server.issueApiToken({ username: 'nobody' })).toThrow('this server has no user "nobody"');
  });

  test('an API token may have expired, be revoked, or be of a workspace that is none', async () => {
    const good = server.issueApiToken();
    expect(await me({ 'x-api-key': good })).toBe(200);
    server.revokeApiToken(good);
    expect(await me({ 'x-api-key': good })).toBe(401);
    expect(await me({ 'x-api-key': server.issueApiToken({ expiresAt: new Date(0) }) })).toBe(401);
    expect(await me({ 'x-api-key': server.issueApiToken({ workspace: 'f'.repeat(24) }) })).toBe(401);
  });

  test('access tokens issued until now expire; one issued in the same second is good', async () => {
    const before = await session();
    server.expireAccessTokens();
    const after = await session();
    expect(after.token).not.toBe(before.token);
    expect([await me(bearer(before.token)), await me(bearer(after.token))]).toEqual([401, 200]);
    expect((await refresh(before.refreshToken)).status).toBe(200);
  });

  test('sessions of one user are revoked, or of all; access tokens live on', async () => {
    const [admin, user] = [await session(0), await session(1)];
    const more = await session(1);
    server.revokeSessions('admin');
    expect([(await refresh(admin.refreshToken)).status, (await refresh(user.refreshToken)).status]).toEqual([401, 200]);
    server.revokeSessions();
    expect((await refresh(more.refreshToken)).status).toBe(401);
    expect(await me(bearer(admin.token))).toBe(200);
    expect(() => server.revokeSessions('nobody')).toThrow('this server has no user "nobody"');
  });

  test('a revoked cookie session is nobody', async () => {
    const { username, password } = server.users[0] ?? {};
    const response = await post('/api/signin', { username, password });
    const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await me({ cookie })).toBe(200);
    server.revokeSessions();
    expect(await me({ cookie })).toBe(401);
  });

  test('a cookie session is exchanged when a workspace is activated, and ends with a logout', async () => {
    server = await start({ users: [{ username: 'one', password: 'p1', workspaces: ['Acme', 'Umbrella'] }] });
    const first = await post('/api/signin', { username: 'one', password: 'p1' });
    const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';')[0] ?? '';
    const id = server.users[0]?.workspaces[1]?._id;
    const second = await post(`/api/workspaces/${id}/activate`, undefined, { cookie: cookieOf(first) });
    expect(second.status).toBe(200);
    const profile = await get('/api/me', { cookie: cookieOf(second) });
    expect(await profile.json()).toMatchObject({ workspace: { _id: id, name: 'Umbrella' } });
    expect(await me({ cookie: cookieOf(first) })).toBe(401);
    expect((await post('/api/logout', undefined, { cookie: cookieOf(second) })).status).toBe(200);
    expect(await me({ cookie: cookieOf(second) })).toBe(401);
  });

  test('a workspace is activated by cookie only, and by members only', async () => {
    server = await start({
      users: [
        { username: 'one', password: 'p1', workspaces: ['Acme'] },
        { username: 'two', password: 'p2' },
      ],
    });
    const path = `/api/workspaces/${server.users[0]?.workspaces[0]?._id}/activate`;
    expect((await post(path, undefined, bearer((await session(0)).token))).status).toBe(500);
    expect((await post(path, undefined, bearer((await session(1)).token))).status).toBe(404);
    const list = await get('/api/workspaces', bearer((await session(0)).token));
    expect(await list.json()).toMatchObject([{ name: 'Acme', isPrivilegedUser: false }]);
  });
});

describe('writes at once', () => {
  const signIns = (count: number) => statuses(Array.from({ length: count }, () => signIn()));

  test('sign-ins of a user with up to 10 sessions do not conflict', async () => {
    expect(okay(await signIns(10))).toBe(10);
  });

  test.each([
    [1, 1],
    [10, 4],
    [50, 17],
  ])('of %i sign-ins of a user with more sessions %i succeed', async (count, succeeding) => {
    await signIns(11);
    expect(okay(await signIns(count))).toBe(succeeding);
    expect((await signIn()).status).toBe(200);
  });

  test.each([
    [2, 1],
    [10, 5],
    [50, 25],
  ])('of %i refreshes of different sessions %i succeed', async (count, succeeding) => {
    const sessions: Payload[] = [];
    while (sessions.length < count) sessions.push(await session());
    const first = await statuses(sessions.map(({ refreshToken }) => refresh(refreshToken)));
    expect(okay(first)).toBe(succeeding);
    for (const [index, status] of first.entries()) {
      if (status === 401) expect((await refresh(sessions[index]?.refreshToken ?? '')).status).toBe(200);
    }
  });

  test('users do not get into the way of each other', async () => {
    const [admin, user] = [await session(0), await session(1)];
    expect(await statuses([refresh(admin.refreshToken), refresh(user.refreshToken)])).toEqual([200, 200]);
  });
});

describe('close', () => {
  test('cuts idle connections and may be called twice', async () => {
    const agent = new Agent({ keepAlive: true });
    const outgoing = request(`${server.url}/api/me`, { agent }).end();
    const [response] = await once(outgoing, 'response');
    const socket = outgoing.socket;
    await once(response.resume(), 'end');
    const closed = socket && once(socket, 'close');
    await Promise.all([server.close(), closed]);
    await server.close();
    expect(await failure(get('/api/me'))).toBe('ECONNREFUSED');
  });

  test('leaves nothing that keeps a process alive, whatever was under way', async () => {
    const script = `
      const { startQelosServer } = require(${JSON.stringify(join(__dirname, '../../src/testing/index.ts'))});
      (async () => {
        const server = await startQelosServer();
        const [{ username, password }] = server.users;
        server.fail('/hang', 'hang');
        server.fail('/slow', 'slow');
        fetch(server.url + '/hang').catch(() => {});
        const body = JSON.stringify({ username, password, authType: 'oauth' });
        fetch(server.url + '/api/signin', { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => {});
        const slow = await fetch(server.url + '/slow');
        slow.text().catch(() => {});
        await server.close();
        console.log('closed');
      })();
    `;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--require', 'esbuild-register', '--eval', script], {
      cwd: join(__dirname, '../..'),
      timeout: 20_000,
    });
    expect(stdout).toBe('closed\n');
  }, 30_000);
});

test('the handle shows no secret but the passwords of its users', async () => {
  const { token, refreshToken } = await session();
  const key = server.issueApiToken();
  await get('/api/me', { 'x-api-key': key });
  const shown = inspect(server, { depth: 30, showHidden: true });
  for (const secret of [token, refreshToken, key]) expect(shown).not.toContain(secret);
  const { users, ...rest } = server;
  const hidden = inspect(rest, { depth: 30, showHidden: true });
  for (const { password } of users) {
    expect(shown).toContain(password);
    expect(hidden).not.toContain(password);
  }
});
