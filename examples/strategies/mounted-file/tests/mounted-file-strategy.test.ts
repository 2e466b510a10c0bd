import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readlink, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AuthError, createQelosAuth, isAuthError, type QelosAuth } from 'qelos-auth';
import { describeAuthStrategy, type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { MountedFileStrategy } from '../src/mounted-file-strategy';
import { type MountedSecret, mountSecret } from './mounted-secret';

/** A strategy made under this setting. It is gone afterwards: it was read when the strategy was made. */
function configured(file: string): MountedFileStrategy {
  process.env['QELOS_CREDENTIAL_FILE'] = file;
  const strategy = new MountedFileStrategy();
  delete process.env['QELOS_CREDENTIAL_FILE'];
  return strategy;
}

const GATEWAY_KEY = 'key of the gateway';
const withKey = (key: string) => JSON.stringify({ headers: { 'x-api-key': key, 'x-gateway-key': GATEWAY_KEY } });

describeAuthStrategy('mounted-file', {
  describe,
  it,
  without: ['refuse', 'hang'], // it asks a file, and nobody
  async create(server) {
    let token = server.issueApiToken();
    const secret = await mountSecret(withKey(token));
    return {
      strategy: configured(secret.file),
      unconfigured: configured(''),
      secrets: [GATEWAY_KEY],
      async expire() {
        server.revokeApiToken(token);
        token = server.issueApiToken();
        await secret.update(withKey(token));
      },
      close: secret.close,
    };
  },
});

describe('MountedFileStrategy', () => {
  let server: QelosServer;
  let secret: MountedSecret;
  let auth: QelosAuth;
  let token: string;
  let reads: number;
  beforeEach(async () => {
    server = await startQelosServer();
    token = server.issueApiToken();
    secret = await mountSecret(withKey(token));
    auth = createQelosAuth({ config: { url: server.url }, env: {}, strategies: [configured(secret.file)] });
    reads = 0;
    auth.on('signedIn', () => reads++);
  });
  afterEach(async () => {
    await auth.close();
    await secret.close();
    await server.close();
  });

  async function failure(): Promise<AuthError> {
    const error = await auth.signIn().catch((reason: unknown) => reason);
    assert.ok(isAuthError(error));
    return error;
  }

  it('sends the headers that the file holds', async () => {
    const { strategy, user } = await auth.signIn();
    assert.deepEqual([strategy, user.username], ['mounted-file', 'admin']);
  });

  it('sends the session that the file holds, and knows when it ends', async () => {
    const session = await fetch(`${server.url}/api/signin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...server.users[1], roles: undefined, authType: 'oauth' }),
    });
    const { payload } = (await session.json()) as { payload: { token: string } };
    await secret.update(JSON.stringify({ token: payload.token, expiresAt: '2100-01-01T00:00:00Z' }));
    const { user, expiresAt } = await auth.signIn();
    assert.deepEqual([user.username, expiresAt?.getUTCFullYear()], ['user', 2100]);
  });

  it('fails no call when the file was replaced and the old token revoked', async () => {
    const calls = () =>
      Promise.all(
        Array.from({ length: 50 }, (_, i) => auth.http.post('/api/blueprints/book/entities', { metadata: { i } })),
      );
    await calls();
    for (let swaps = 1; swaps <= 3; swaps++) {
      const before = await readlink(join(dirname(secret.file), '..data'));
      const next = server.issueApiToken();
      await secret.update(withKey(next));
      assert.notEqual(await readlink(join(dirname(secret.file), '..data')), before);
      server.revokeApiToken(token);
      token = next;
      await calls();
      assert.equal(reads, 1 + swaps);
    }
    const { data } = await auth.http.get<unknown[]>('/api/blueprints/book/entities');
    assert.equal(data.length, 200);
  });

  it('fails no call while both tokens are good, and reads nothing meanwhile', async () => {
    const next = server.issueApiToken();
    await auth.http.get('/api/me');
    await secret.update(withKey(next));
    await auth.http.get('/api/me');
    assert.equal(reads, 1);
  });

  it('is made by the container, from the environment', async () => {
    process.env['QELOS_CREDENTIAL_FILE'] = ` ${secret.file}\n`;
    const made = createQelosAuth({ config: { url: server.url }, env: {}, strategies: [MountedFileStrategy] });
    delete process.env['QELOS_CREDENTIAL_FILE'];
    assert.equal((await made.signIn()).strategy, 'mounted-file');
    await made.close();
  });

  it('says which setting it lacks', () => {
    assert.deepEqual(new MountedFileStrategy().missing(), ['QELOS_CREDENTIAL_FILE']);
  });

  const faults: [string, string, RegExp][] = [
    ['an empty file', '', /holds no JSON/],
    ['half a file', '{"headers":{"x-api-key":"ql_hidden', /holds no JSON/],
    ['null', 'null', /must have either/],
    ['neither', '{"apiKey":"ql_hidden"}', /must have either/],
    ['both', '{"token":"ql_hidden","headers":{"x-api-key":"ql_hidden"}}', /must have either/],
    ['headers that are a text', '{"headers":"ql_hidden"}', /must have either/],
    ['a token that is no text', '{"token":5}', /holds no access token/],
    ['a header that cannot be sent', '{"headers":{"x-api-key":"ql_\\nhidden"}}', /x-api-key that can be sent/],
    ['an end that is no date', '{"token":"ql_hidden","expiresAt":"soon"}', /"expiresAt" that is no date/],
  ];
  for (const [name, content, expected] of faults) {
    it(`explains ${name} without showing it`, async () => {
      await secret.update(content);
      const error = await failure();
      assert.deepEqual([error.code, error.retryable], ['ERR_AUTH_CONFIG', true]);
      assert.match(error.message, expected);
      assert.match(error.message, /QELOS_CREDENTIAL_FILE/);
      assert.doesNotMatch(`${error.stack} ${error.hint} ${JSON.stringify(error)}`, /hidden/);
    });
  }

  it('explains what is no file to read', async () => {
    const big = join(dirname(secret.file), 'big');
    await writeFile(big, ' '.repeat(1024 * 1024 + 1));
    const pipe = join(dirname(secret.file), 'pipe');
    execFileSync('mkfifo', [pipe]); // a reader of it would wait for somebody who writes
    for (const path of [big, pipe, '/dev/null']) {
      const own = createQelosAuth({ config: { url: server.url }, env: {}, strategies: [configured(path)] });
      const error = await own.signIn().catch((reason: unknown) => reason);
      assert.ok(isAuthError(error));
      assert.equal(error.code, 'ERR_AUTH_CONFIG');
      assert.match(error.message, /cannot be read \(not a regular file of at most 1 MiB\)/);
      await own.close();
    }
  });

  it('explains a file that is not there', async () => {
    await rm(secret.file);
    const error = await failure();
    assert.deepEqual([error.code, error.retryable], ['ERR_AUTH_CONFIG', true]);
    assert.match(error.message, /cannot be read \(ENOENT\)/);
  });
});
