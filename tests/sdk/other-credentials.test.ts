import { beforeEach, describe, expect, it } from '@jest/globals';
import { undici } from 'qelos-auth/undici';
import {
  apiRefusal,
  createQelosAuth,
  isAuthError,
  type QelosAdministratorSDK,
  type QelosAuth,
  TenantAuth,
} from '../../src';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { openAuth } from '../support/ways';
import { whenDone } from '../support/when-done';

const failure = (call: () => unknown) =>
  Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (error: unknown) => error,
    );

/** Ways to the SDK of an account, each with whatever credential the account has. */
const accounts: [string, (api: Backend) => Promise<Pick<QelosAuth, 'sdk' | 'http'>>][] = [
  ['with a session', async ({ url, username, password }) => openAuth({ config: { url, username, password } })],
  ['with an API token', async ({ url, apiToken }) => openAuth({ config: { url, apiToken } })],
  ['below a path', async ({ url, apiToken }) => openAuth({ config: { url: `${url}/base`, apiToken } })],
  [
    "over transport 'undici'",
    async ({ url, apiToken }) => openAuth({ config: { url, apiToken }, transport: undici() }),
  ],
  [
    'of another instance',
    async ({ url, apiToken }) => {
      const auth = createQelosAuth({ env: {}, config: { url: 'https://qelos.test', apiToken: 'ql_other' } });
      whenDone(() => auth.close());
      return auth.for({ url, apiToken });
    },
  ],
  [
    "by a tenant's handle",
    async ({ url, apiToken }) => {
      const tenants = new TenantAuth(async () => ({ url, apiToken }));
      whenDone(() => tenants.close());
      return tenants.for('acme');
    },
  ],
];

describe.each(accounts)('S06: the SDK of an account %s', (name, open) => {
  let api: Backend;
  let sdk: QelosAdministratorSDK;
  const base = name === 'below a path' ? '/base' : '';
  /** What came with a call, besides what every request has. */
  const arrived = (path: string) =>
    api.to(base + path).map(({ headers }) => ({
      'x-api-key': headers['x-api-key'],
      authorization: headers.authorization,
      cookie: headers.cookie,
      impersonated: headers['x-impersonate-user'],
    }));
  const none = { 'x-api-key': undefined, authorization: undefined, cookie: undefined, impersonated: undefined };
  const isOurs = () => api.to(`${base}/api/blocks`).map(({ authorized }) => authorized);

  beforeEach(async () => {
    api = await startBackend();
    if (base) {
      // A server that lives below a path, as behind a proxy.
      const below = ['/api/me', '/api/blocks'];
      for (const path of below) {
        api.on(base + path, (request, response) =>
          request.authorized ? sendJson(response, 200, { _id: '1', username: 'someone' }) : sendJson(response, 401, {}),
        );
      }
      api.on(`${base}/api/signin`, (_, response) => sendJson(response, 401, { message: 'no' }));
    }
    sdk = (await open(api)).sdk;
    await sdk.blocks.getList();
    api.received.length = 0;
  });

  it.each(['garbage', '', undefined])('apiTokenSignin(%j) is not answered by ours', async (token) => {
    const error = await failure(() => sdk.authentication.apiTokenSignin(token as string));
    expect(error).toMatchObject({ status: 401 });
    expect(apiRefusal(error)).toBeUndefined(); // nothing is wrong with the account's own credential
    expect(arrived('/api/me')).toEqual([{ ...none, 'x-api-key': token }]);
    await sdk.blocks.getList();
    expect(isOurs()).toEqual([true]);
    expect(sdk.authentication.isApiTokenAuth).toBe(false);
  });

  it('apiTokenSignin of a good token tells whose it is, and not whom we act as', async () => {
    sdk.impersonateUser('somebody');
    sdk.setCustomHeader('x-trace', '1');
    expect(await sdk.authentication.apiTokenSignin(api.apiToken)).toMatchObject({ username: 'someone' });
    expect(arrived('/api/me')).toEqual([{ ...none, 'x-api-key': api.apiToken }]);
    expect(api.to(`${base}/api/me`)[0]?.headers).toMatchObject({ 'x-trace': '1' });
    sdk.clearImpersonation();
    await sdk.blocks.getList();
    expect(isOurs()).toEqual([true]);
  });

  it('many at once get each its own answer', async () => {
    const tokens = ['garbage', api.apiToken, 'ql_none', api.apiToken];
    const calls = [...tokens.map((token) => sdk.authentication.apiTokenSignin(token)), sdk.blocks.getList()];
    const settled = await Promise.allSettled<unknown>(calls);
    expect(settled.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
  });

  const wrong = { username: 'someone', password: 'wrong-password' };
  type Call = [string, string, (sdk: QelosAdministratorSDK) => unknown];
  const calls: Call[] = [
    ['oAuthSignin', '/api/signin', ({ authentication }) => authentication.oAuthSignin(wrong)],
    ['signin', '/api/signin', ({ authentication }) => authentication.signin(wrong)],
    ['signup', '/api/signup', ({ authentication }) => authentication.signup(wrong as never)],
    ['oAuthSignup', '/api/signup', ({ authentication }) => authentication.oAuthSignup(wrong as never)],
    ['a raw sign-in', '/api/signin', (sdk) => sdk.callJsonApi('/api/signin?x=1', { method: 'post', body: '{}' })],
    ['a sign-in in other letters', '/API/Signin/', (sdk) => sdk.callJsonApi('/API/Signin/', { method: 'post' })],
    ['a callback of a provider', '/api/auth/callback', (sdk) => sdk.callJsonApi('/api/auth/callback?rt=theirs')],
    ['a log-in at a provider', '/api/auth/github', (sdk) => sdk.callJsonApi('/api/auth/github')],
    ['MCP consent', '/api/auth/mcp/consent', (sdk) => sdk.callJsonApi('/api/auth/mcp/consent', { method: 'post' })],
    ['MCP token', '/api/auth/mcp/token', (sdk) => sdk.callApi('/api/auth/mcp/token', { method: 'post' })],
    [
      'MCP discovery',
      '/.well-known/oauth-authorization-server',
      (sdk) => sdk.callApi('/.well-known/oauth-authorization-server'),
    ],
    ['a cookie refresh without one', '/api/cookie/refresh', (sdk) => sdk.callApi('/api/cookie/refresh')],
  ];

  it.each(calls)('%s goes without ours, and changes nothing', async (_, path, call) => {
    sdk.impersonateUser('somebody');
    const error = await failure(() => call(sdk));
    expect(arrived(path)).toEqual([none]);
    expect(apiRefusal(error)).toBeUndefined();
    expect(leaks(error, [wrong.password])).toEqual([]);
    sdk.clearImpersonation();
    await sdk.blocks.getList();
    expect(isOurs()).toEqual([true]);
  });

  it.each<[string, string, Record<string, string>, (sdk: QelosAdministratorSDK) => unknown]>([
    [
      'refreshToken(token)',
      '/api/token/refresh',
      { authorization: 'Bearer theirs' },
      ({ authentication }) => authentication.refreshToken('theirs'),
    ],
    [
      'a cookie refresh',
      '/api/cookie/refresh',
      { authorization: 'Bearer theirs' },
      (sdk) => sdk.callApi('/api/cookie/refresh', { method: 'post', headers: { authorization: 'Bearer theirs' } }),
    ],
    [
      'a logout that says whose',
      '/api/logout',
      { cookie: 'qlt_0=theirs' },
      (sdk) => sdk.callApi('/api/logout', { method: 'post', headers: { Cookie: 'qlt_0=theirs' } }),
    ],
  ])('%s goes with what it was given alone', async (_, path, headers, call) => {
    await failure(() => call(sdk));
    expect(arrived(path)).toEqual([{ ...none, ...headers }]);
    await sdk.blocks.getList();
    expect(isOurs()).toEqual([true]);
  });

  it.each<[string, (sdk: QelosAdministratorSDK) => unknown, string]>([
    ['logout', ({ authentication }) => authentication.logout(), 'close()'],
    ['logout by its path', (sdk) => sdk.callApi('/api/logout/?x', { method: 'post' }), 'skipAuth: true'],
    ['refreshToken without one', ({ authentication }) => authentication.refreshToken(), 'refreshToken of the answer'],
    ['setCustomHeader', (sdk) => sdk.setCustomHeader('X-API-Key', 'theirs'), 'apiTokenSignin'],
  ])('%s is refused, in words that name what to use', async (_, call, hint) => {
    const error = await failure(() => call(sdk));
    expect(isAuthError(error) && [error.code, error.hint]).toEqual(['ERR_AUTH_CONFIG', expect.stringContaining(hint)]);
    expect(api.received).toEqual([]);
  });

  it('neither password nor token follows a redirect', async () => {
    const elsewhere = await startBackend();
    for (const path of ['/api/signin', '/api/me', '/api/token/refresh']) {
      api.on(base + path, (_, response) => response.writeHead(307, { location: `${elsewhere.url}${path}` }).end());
    }
    const { authentication } = sdk;
    const errors = [
      await failure(() => authentication.oAuthSignin(wrong)),
      await failure(() => authentication.signin(wrong)),
      await failure(() => authentication.apiTokenSignin('ql_theirs')),
      await failure(() => authentication.refreshToken('theirs')),
    ];
    expect(errors.map((error) => (error as { status?: number }).status)).toEqual([307, undefined, 307, 307]);
    expect(elsewhere.received).toEqual([]);
    expect(leaks(errors, [wrong.password, 'ql_theirs'])).toEqual([]);
  });

  it('a network fault shows neither password nor token', async () => {
    for (const path of ['/api/signin', '/api/me', '/api/token/refresh']) {
      api.on(base + path, (_, __, incoming) => incoming.socket.resetAndDestroy());
    }
    const { authentication } = sdk;
    const errors = [
      await failure(() => authentication.oAuthSignin(wrong)),
      await failure(() => authentication.apiTokenSignin('ql_theirs')),
      await failure(() => authentication.refreshToken('refresh-of-them')),
    ];
    expect(errors).toMatchObject(
      Array.from({ length: 3 }, () => ({ message: 'fetch failed', cause: { code: 'ECONNRESET' } })),
    );
    expect(leaks(errors, [wrong.password, 'ql_theirs', 'refresh-of-them'])).toEqual([]);
  });
});

it('S06: credentials among the defaults of axios do not go along with somebody else’s', async () => {
  const api = await startBackend();
  const headers = { authorization: 'Bearer default', 'X-Api-Key': 'default', cookie: 'a=default' };
  const { sdk } = openAuth({ config: { url: api.url, apiToken: api.apiToken }, axios: { headers } });
  await failure(() => sdk.authentication.apiTokenSignin('theirs'));
  await failure(() => sdk.authentication.refreshToken('theirs'));
  const names = ['x-api-key', 'authorization', 'cookie'];
  expect(api.received.map((request) => names.map((name) => request.headers[name]))).toEqual([
    ['theirs', undefined, undefined],
    [undefined, 'Bearer theirs', undefined],
  ]);
});
