// A plugin's own unit test: jest in its default CommonJS mode, with axios-mock-adapter in place of one route.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import MockAdapter from 'axios-mock-adapter';
import { createQelosAuth, type QelosAuth } from 'qelos-auth';
import { type QelosServer, startQelosServer } from 'qelos-auth/testing';

let server: QelosServer;
let auth: QelosAuth;
let token: string;

beforeAll(async () => {
  server = await startQelosServer();
  token = server.issueApiToken();
  auth = createQelosAuth({ config: { url: server.url, apiToken: token }, env: {} });
});

afterAll(async () => {
  await auth.close();
  await server.close();
});

it('authenticates what goes to a mock adapter', async () => {
  const mock = new MockAdapter(auth.http, { onNoMatch: 'passthrough' });
  mock.onGet('/api/books').reply(({ headers }) => [200, { seen: headers?.['x-api-key'] }]);

  expect((await auth.http.get('/api/books')).data).toEqual({ seen: token });
});

it('authenticates the SDK', async () => {
  await expect(auth.sdk.authentication.getLoggedInUser()).resolves.toHaveProperty('username');
});
