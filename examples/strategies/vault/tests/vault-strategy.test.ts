import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type AuthError, createQelosAuth, type QelosAuth } from 'qelos-auth';
import { describeAuthStrategy, type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { VaultStrategy } from '../src/vault-strategy';
import { startVault, type VaultServer, type VaultServerOptions } from './vault-server';

const READ = 'GET /v1/secret/data/qelos';
const RENEW = 'POST /v1/auth/token/renew-self';

/** A strategy made under these settings. They are gone afterwards: it has read them when it was made. */
function configured(settings: Record<string, string>): VaultStrategy {
  Object.assign(process.env, settings);
  const strategy = new VaultStrategy();
  for (const name of Object.keys(settings)) delete process.env[name];
  return strategy;
}

describeAuthStrategy('vault', {
  describe,
  it,
  async create(server) {
    const vault = await startVault();
    let apiToken = '';
    const replace = () => {
      server.revokeApiToken(apiToken);
      apiToken = server.issueApiToken();
      vault.write('qelos', { api_token: apiToken });
    };
    replace();
    const { url: VAULT_ADDR, token: VAULT_TOKEN } = vault;
    return {
      strategy: configured({ VAULT_ADDR, VAULT_TOKEN, QELOS_VAULT_PATH: 'secret/data/qelos' }),
      unconfigured: configured({}),
      secrets: [VAULT_TOKEN],
      refuse: () => vault.revokeToken(),
      hang: () => vault.answer('hang'),
      expire: replace,
      close: () => vault.close(),
    };
  },
});

describe('VaultStrategy', () => {
  const pending: (() => Promise<void>)[] = [];
  let qelos: QelosServer;
  let vault: VaultServer;
  beforeEach(async () => {
    qelos = await startQelosServer();
    pending.push(qelos.close);
  });
  afterEach(async () => {
    for (const close of pending.splice(0).reverse()) await close();
  });

  async function open(options: VaultServerOptions = {}, settings: Record<string, string> = {}): Promise<QelosAuth> {
    vault = await startVault(options);
    vault.write('qelos', { api_token: qelos.issueApiToken() });
    const { url: VAULT_ADDR, token: VAULT_TOKEN } = vault;
    const strategy = configured({ VAULT_ADDR, VAULT_TOKEN, QELOS_VAULT_PATH: 'secret/data/qelos', ...settings });
    const config = { url: qelos.url, timeoutMs: 2_000 }; // a flight tries again in it what may pass
    const auth = createQelosAuth({ config, env: {}, strategies: [strategy] });
    pending.push(vault.close, () => auth.close());
    return auth;
  }
  const errorOf = (auth: QelosAuth) => auth.signIn().then(String, (error: AuthError) => error);

  it('reads the API token from a KV engine of version 2', async () => {
    const auth = await open();
    expect(await auth.signIn()).toMatchObject({ strategy: 'vault', user: { username: 'admin' } });
    expect([vault.count(RENEW), vault.count(READ)]).toEqual([1, 1]);
  });

  it('reads in the namespace of VAULT_NAMESPACE', async () => {
    const auth = await open({ namespace: 'team/plugins' }, { VAULT_NAMESPACE: 'team/plugins' });
    expect(await auth.signIn()).toMatchObject({ user: { username: 'admin' } });
  });

  it('is made by the container, from the environment', async () => {
    await open();
    const settings = {
      VAULT_ADDR: `${vault.url}/`,
      VAULT_TOKEN: `${vault.token}\n`,
      QELOS_VAULT_PATH: 'secret/data/qelos',
    };
    Object.assign(process.env, settings);
    const auth = createQelosAuth({ config: { url: qelos.url }, env: {}, strategies: [VaultStrategy] });
    for (const name of Object.keys(settings)) delete process.env[name];
    expect(await auth.signIn()).toMatchObject({ strategy: 'vault' });
    await auth.close();
  });

  it('says which settings it lacks', () => {
    expect(configured({}).missing()).toEqual(['VAULT_ADDR', 'VAULT_TOKEN', 'QELOS_VAULT_PATH']);
    expect(configured({ VAULT_TOKEN: 't', VAULT_ADDR: 'a' }).missing()).toEqual(['QELOS_VAULT_PATH']);
  });

  it('takes the next version when the API token is replaced, without a failed call', async () => {
    const auth = await open();
    const old = qelos.issueApiToken();
    vault.write('qelos', { api_token: old });
    await auth.signIn();
    vault.write('qelos', { api_token: qelos.issueApiToken() });
    qelos.revokeApiToken(old);
    await Promise.all(Array.from({ length: 50 }, () => auth.http.get('/api/me')));
    expect(vault.count(READ)).toBe(2);
  });

  /** Lets time go by, for the library and for Vault. */
  function clock(): (seconds: number) => void {
    let elapsed = 0;
    const monotonic = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + elapsed * 1000);
    return (seconds) => {
      elapsed += seconds;
      vault.advance(seconds);
    };
  }

  it('renews VAULT_TOKEN by itself, long before it ends', async () => {
    const advance = clock();
    const auth = await open({ tokenSeconds: 3600 });
    const { expiresAt } = await auth.signIn();
    expect(Math.round((Number(expiresAt) - Date.now()) / 60_000)).toBe(40);
    for (let reads = 2; reads < 6; reads++) {
      advance(2400);
      await auth.http.get('/api/me');
      expect([vault.count(RENEW), vault.count(READ)]).toEqual([reads, reads]);
    }
  });

  it('does without renewal where a token may read and not renew itself', async () => {
    const auth = await open();
    vault.answer({ status: 403, body: '{"errors":["permission denied"]}' }, RENEW);
    expect(await auth.signIn()).toMatchObject({ user: { username: 'admin' } });
  });

  it('does without renewal where a token has none, such as a root token', async () => {
    const auth = await open({ renewable: false });
    expect(await auth.signIn()).not.toHaveProperty('expiresAt');
  });

  it('takes a new API token when the lease of the old one ends', async () => {
    const advance = clock();
    const auth = await open({}, { QELOS_VAULT_PATH: 'qelos/creds/plugin' });
    const issued: string[] = [];
    vault.lease('qelos/creds/plugin', 600, () => {
      issued.push(qelos.issueApiToken());
      return { api_token: issued.at(-1) };
    });
    const { expiresAt } = await auth.signIn();
    expect(Math.round((Number(expiresAt) - Date.now()) / 60_000)).toBe(10);
    advance(600);
    qelos.revokeApiToken(issued[0] ?? '');
    qelos.requests.reset();
    await auth.http.get('/api/me');
    expect([issued.length, qelos.requests.count({ status: 401 })]).toEqual([2, 0]);
  });

  it('says what is wrong with a path without "data/"', async () => {
    const auth = await open({}, { QELOS_VAULT_PATH: 'secret/qelos' });
    expect(await errorOf(auth)).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      httpStatus: 404,
      message: expect.stringContaining('QELOS_VAULT_PATH'),
      hint: expect.stringContaining('"data/"'),
    });
  });

  const NO_VAULT = { code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: 200 } as const;
  it.each<[string, (vault: VaultServer) => void, Partial<AuthError>]>([
    [
      'a revoked token',
      (vault) => vault.revokeToken(),
      { code: 'ERR_AUTH_REFUSED', httpStatus: 403, message: expect.stringContaining('VAULT_TOKEN') as never },
    ],
    ['a deleted secret', (vault) => vault.write('qelos'), { code: 'ERR_AUTH_CONFIG', httpStatus: 404 }],
    [
      'a secret without the field',
      (vault) => vault.write('qelos', { token: 'ql_1' }),
      { code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('"api_token"') as never },
    ],
    ['a secret with nothing in it', (vault) => vault.write('qelos', { api_token: ' ' }), { code: 'ERR_AUTH_CONFIG' }],
    [
      'a sealed Vault',
      (vault) => vault.answer({ status: 503, body: '{"errors":["Vault is sealed"]}' }),
      { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 503, retryable: true },
    ],
    [
      'a Vault that renews nothing at the moment',
      (vault) => vault.answer({ status: 500 }, RENEW),
      { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 500, retryable: true },
    ],
    [
      'a rate limit',
      (vault) => vault.answer({ status: 429, headers: { 'retry-after': '17' } }),
      { code: 'ERR_AUTH_UNAVAILABLE', retryAfterMs: 17_000 },
    ],
    ['a web page', (vault) => vault.answer({ status: 200, body: '<html>' }), NO_VAULT],
    ['a body of null', (vault) => vault.answer({ status: 200, body: 'null' }), NO_VAULT],
    ['a bad request', (vault) => vault.answer({ status: 400 }), { code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: 400 }],
  ])('explains %s', async (_, arrange, expected) => {
    const auth = await open();
    arrange(vault);
    expect(await errorOf(auth)).toMatchObject(expected);
  });

  it('explains that nobody listens', async () => {
    const auth = await open();
    await vault.close();
    const error = await errorOf(auth);
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
    expect(String(error)).toContain('VAULT_ADDR');
  });

  it('carries VAULT_TOKEN to no other host by a redirect', async () => {
    let received = 0;
    const elsewhere = createServer((_, response) => {
      received += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    pending.push(async () => void elsewhere.close());
    const auth = await open();
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    vault.answer({ status: 307, headers: { location } });
    expect(await errorOf(auth)).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: 307 });
    expect(received).toBe(0);
  });
});
