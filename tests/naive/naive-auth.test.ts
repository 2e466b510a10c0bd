import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { createQelosAuth, type QelosAuth } from './naive-auth';

let server: QelosServer;
let auth: QelosAuth;
const ways: [string, (path: string) => Promise<unknown>][] = [
  ['http', async (path) => (await auth.http.get(path)).data],
  ['fetch', async (path) => (await auth.fetch(path)).json()],
  ['sdk', () => auth.sdk.authentication.getLoggedInUser()],
];

beforeEach(async () => {
  server = await startQelosServer();
});

afterEach(async () => {
  await auth.close();
  await server.close();
});

it.each(ways)('the naive client signs in, calls, and refreshes once: %s', async (_name, call) => {
  const { username, password } = server.users[0] as QelosServer['users'][number];
  auth = createQelosAuth({ env: {}, config: { url: server.url, username, password } });
  expect((await auth.signIn()).user.username).toBe(username);
  expect(await call('/api/me')).toMatchObject({ username });
  server.expireAccessTokens();
  expect(await call('/api/me')).toMatchObject({ username });
  expect(await call('/api/me')).toMatchObject({ username });
  expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  expect(server.requests.count({ path: '/api/token/refresh' })).toBe(1);
});

it.each(ways)('the naive client sends an API token: %s', async (_name, call) => {
  auth = createQelosAuth({ env: {}, config: { url: server.url, apiToken: server.issueApiToken() } });
  expect(await call('/api/me')).toMatchObject({ username: 'admin' });
});
