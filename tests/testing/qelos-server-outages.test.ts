import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type QelosServer, startQelosServer } from '../../src/testing';

/** What the auth service and its database can be made to go through, beyond the rows of the conformance table. */

let server: QelosServer;

beforeEach(async () => {
  server = await startQelosServer();
});
afterEach(() => server.close());

const send = (path: string, init: RequestInit = {}) => fetch(server.url + path, init);
const me = (key: string) => send('/api/me', { headers: { 'x-api-key': key } });

function signIn({ username, password } = server.users[0] ?? { username: '', password: '' }): Promise<Response> {
  const body = JSON.stringify({ username, password, authType: 'oauth' });
  return send('/api/signin', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

const bearerOf = async (response: Response) => {
  const { payload } = (await response.json()) as { payload: { token: string } };
  return { authorization: `Bearer ${payload.token}` };
};

const statuses = async (all: Promise<Response>[]) => (await Promise.all(all)).map(({ status }) => status);

describe('deploy, stopAuthService and freezeDatabase', () => {
  test('the latest counts, and ending one that was replaced does nothing', async () => {
    const takeOver = server.deploy();
    const start = server.stopAuthService();
    takeOver();
    expect((await signIn()).status).toBe(504);
    start();
    start();
    expect((await signIn()).status).toBe(200);
    expect((await signIn()).status).toBe(200);
  });

  test('one that is ended twice does not end the next', async () => {
    const takeOver = server.deploy();
    takeOver();
    server.stopAuthService();
    takeOver();
    expect((await signIn()).status).toBe(504);
  });

  test('down: what the gateway answers names no credential', async () => {
    const key = server.issueApiToken();
    server.stopAuthService();
    const answer = await me(key);
    expect(await answer.text()).toBe(`Error occurred while trying to proxy: ${new URL(server.url).host}/api/me`);
  });

  test('half dead: each path of the auth service says what it says without its database', async () => {
    const headers = { ...(await bearerOf(await signIn())), 'content-type': 'application/json' };
    server.deploy();
    const said = async (method: string, path: string) => {
      const answer = await send(path, { method, headers, ...(method !== 'GET' && { body: '{"kind":"accept"}' }) });
      return [answer.status, await answer.text()];
    };
    const message = (text: string) => JSON.stringify({ message: text });
    expect({
      list: await said('GET', '/api/users'),
      user: await said('GET', '/api/users/nobody'),
      update: await said('POST', '/api/me'),
      tokens: await said('GET', '/api/me/api-tokens'),
      workspaces: await said('GET', '/api/workspaces'),
      workspace: await said('GET', '/api/workspaces/none'),
      invites: await said('GET', '/api/invites'),
      logout: await said('POST', '/api/logout'),
    }).toEqual({
      list: [200, '[]'],
      user: [404, message('user not exists')],
      update: [500, message('failed to update your user information')],
      tokens: [500, message('Failed to list API tokens')],
      workspaces: [500, message('Failed to load workspaces')],
      workspace: [500, message('failed to load workspace data')],
      invites: [500, message('failed to retrieve invites list')],
      logout: [200, ''],
    });
  });

  test('frozen: requests that wait are answered once it is thawed, or replaced by another trouble', async () => {
    server.freezeDatabase();
    const waiting = signIn();
    // Answered after the sign-in has come: without a database there is nothing to wait for.
    await send('/.well-known/oauth-authorization-server');
    server.deploy();
    expect((await waiting).status).toBe(401);
  });

  test('frozen: closing the server ends whatever waits', async () => {
    server.freezeDatabase();
    const waiting = signIn().then(
      () => 'answered',
      () => 'cut',
    );
    await send('/.well-known/oauth-authorization-server');
    await server.close();
    expect(await waiting).toBe('cut');
  });
});

describe('an API token', () => {
  test('that was met lives on after the user is deleted, and is unknown to the process that takes over', async () => {
    const [admin, user] = server.users;
    const key = server.issueApiToken({ username: user?.username ?? '' });
    expect((await me(key)).status).toBe(200);
    const headers = await bearerOf(await signIn(admin));
    await send(`/api/users/${user?._id}`, { method: 'DELETE', headers });
    expect((await me(key)).status).toBe(200);
    server.deploy()();
    expect((await me(key)).status).toBe(401);
  });

  test('that was met shows the roles it had', async () => {
    const [admin, user] = server.users;
    const key = server.issueApiToken({ username: user?.username ?? '' });
    await me(key);
    const headers = { ...(await bearerOf(await signIn(admin))), 'content-type': 'application/json' };
    await send(`/api/users/${user?._id}`, { method: 'PUT', headers, body: JSON.stringify({ roles: ['editor'] }) });
    expect(await (await me(key)).json()).toMatchObject({ roles: ['user'] });
    expect(await (await me(server.issueApiToken({ username: 'user' }))).json()).toMatchObject({ roles: ['editor'] });
  });
});

describe('latencyMs', () => {
  const start = async (latencyMs: number) => {
    await server.close();
    server = await startQelosServer({ latencyMs });
  };

  test('of sign-ins of a user with many sessions that overlap one is saved, however many there are', async () => {
    await start(200);
    await statuses(Array.from({ length: 11 }, () => signIn()));
    const at = (await statuses(Array.from({ length: 20 }, () => signIn()))).filter((status) => status === 200);
    expect(at).toHaveLength(1);
    expect((await signIn()).status).toBe(200);
  });

  test('each operation takes its time', async () => {
    await start(40);
    const began = performance.now();
    expect((await signIn()).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(4 * 40 - 5);
  });

  test('slower than the gateway waits: a good credential is passed on as anonymous', async () => {
    await start(2_000);
    const headers = { 'x-api-key': server.issueApiToken() };
    expect((await send('/api/integrations', { headers })).status).toBe(401);
  });
});
