import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type AuthConfig, type AuthStrategy, createQelosAuth, type QelosAuth } from '../../src';
import { headersOf, lifetimeOf } from '../../src/contract/credential';
import { ApiTokenStrategy } from '../../src/strategies/api-token';
import { ApiTokenFileStrategy } from '../../src/strategies/api-token-file';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { expectNoSecret } from '../support/sinks';
import { contextFor, failureOf, managerOf, throughPauses } from './obtaining';

const ME = '/api/me';
const ENTITIES = '/api/blueprints/thing/entities';
const workspace = { _id: '65f0000000000000000000a1', name: 'First' };
const wrongToken = `ql_${'0'.repeat(64)}`;

let server: QelosServer;
let folder: string;
let file: string;
let auth: QelosAuth | undefined;

beforeEach(async () => {
  server = await startQelosServer({
    users: [{ username: 'admin', password: 'password-of-admin', roles: ['admin'], workspaces: [workspace] }],
  });
  folder = await mkdtemp(join(tmpdir(), 'qelos-auth-'));
  file = join(folder, 'token');
});

afterEach(async () => {
  await auth?.close();
  auth = undefined;
  await server.close();
  await rm(folder, { recursive: true });
});

const strategyFor = (config: Partial<AuthConfig>): AuthStrategy => {
  const Strategy = config.apiTokenFile === undefined ? ApiTokenStrategy : ApiTokenFileStrategy;
  return new Strategy({ url: server.url, ...config });
};
const failure = (config: Partial<AuthConfig>) => {
  const { manager, clock } = managerOf(strategyFor(config), server.url);
  return failureOf(throughPauses(manager.get(), clock));
};
const whole = (config: Partial<AuthConfig>) => {
  auth = createQelosAuth({ env: {}, config: { url: server.url, ...config } });
  return auth;
};

describe('a static token', () => {
  it('is checked once and then sent as x-api-key', async () => {
    const { http } = whole({ apiToken: server.issueApiToken() });
    for (let call = 0; call < 5; call++) expect((await http.get(ENTITIES)).status).toBe(200);
    expect(server.requests.count({ path: ME })).toBe(1);
    expect(server.requests.count({ path: ENTITIES })).toBe(5);
  });

  it('makes a credential without an end', async () => {
    const apiToken = server.issueApiToken();
    const credential = await strategyFor({ apiToken }).signIn(contextFor(server.url));
    expect(headersOf(credential)).toEqual({ 'x-api-key': apiToken });
    expect(lifetimeOf(credential)).toBeUndefined();
  });

  it.each([
    ['unknown', () => wrongToken],
    ['expired', () => server.issueApiToken({ expiresAt: new Date(0) })],
    ['of a workspace that is gone', () => server.issueApiToken({ workspace: '65f0000000000000000000ff' })],
    [
      'revoked',
      () => {
        const token = server.issueApiToken();
        server.revokeApiToken(token);
        return token;
      },
    ],
  ])('that is %s is refused by name: final', async (_name, token) => {
    const apiToken = token();
    const { http } = whole({ apiToken });
    const error = await failureOf(http.get(ENTITIES));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_TOKEN_REFUSED',
      httpStatus: 401,
      retryable: false,
      message: 'The API token in QELOS_API_TOKEN was refused (HTTP status 401).',
      hint: expect.stringMatching(/one of: expired, revoked.*start again\.$/),
    });
    expectNoSecret(error, [apiToken]);
    for (let call = 0; call < 20; call++) await failureOf(http.get(ENTITIES));
    expect(server.requests.count()).toBe(1);
  });

  it('that is revoked while in use: the 401 is the answer, after one look at GET /api/me, and it was sent once', async () => {
    const apiToken = server.issueApiToken();
    const { http } = whole({ apiToken });
    await http.get(ENTITIES);
    server.revokeApiToken(apiToken);
    server.requests.reset();
    const error = await failureOf(http.get(ENTITIES));
    expect(error).toMatchObject({ response: { status: 401 }, authCode: 'ERR_AUTH_TOKEN_REFUSED' });
    expectNoSecret(error, [apiToken]);
    expect(server.requests.count({ path: ME })).toBe(1); // its text cannot tell what it means
    expect(server.requests.count({ path: ENTITIES })).toBe(1);
  });

  it.each([500, 503, 429])('F26 %i at start is an outage, not a refusal', async (status) => {
    server.fail(ME, { status, headers: { 'retry-after': '7' } });
    expect(await failure({ apiToken: server.issueApiToken() })).toMatchObject({
      code: 'ERR_AUTH_UNAVAILABLE',
      httpStatus: status,
      retryable: true,
      retryAfterMs: 7_000,
    });
  });

  it.each<[string, Parameters<QelosServer['fail']>[1]]>([
    ['HTML', 'html'],
    ['broken JSON', 'broken-json'],
    ['empty', { status: 200 }],
    ['null', { status: 200, body: null }],
    ['an array', { status: 200, body: [] }],
    ['a text', { status: 200, body: 'ok' }],
    ['no user', { status: 200, body: {} }],
  ])('F37 an answer that is none of Qelos, no API request is sent: %s', async (_name, fault) => {
    server.fail(ME, fault);
    const apiToken = server.issueApiToken();
    const error = await failureOf(whole({ apiToken }).http.get(ENTITIES));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_BAD_RESPONSE',
      message: 'The answer to the sign-in is not one of Qelos.',
      retryable: true,
    });
    expectNoSecret(error, [apiToken]);
    expect(server.requests.count({ path: ENTITIES })).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('F04 a redirect (%i) is never followed', async (status) => {
    const other = await startQelosServer();
    server.fail(ME, { status, headers: { location: `${other.url}${ME}` } });
    const apiToken = server.issueApiToken();
    const error = await failure({ apiToken });
    expect(error).toMatchObject({ code: 'ERR_AUTH_REDIRECT', httpStatus: status });
    expectNoSecret(error, [apiToken]);
    expect(other.requests.count()).toBe(0);
    await other.close();
  });

  it('answers signIn() with the user it has just learned of, without asking again', async () => {
    const { user, strategy } = await whole({ apiToken: server.issueApiToken() }).signIn();
    expect(user.username).toBe('admin');
    expect(strategy).toBe('api-token');
    expect(server.requests.count({ path: ME })).toBe(1);
  });
});

describe('workspaces', () => {
  it('a token of the configured one is accepted', async () => {
    const apiToken = server.issueApiToken({ workspace: workspace._id });
    const { http } = whole({ apiToken, workspace: workspace._id });
    expect((await http.get(ME)).data.workspace).toMatchObject({ _id: workspace._id });
  });

  it.each([
    ['none', undefined, /bound to no workspace/],
    ['another', workspace._id, /bound to the workspace 65f0000000000000000000a1/],
  ])('a token of %s: ERR_AUTH_WORKSPACE', async (_name, bound, says) => {
    const apiToken = server.issueApiToken(bound === undefined ? {} : { workspace: bound });
    const error = await failureOf(whole({ apiToken, workspace: 'another-one' }).http.get(ENTITIES));
    expect(error).toMatchObject({ code: 'ERR_AUTH_WORKSPACE', message: expect.stringMatching(says) });
    expect(error.message).toMatch(/^The API token is bound to /);
    expectNoSecret(error, [apiToken]);
    expect(server.requests.count({ path: ENTITIES })).toBe(0);
  });
});

describe('a token in a file', () => {
  it.each([
    ['as it is', ''],
    ['with LF', '\n'],
    ['with CRLF and blanks', ' \r\n'],
  ])('is read and trimmed: %s', async (_name, after) => {
    const token = server.issueApiToken();
    await writeFile(file, `${token}${after}`);
    expect((await whole({ apiTokenFile: file }).http.get(ENTITIES)).status).toBe(200);
    await writeFile(file, `\ufeff${token}`);
    const credential = await strategyFor({ apiTokenFile: file }).signIn(contextFor(server.url));
    expect(headersOf(credential)['x-api-key']).toBe(token);
  });

  it.each([undefined, 'api-token', 'api-token-file'])('has a strategy of its own; pinned: %s', async (strategy) => {
    await writeFile(file, server.issueApiToken());
    const { strategy: chosen, http } = whole({ apiTokenFile: file, strategy });
    expect(chosen.name).toBe('api-token-file');
    expect((await http.get(ENTITIES)).status).toBe(200);
  });

  it('that is missing: by name, and it may come later', async () => {
    const offset = 2_000;
    const { http } = whole({ apiTokenFile: file });
    const now = performance.now();
    const error = await failureOf(http.get(ENTITIES));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      retryable: true,
      message: 'QELOS_API_TOKEN_FILE names a file that cannot be read (ENOENT).',
    });
    expect(server.requests.count()).toBe(0);
    await writeFile(file, server.issueApiToken());
    jest.spyOn(performance, 'now').mockReturnValue(now + offset);
    expect((await http.get(ENTITIES)).status).toBe(200);
  });

  it('that is a folder: by name', async () => {
    expect(await failure({ apiTokenFile: folder })).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringContaining('EISDIR'),
    });
  });

  it.each([
    ['empty', '\n', /empty/],
    ['two lines', 'ql_secret-1\nql_secret-2', /line end/],
    ['in quotes', '"ql_secret-1"', /quotes/],
    ['non-ASCII', 'ql_secret-ä', /non-ASCII/],
    ['the word null', 'null', /the word "null"/],
    ['a placeholder', '\x24{TOKEN}', /placeholder/],
    ['20 kB', 'ql_secret-1'.repeat(2_000), /longer than/],
  ])('F15 whose content can be no token is refused by name: %s', async (_name, content, says) => {
    await writeFile(file, content);
    const error = await failure({ apiTokenFile: file });
    expect(error).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringMatching(/QELOS_API_TOKEN_FILE/),
      retryable: true, // the file may be written anew
    });
    expect(error.message).toMatch(says);
    expectNoSecret(error, ['ql_secret']);
    expect(server.requests.count()).toBe(0);
  });

  it('that was rotated is picked up after a 401 without a failed call', async () => {
    const old = server.issueApiToken();
    await writeFile(file, old);
    const { http } = whole({ apiTokenFile: file });
    await http.get(ENTITIES);
    server.revokeApiToken(old);
    await writeFile(file, server.issueApiToken());
    const answers = await Promise.all(Array.from({ length: 20 }, () => http.get(ENTITIES)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    // The sign-in, the look that finds the old one refused, and the check of the new one.
    expect(server.requests.count({ path: ME })).toBe(3);
  });

  it('that was not replaced is not sent again and again once it is refused', async () => {
    const token = server.issueApiToken();
    await writeFile(file, token);
    const { http } = whole({ apiTokenFile: file });
    await http.get(ENTITIES);
    server.revokeApiToken(token);
    server.requests.reset();
    const start = performance.now();
    for (let round = 1; round <= 10; round++) {
      jest.spyOn(performance, 'now').mockReturnValue(start + round * 120_000);
      const error = await failureOf(http.get(ENTITIES));
      expectNoSecret(error, [token]);
      expect(error).toMatchObject({
        response: { status: 401 },
        authCode: 'ERR_AUTH_TOKEN_REFUSED',
        hint: expect.stringMatching(/set it there; the file is read again by itself\.$/),
      });
    }
    // What each 401 means was asked, as they came minutes apart. And the file's token was tried at once, and after the cool-downs
    // of 30, 60, 120, 240 and 300 s: whoever refuses it may have been mistaken (S07).
    expect(server.requests.count({ path: ME })).toBe(10 + 6);
    await writeFile(file, server.issueApiToken());
    jest.spyOn(performance, 'now').mockReturnValue(start + 11 * 120_000);
    expect((await http.get(ENTITIES)).status).toBe(200);
  });

  it('F23 "you are not privileged." is not about the token: the file is not read', async () => {
    await writeFile(file, server.issueApiToken());
    const { http } = whole({ apiTokenFile: file });
    await http.get(ENTITIES);
    server.requests.reset();
    server.fail('/api/users', { status: 401, body: { message: 'you are not privileged.' } });
    const error = await failureOf(http.get('/api/users'));
    expect(error).toMatchObject({ response: { status: 401 }, authCode: 'ERR_AUTH_FORBIDDEN' });
    expect(server.requests.count()).toBe(1);
  });
});

describe('what it lacks', () => {
  it.each([
    [{}, ['QELOS_API_TOKEN']],
    [{ apiToken: '' }, ['QELOS_API_TOKEN']],
    [{ apiToken: 't' }, []],
    [{ apiTokenFile: '/t' }, []],
  ])('%j: %j', (config, missing) => {
    expect(strategyFor(config).missing()).toEqual(missing);
  });
});

it('whatever is answered, a static token is not to be replaced', () => {
  expect(strategyFor({ apiToken: 't' }).isRejected?.({ status: 401, data: '', headers: {} })).toBe(false);
});

it('a token in a file is refused by what refuses any credential', () => {
  expect(strategyFor({ apiTokenFile: '/t' }).isRejected).toBeUndefined();
});
