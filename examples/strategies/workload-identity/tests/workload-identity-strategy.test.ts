import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AuthError, createQelosAuth, isAuthError, type QelosAuth } from 'qelos-auth';
import { describeAuthStrategy, type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { WorkloadIdentityStrategy } from '../src/workload-identity-strategy';
import { type IdentityPlatform, startPlatform } from './identity-platform';
import { startBroker, type TokenBroker } from './token-broker';

/** Does something under these settings. They are gone afterwards: a strategy reads them when it is made. */
function under<T>(settings: Record<string, string>, make: () => T): T {
  Object.assign(process.env, settings);
  try {
    return make();
  } finally {
    for (const name of Object.keys(settings)) delete process.env[name];
  }
}

describeAuthStrategy('workload-identity', {
  describe,
  it,
  async create(server) {
    const platform = await startPlatform();
    const broker = await startBroker(server, platform.publicKey);
    const make = () => new WorkloadIdentityStrategy({ url: server.url });
    const settings = { QELOS_TOKEN_EXCHANGE_URL: broker.url, QELOS_IDENTITY_TOKEN_FILE: platform.tokenFile };
    return {
      strategy: under(settings, make),
      unconfigured: make(),
      secrets: platform.tokens,
      refuse: () => platform.rotate({ aud: 'somebody else' }),
      hang: () => broker.answer('hang'),
      close: () => broker.close().then(platform.close),
    };
  },
});

describe('WorkloadIdentityStrategy', () => {
  let qelos: QelosServer;
  let platform: IdentityPlatform;
  let broker: TokenBroker;
  let auth: QelosAuth;
  beforeEach(async () => {
    qelos = await startQelosServer();
    platform = await startPlatform();
    broker = await startBroker(qelos, platform.publicKey);
    // A class, made by the container: it injects AUTH_CONFIG.
    auth = under({ QELOS_TOKEN_EXCHANGE_URL: broker.url, QELOS_IDENTITY_TOKEN_FILE: platform.tokenFile }, () =>
      createQelosAuth({
        config: { url: qelos.url, timeoutMs: 2_000 },
        env: {},
        strategies: [WorkloadIdentityStrategy],
      }),
    );
  });
  afterEach(async () => {
    await auth.close();
    await broker.close();
    await platform.close();
    await qelos.close();
  });

  async function failure(): Promise<AuthError> {
    const error = await auth.signIn().catch((reason: unknown) => reason);
    assert.ok(isAuthError(error));
    return error;
  }

  it('exchanges the identity for a session of QELOS_URL', async () => {
    const { strategy, user, expiresAt } = await auth.signIn();
    assert.deepEqual([strategy, user.username], ['workload-identity', 'user']);
    assert.equal(Math.round((Number(expiresAt) - Date.now()) / 60_000), 5);
    assert.deepEqual(broker.shown, platform.tokens);
  });

  it('shows the identity of the moment when the session has ended, once for all calls', async () => {
    await auth.http.get('/api/me');
    for (let ends = 1; ends <= 3; ends++) {
      await platform.rotate();
      qelos.expireAccessTokens();
      await Promise.all(Array.from({ length: 50 }, () => auth.http.get('/api/me')));
      assert.deepEqual(broker.shown, platform.tokens);
    }
    assert.equal(qelos.requests.count({ path: '/api/token/refresh' }), 0);
  });

  it('says which settings it lacks', () => {
    const make = () => new WorkloadIdentityStrategy({ url: qelos.url });
    assert.deepEqual(make().missing(), ['QELOS_TOKEN_EXCHANGE_URL', 'QELOS_IDENTITY_TOKEN_FILE']);
    const half = under({ QELOS_TOKEN_EXCHANGE_URL: broker.url }, make);
    assert.deepEqual(half.missing(), ['QELOS_IDENTITY_TOKEN_FILE']);
  });

  it('explains an identity that the broker refuses, without showing it', async () => {
    await platform.rotate({ aud: 'somebody else' });
    const error = await failure();
    assert.deepEqual([error.code, error.httpStatus, error.retryable], ['ERR_AUTH_REFUSED', 400, false]);
    assert.match(error.message, /QELOS_IDENTITY_TOKEN_FILE/);
    assert.ok(!`${error.stack}${error.hint}${JSON.stringify(error)}`.includes(platform.tokens.at(-1) ?? ''));
  });

  it('explains an identity that has ended', async () => {
    await platform.rotate({ lifeSeconds: -1 });
    assert.equal((await failure()).code, 'ERR_AUTH_REFUSED');
  });

  it('explains that the broker does not serve this instance', async () => {
    broker.answer({ status: 400, body: { error: 'invalid_target' } });
    const error = await failure();
    assert.equal(error.code, 'ERR_AUTH_CONFIG');
    assert.match(error.message, /QELOS_URL/);
  });

  it('explains a token file that is not there', async () => {
    await rm(platform.tokenFile);
    const error = await failure();
    assert.deepEqual([error.code, error.retryable], ['ERR_AUTH_CONFIG', true]);
    assert.match(error.message, /QELOS_IDENTITY_TOKEN_FILE.*ENOENT/);
    assert.deepEqual(broker.shown, []);
  });

  it('explains a token file that is no file to read', async () => {
    await rm(platform.tokenFile);
    execFileSync('mkfifo', [platform.tokenFile]); // a reader of it would wait for somebody who writes
    const error = await failure();
    assert.equal(error.code, 'ERR_AUTH_CONFIG');
    assert.match(error.message, /QELOS_IDENTITY_TOKEN_FILE.*\(not a regular file of at most 1 MiB\)/);
    assert.deepEqual(broker.shown, []);
  });

  const bearer = { access_token: 'a', issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
  const faults: [string, Parameters<TokenBroker['answer']>[0], Partial<AuthError>][] = [
    ['a client that is not known', { status: 401, body: { error: 'invalid_client' } }, { code: 'ERR_AUTH_REFUSED' }],
    ['a broker out of order', { status: 503 }, { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 503, retryable: true }],
    [
      'a broker with too much to do',
      { status: 429, headers: { 'retry-after': '9' } },
      { code: 'ERR_AUTH_UNAVAILABLE', retryAfterMs: 9000 },
    ],
    [
      'a redirect',
      { status: 307, headers: { location: '/token' } },
      { code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: 307 },
    ],
    ['a web page', { status: 200, body: '<html>' }, { code: 'ERR_AUTH_BAD_RESPONSE', retryable: true }],
    ['a body of null', { status: 200, body: 'null' }, { code: 'ERR_AUTH_BAD_RESPONSE', retryable: true }],
    ['no token', { status: 200, body: {} }, { code: 'ERR_AUTH_BAD_RESPONSE', retryable: true }],
    [
      'a token that is not for headers',
      { status: 200, body: { ...bearer, token_type: 'N_A' } },
      { code: 'ERR_AUTH_BAD_RESPONSE' },
    ],
  ];
  for (const [name, answer, expected] of faults) {
    it(`explains ${name}`, async () => {
      broker.answer(answer);
      const error = await failure();
      for (const [key, value] of Object.entries(expected)) assert.equal(Reflect.get(error, key), value, key);
      // What may pass is tried again while the call waits; a refusal never is.
      if (expected.httpStatus === 503) assert.ok(broker.shown.length > 1);
      else assert.equal(broker.shown.length, 1);
    });
  }

  it('explains that nobody listens', async () => {
    await broker.close();
    const error = await failure();
    assert.deepEqual([error.code, error.retryable], ['ERR_AUTH_UNAVAILABLE', true]);
    assert.match(error.message, /QELOS_TOKEN_EXCHANGE_URL/);
  });
});
