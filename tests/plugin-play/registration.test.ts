import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createQelosAuth } from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { type QelosServer, type QelosServerUser, startQelosServer } from 'qelos-auth/testing';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { whenDone } from '../support/when-done';
import { loadPlay } from './play';

const SETTINGS = { accessTokenSecret: 'access', refreshTokenSecret: 'refresh', userPayloadSecret: 'payload' };

let home: Backend;
let tenant: QelosServer;
let user: QelosServerUser;
let pluginUrl: string;

beforeEach(async () => {
  home = await startBackend();
  keepUsers(home);
  tenant = await startQelosServer({ users: [{ username: 'books-plugin', password: 'secret-1', roles: ['plugin'] }] });
  user = tenant.users[0] as QelosServerUser;
  pluginUrl = await startPlugin();
});

afterEach(() => tenant.close());

/** Serves what plugin-play keeps at home of one tenant, to who has our credential. */
function keepUsers(backend: Backend): void {
  let encrypted: unknown;
  backend.on('/api/users', ({ method, authorized }, response) => {
    if (!authorized) return false;
    return sendJson(response, 200, method === 'POST' ? { _id: 'tenant-1' } : []);
  });
  backend.on('/api/users/tenant-1/encrypted', ({ method, authorized, body }, response) => {
    if (!authorized) return false;
    if (method === 'POST') encrypted = JSON.parse(body.toString());
    return sendJson(response, 200, encrypted);
  });
}

/** A plugin whose endpoint lists the books of the tenant that asks for them. Returns its URL. */
async function startPlugin(): Promise<string> {
  const { addProxyEndpoint, getSdkForTenant, LifecycleEvent, on, start } = loadPlay();
  const { url, username, password } = home;
  const auth = createQelosAuth({ env: {}, config: { url, username, password } });
  addProxyEndpoint('/books', {
    handler: async ({ tenantPayload }) =>
      (await getSdkForTenant(tenantPayload))?.blueprints.entitiesOf('book').getList(),
  });
  const mounted = new Promise<Parameters<Parameters<typeof on>[1]>[0]['app']>((resolve) => {
    on(LifecycleEvent.mounted, ({ app }) => resolve(app));
  });
  const config = { dev: false, host: '127.0.0.1', port: 0, ...SETTINGS, ...pluginPlayOptions(auth) };
  await start({ manifest: { appUrl: 'http://plugin.test' }, config });
  const app = await mounted;
  whenDone(() => app.close());
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

const register = (password: string) =>
  fetch(`${pluginUrl}/api/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ appUrl: tenant.url, username: user.username, password }),
  });

test('a tenant registers, and the plugin works for it with the credentials it gave', async () => {
  const registered = await register(user.password);
  expect(registered.status).toBe(200);
  const { access_token: token } = (await registered.json()) as { access_token: string };
  const books = () => fetch(`${pluginUrl}/api/play/books`, { headers: { authorization: `Bearer ${token}` } });
  expect((await books()).status).toBe(200);
  expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);

  tenant.expireAccessTokens();
  const answers = await Promise.all(Array.from({ length: 50 }, books));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(tenant.requests.count({ path: '/api/token/refresh' })).toBe(1);
  expect(tenant.requests.count({ path: '/api/signin' })).toBe(1);
  expect(home.to('/api/signin')).toHaveLength(1);
  expect(home.received.filter(({ url, authorized }) => url !== '/api/signin' && !authorized)).toEqual([]);
});

test('a tenant that registers with a wrong password is told, after 1 sign-in', async () => {
  const registered = await register('wrong');
  expect([registered.status, await registered.json()]).toEqual([
    401,
    { message: `failed to login to qelos tenant: ${tenant.url}` },
  ]);
  expect(tenant.requests.count()).toBe(1);
});
