import { expect, it } from '@jest/globals';
import MockAdapter from 'axios-mock-adapter';
import { createQelosAuth, QELOS_HTTP, QELOS_SDK, QelosAuth } from 'qelos-auth';
import { mockQelosAuth, staticStrategy } from 'qelos-auth/testing';
import { container as root } from 'tsyringe';

it('signs in without sending anything', async () => {
  const auth = mockQelosAuth({ user: { username: 'ada' } });
  expect(await auth.signIn()).toMatchObject({ strategy: 'static', user: { username: 'ada', roles: ['admin'] } });
  expect((await auth.http.get('/api/me')).data).toMatchObject({ username: 'ada' });
  expect(await (await auth.fetch('/api/me')).json()).toMatchObject({ username: 'ada' });
  expect(await auth.sdk.authentication.getLoggedInUser()).toMatchObject({ username: 'ada' });
});

it('fails on a request that the test does not answer, and names it', async () => {
  const auth = mockQelosAuth({ url: 'https://my.test/base' });
  const unanswered = /^Nothing in this test answers DELETE \/base\/api\/blocks\/b, /;
  await expect(auth.http.delete('/api/blocks/b?x=1')).rejects.toThrow(unanswered);
  await expect(auth.sdk.blocks.remove('b')).rejects.toThrow(unanswered);
});

it('is mocked by axios-mock-adapter, which sees the token', async () => {
  const auth = mockQelosAuth({ token: 'ql_mine' });
  const mock = new MockAdapter(auth.http, { onNoMatch: 'passthrough' });
  mock.onGet('/api/blocks').reply(200, [{ _id: 'b' }]);
  expect(await auth.sdk.blocks.getList()).toEqual([{ _id: 'b' }]);
  expect(mock.history['get']?.[0]?.headers?.['x-api-key']).toBe('ql_mine');
  await expect(auth.http.get('/api/users')).rejects.toThrow('Nothing in this test answers GET /api/users');
});

it('registers itself in a container, for the services that are tested', async () => {
  const container = root.createChildContainer();
  const auth = mockQelosAuth({ container });
  expect(container.resolve(QelosAuth)).toBe(auth);
  expect(container.resolve(QELOS_HTTP)).toBe(auth.http);
  expect(container.resolve(QELOS_SDK)).toBe(auth.sdk);
});

it('reads no environment', () => {
  process.env['QELOS_AUTH_STRATEGY'] = 'api-token';
  try {
    expect(mockQelosAuth().strategy.name).toBe('static');
  } finally {
    delete process.env['QELOS_AUTH_STRATEGY'];
  }
});

it('has a strategy that can be used on its own', async () => {
  const auth = createQelosAuth({ config: { url: 'https://qelos.test' }, env: {}, strategies: [staticStrategy()] });
  const mock = new MockAdapter(auth.http);
  mock.onAny().reply(200);
  await auth.http.get('/api/blocks');
  expect(mock.history['get']?.[0]?.headers?.['x-api-key']).toBe('ql_test');
});
