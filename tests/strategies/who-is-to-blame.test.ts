import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import {
  AuthError,
  type AuthStrategy,
  Credential,
  createQelosAuth,
  type QelosAuth,
  type QelosAuthOptions,
} from '../../src';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { EventHub } from '../../src/events';
import { strategyContext } from '../../src/strategies/strategy-context';
import { SetClock, settled } from '../credentials/set-clock';
import { sendJson, startBackend } from '../support/backend';
import { whenDone } from '../support/when-done';
import { failureOf } from './obtaining';

function open(options: QelosAuthOptions): QelosAuth {
  const auth = createQelosAuth({ env: {}, ...options });
  whenDone(() => auth.close());
  return auth;
}

const own = (signIn: AuthStrategy['signIn']) => [{ name: 'own', signIn }];
/** All that is said to whoever reads it. */
const wordsOf = (error: Error) => `${error.message} ${(error as AuthError).hint}`;
const hostOf = (url: string) => new URL(url).host;

/** What signs in as `signIn` does, on a clock that only the test moves. */
function managerOf(url: string, signIn: AuthStrategy['signIn'], timeoutMs: number, clock: SetClock): CredentialManager {
  const events = new EventHub('test');
  const parts = { url, setting: 'QELOS_URL', strategy: 'own', connection: {}, events };
  const context = (signal: AbortSignal) => strategyContext(signal, parts);
  return new CredentialManager({ strategy: { name: 'own', signIn }, context, events, timeoutMs, clock });
}

describe('an error of a sign-in names the strategy, and the host that answered', () => {
  it.each([500, 404, 418, 403])('%i of a broker', async (status) => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/keys', (_request, response) => sendJson(response, status, {}, { 'retry-after': '60' }));
    const ways: AuthStrategy['signIn'][] = [
      ({ client }) => client(broker.url).get('/keys'),
      ({ signal }) => axios.get('/keys', { baseURL: broker.url, signal }), // of one's own
    ];
    for (const ask of ways) {
      const error = await failureOf(open({ config: { url: qelos.url }, strategies: own(ask) }).http.get('/api/me'));
      expect(error).toMatchObject({ name: 'AuthError', httpStatus: status });
      expect(error.message).toContain(`by ${hostOf(broker.url)} (strategy "own")`);
      expect(wordsOf(error)).not.toMatch(/QELOS_|config\.url/);
    }
  });

  it('or did not answer', async () => {
    const qelos = await startBackend();
    const broker = 'http://127.0.0.1:9';
    const ask: AuthStrategy['signIn'] = ({ client }) => client(broker).get('/keys');
    const clock = new SetClock();
    const manager = managerOf(qelos.url, ask, 1, clock); // no time for a second try
    const error = await failureOf(manager.get());
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
    expect(error.message).toBe('The sign-in got no answer (ECONNREFUSED) from 127.0.0.1:9 (strategy "own").');
    expect(wordsOf(error)).not.toContain('QELOS_');
  });

  it.each([
    ['of a broker that hangs', false],
    ['of the instance that hangs', true],
  ])('within the time: %s', async (_name, isInstance) => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    const asked = new Promise<void>((resolve) => {
      for (const server of [qelos, broker]) server.on('/keys', () => resolve());
    });
    const clock = new SetClock();
    const ask: AuthStrategy['signIn'] = ({ http, client }) => (isInstance ? http : client(broker.url)).get('/keys');
    const manager = managerOf(qelos.url, ask, 20_000, clock);
    const failure = failureOf(manager.get());
    await asked;
    await clock.advance(20_000);
    await settled();
    const error = await failure;
    const host = hostOf((isInstance ? qelos : broker).url);
    expect(error.message).toBe(
      `No credential was obtained within 20000 ms: ${host} has not answered (strategy "own").`,
    );
    expect(wordsOf(error).includes('QELOS_URL')).toBe(isInstance);
  });
});

describe('a setting is named as it was given', () => {
  const wrong = { username: 'someone', password: 'wrong-password' };

  it('by its variable', async () => {
    const { url } = await startBackend();
    const env = { QELOS_APP_URL: url, QELOS_USERNAME: wrong.username, QELOS_PASSWORD: wrong.password };
    const error = await failureOf(open({ env }).http.get('/api/me'));
    expect(error.message).toBe('QELOS_USERNAME and QELOS_PASSWORD were refused (HTTP status 401).');
    expect(wordsOf(error)).toContain('log-in page of QELOS_APP_URL');
  });

  it('by its option: of config, and of for()', async () => {
    const { url } = await startBackend();
    const env = { QELOS_URL: url, QELOS_USERNAME: 'somebody-else' };
    const auth = open({ env, config: wrong });
    const error = await failureOf(auth.http.get('/api/me'));
    expect(error.message).toBe('config.username and config.password were refused (HTTP status 401).');
    expect(wordsOf(error)).toContain('log-in page of QELOS_URL');
    const other = await failureOf(auth.for({ url, ...wrong }).http.get('/api/me'));
    expect(other.message).toBe('config.username and config.password were refused (HTTP status 401).');
    expect(wordsOf(other)).not.toContain('QELOS_');
  });
});

describe('what an OAuth server says (RFC 6749, 5.2)', () => {
  it.each([
    [400, 'invalid_grant', 'ERR_AUTH_REFUSED', false],
    [400, 'invalid_client', 'ERR_AUTH_REFUSED', false],
    [401, 'invalid_client', 'ERR_AUTH_REFUSED', false],
    [400, 'invalid_scope', 'ERR_AUTH_CONFIG', false],
    [400, 'unauthorized_client', 'ERR_AUTH_CONFIG', false],
    [400, 'something_else', 'ERR_AUTH_BAD_RESPONSE', true],
    [400, 'constructor', 'ERR_AUTH_BAD_RESPONSE', true],
    [500, 'invalid_grant', 'ERR_AUTH_UNAVAILABLE', true],
  ])('%i %s: %s', async (status, said, code, retryable) => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    const data = { error: said, error_description: 'secret-of-the-client is wrong' };
    broker.on('/token', (_request, response) => sendJson(response, status, data, { 'retry-after': '60' }));
    const strategies = own(({ client }) => client(broker.url).post('/token', {}));
    const error = await failureOf(open({ config: { url: qelos.url }, strategies }).http.get('/api/me'));
    expect(error).toMatchObject({ code, retryable, httpStatus: status });
    expect(wordsOf(error)).not.toContain('secret-of-the-client');
  });

  it('a refresh that ends with invalid_grant is followed by a sign-in', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/refresh', (_request, response) => sendJson(response, 400, { error: 'invalid_grant' }));
    let signIns = 0;
    const auth = open({
      config: { url: qelos.url },
      strategies: [
        {
          name: 'own',
          async signIn({ http }) {
            signIns++;
            const { data } = await http.post('/api/signin', { username: qelos.username, password: qelos.password });
            return Credential.bearer(data.payload.token, { refreshToken: 'spent' });
          },
          refresh: (_current, { client }) => client(broker.url).post('/refresh', {}),
        },
      ],
    });
    expect((await auth.http.get('/api/things')).status).toBe(200);
    qelos.expire();
    expect((await auth.http.get('/api/things')).status).toBe(200);
    expect([signIns, broker.to('/refresh').length]).toEqual([2, 1]);
  });
});

it('a bug of a strategy keeps where it was, and not what it said', async () => {
  function faultyHelper(): never {
    throw new TypeError('the key is secret-key-1\n    at secret-key-2 (x.ts:1:1)');
  }
  const error = await failureOf(
    open({ config: { url: 'http://127.0.0.1:9' }, strategies: own(async () => faultyHelper()) }).http.get('/api/me'),
  );
  expect(error).toMatchObject({
    code: 'ERR_AUTH_BAD_RESPONSE',
    message: expect.stringContaining('it threw TypeError'),
  });
  const { cause } = error as { cause?: Error };
  expect(cause?.stack).toMatch(/TypeError.*\n +at faultyHelper .*who-is-to-blame/);
  expect(`${cause?.stack} ${cause?.message} ${error.stack}`).not.toContain('secret-key');
});
