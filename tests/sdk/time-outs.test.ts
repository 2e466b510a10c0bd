import { beforeEach, describe, expect, it } from '@jest/globals';
import { undici } from 'qelos-auth/undici';
import { isAuthError, type QelosAuth, TenantAuth } from '../../src';
import { type Answer, type Backend, sendJson, startBackend } from '../support/backend';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const timeout = 300;
/** Far beyond the time-out: only a call without deadline takes so long. */
const AT_MOST_MS = 5_000;

const failure = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Answers whose body never ends. */
const bodies: [string, (headers: Record<string, string>) => Answer][] = [
  [
    'stalls',
    (headers) => (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers });
      response.write('{');
    },
  ],
  [
    'drips',
    (headers) => (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers });
      const timer = setInterval(() => response.write(' '), timeout / 10);
      response.once('close', () => clearInterval(timer));
    },
  ],
  ['never begins', () => () => {}],
];

const accounts: [string, (api: Backend) => Promise<Pick<QelosAuth, 'sdk' | 'signIn'>>][] = [
  ['auth', async ({ url, apiToken }) => openAuth({ config: { url, apiToken }, axios: { timeout } })],
  [
    "auth with the adapter 'fetch'",
    async ({ url, apiToken }) => openAuth({ config: { url, apiToken }, axios: { timeout, adapter: 'fetch' } }),
  ],
  [
    'auth over undici',
    async ({ url, apiToken }) => openAuth({ config: { url, apiToken }, axios: { timeout }, transport: undici() }),
  ],
  [
    'a tenant',
    async ({ url, apiToken }) => {
      const tenants = new TenantAuth(async () => ({ url, apiToken }), { axios: { timeout } });
      whenDone(() => tenants.close());
      return tenants.for('acme');
    },
  ],
];

describe.each(accounts)('S03: %s', (_name, open) => {
  let api: Backend;
  let auth: Pick<QelosAuth, 'sdk' | 'signIn'>;
  beforeEach(async () => {
    api = await startBackend();
    auth = await open(api);
  });

  describe.each(bodies)('when a body %s', (_what, body) => {
    it.each([{}, { 'content-length': '1000' }])('ends calls of the SDK by its time-out: %j', async (headers) => {
      await auth.sdk.blocks.getList();
      api.on('/api/blocks', body(headers as Record<string, string>));
      const begun = performance.now();
      const error = await failure(auth.sdk.blocks.getList());
      expect(error).toMatchObject({ message: 'fetch failed', cause: { message: `timeout of ${timeout}ms exceeded` } });
      expect(performance.now() - begun).toBeLessThan(AT_MOST_MS);
    });

    it('ends calls about another credential by it', async () => {
      await auth.sdk.blocks.getList();
      api.on('/api/me', body({}));
      const begun = performance.now();
      const error = await failure(auth.sdk.authentication.apiTokenSignin('theirs'));
      expect(error).toMatchObject({ message: 'fetch failed', cause: { message: `timeout of ${timeout}ms exceeded` } });
      expect(performance.now() - begun).toBeLessThan(AT_MOST_MS);
    });

    it('ends signIn() by it, which tells why', async () => {
      api.on('/api/me', body({}));
      const begun = performance.now();
      const error = await failure(auth.signIn());
      expect(isAuthError(error) && [error.code, error.retryable, error.message]).toEqual([
        'ERR_AUTH_UNAVAILABLE',
        true,
        `signIn() took longer than the time-out of ${timeout} ms.`,
      ]);
      expect(performance.now() - begun).toBeLessThan(AT_MOST_MS);
    });

    it('ends signIn() by it where only the user is asked for', async () => {
      await auth.signIn(); // takes the user that came with the credential
      api.on('/api/me', body({}));
      expect(await failure(auth.signIn())).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
    });
  });
});

it('S03: signing in goes on after signIn() has given up, for whoever asks next', async () => {
  const api = await startBackend();
  let answer = () => {};
  api.on('/api/signin', (request, response, incoming) => {
    api.on('/api/signin', () => false);
    answer = () => api.replay(request, response, incoming);
  });
  const { url, username, password } = api;
  const auth = openAuth({ config: { url, username, password }, axios: { timeout } });
  await failure(auth.signIn());
  answer();
  await auth.sdk.blocks.getList();
  expect(api.to('/api/signin')).toHaveLength(1);
});

it('S03: an aborted call of the SDK fails with the reason, at every stage', async () => {
  const api = await startBackend();
  const { sdk } = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  for (const [, body] of bodies) {
    const abort = new AbortController();
    api.on('/api/x', (...parts) => {
      body({})(...parts);
      setImmediate(() => abort.abort(new Error('mine')));
    });
    expect(await failure(sdk.callJsonApi('/api/x', { signal: abort.signal }))).toBe(abort.signal.reason);
  }
  const before = AbortSignal.abort('early');
  expect(await failure(sdk.callJsonApi('/api/y', { signal: before }))).toBe('early');
  expect(api.to('/api/y')).toEqual([]);
});

it('reads large, binary, empty and HEAD answers of the SDK as the published one does', async () => {
  const api = await startBackend();
  const { sdk } = openAuth({ config: { url: api.url, apiToken: api.apiToken } });
  const large = { text: 'ü'.repeat(300_000) };
  api.on('/api/large', (_, response) => sendJson(response, 200, large));
  expect(await sdk.callJsonApi('/api/large')).toEqual(large);
  const bytes = Buffer.from([0, 255, 128, 13, 10]);
  api.on('/api/bytes', (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(bytes));
  expect(await sdk.callJsonApi('/api/bytes')).toBe(new TextDecoder().decode(bytes));
  expect(Buffer.from(await (await sdk.callApi('/api/bytes')).arrayBuffer()).equals(bytes)).toBe(true);
  api.on('/api/none', (_, response) => response.writeHead(204).end());
  expect(await sdk.callJsonApi('/api/none')).toBe('');
  expect(await sdk.callJsonApi('/api/bytes', { method: 'HEAD' })).toBe('');
  api.on('/api/bom', (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('\ufeff{"a":1}'),
  );
  expect(await sdk.callJsonApi('/api/bom')).toEqual({ a: 1 });
  const form = new FormData();
  form.append('a', 'b');
  await sdk.callJsonApi('/api/upload', { method: 'POST', body: form });
  expect(api.to('/api/upload')[0]?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
});
