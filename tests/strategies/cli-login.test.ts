import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CliLoginStrategy, Credential, createQelosAuth, type QelosAuth, type QelosAuthOptions } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { settableClock } from '../support/clock';
import { expectNoSecret } from '../support/sinks';
import { whenDone } from '../support/when-done';
import { failureOf } from './obtaining';

const ME = '/api/me';
const platform = process.platform;

let server: QelosServer;
let home: string;
let file: string;
let apiToken: string;

beforeEach(async () => {
  server = await startQelosServer();
  home = await mkdtemp(join(tmpdir(), 'qelos-auth-'));
  await mkdir(join(home, '.qelos'));
  file = join(home, '.qelos', 'credentials.json');
  apiToken = server.issueApiToken({ username: 'user' });
});

afterEach(async () => {
  Object.defineProperty(process, 'platform', { value: platform });
  await server.close();
  await rm(home, { recursive: true });
});

/** Writes what `qelos auth login` writes, as it does. */
async function login(content: unknown = {}, mode = 0o600): Promise<void> {
  const { origin } = new URL(server.url);
  const user = { _id: '65f0c0ffee65f0c0ffee65f0', username: 'user', email: 'user@null' };
  const whole = { appUrl: origin, apiToken, user, createdAt: new Date(0).toISOString() };
  const text = typeof content === 'string' ? content : JSON.stringify({ ...whole, ...(content as object) }, null, 2);
  await writeFile(file, `${text}\n`);
  await chmod(file, mode);
}

function open(options: QelosAuthOptions = {}): QelosAuth {
  const auth = createQelosAuth({ env: { HOME: home, QELOS_URL: server.url }, ...options });
  whenDone(() => auth.close());
  return auth;
}

/** What the error of the choice says that this strategy lacks. */
function lacks(env: Record<string, string> = {}): string {
  try {
    open({ env: { HOME: home, QELOS_URL: server.url, ...env } });
  } catch (error) {
    expectNoSecret(error, [apiToken]);
    expect(error).toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY' });
    const lines = (error as Error).message.split('\n');
    expect(lines.slice(1, 5)).toEqual([
      '- api-token: QELOS_API_TOKEN',
      '- api-token-file: QELOS_API_TOKEN_FILE',
      '- session: QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN',
      '- oauth-refresh: QELOS_USERNAME, QELOS_PASSWORD',
    ]);
    return lines[5] ?? '';
  }
  throw new Error('a strategy was chosen');
}

describe('the log-in of the Qelos CLI', () => {
  it('is used if nothing else is configured, and told of', async () => {
    await login();
    const auth = open();
    expect(auth.strategy).toEqual({
      name: 'cli-login',
      source: '~/.qelos/credentials.json',
      skipped: [
        { name: 'api-token', missing: ['QELOS_API_TOKEN'] },
        { name: 'api-token-file', missing: ['QELOS_API_TOKEN_FILE'] },
        { name: 'session', missing: ['QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN'] },
        { name: 'oauth-refresh', missing: ['QELOS_USERNAME', 'QELOS_PASSWORD'] },
      ],
    });
    expect(await auth.signIn()).toMatchObject({ strategy: 'cli-login', user: { username: 'user' } });
    expect((await auth.http.get(ME)).data.username).toBe('user');
    expectNoSecret(auth, [apiToken]);
  });

  it('is found by USERPROFILE where there is no HOME, as on Windows, whose files have no mode', async () => {
    await login({}, 0o666);
    Object.defineProperty(process, 'platform', { value: 'win32' });
    expect(open({ env: { USERPROFILE: home, QELOS_URL: server.url } }).strategy.name).toBe('cli-login');
  });

  it.each([
    ['an API token', { QELOS_API_TOKEN: 'ql_1' }, 'api-token'],
    ['a user name and a password', { QELOS_USERNAME: 'u', QELOS_PASSWORD: 'p' }, 'oauth-refresh'],
  ])('loses to %s', async (_name, env, chosen) => {
    await login();
    expect(open({ env: { HOME: home, QELOS_URL: server.url, ...env } }).strategy.name).toBe(chosen);
  });

  it('can be pinned', async () => {
    await login();
    const env = { HOME: home, QELOS_URL: server.url, QELOS_API_TOKEN: 'ql_1', QELOS_AUTH_STRATEGY: 'cli-login' };
    expect(open({ env }).strategy.name).toBe('cli-login');
  });

  it('is not there for an env without home: tests of a developer see nothing of it', async () => {
    await login();
    const attempt = () => open({ env: {}, config: { url: server.url } });
    expect(attempt).toThrow(/- cli-login: HOME, to find/);
  });

  it('is not used by auth.for', async () => {
    await login();
    expect(() => open().for({ url: server.url })).toThrow(expect.objectContaining({ code: 'ERR_AUTH_NO_STRATEGY' }));
  });
});

describe('what it lacks', () => {
  it('nobody has logged in', () => {
    expect(lacks()).toBe('- cli-login: a log-in of the Qelos CLI (run "qelos auth login")');
  });

  it('production', async () => {
    await login();
    expect(lacks({ NODE_ENV: 'production' })).toBe('- cli-login: a NODE_ENV other than "production"');
  });

  it('a log-in to another instance: its token stays here', async () => {
    await login({ appUrl: 'https://other.example' });
    expect(lacks()).toBe(
      `- cli-login: a log-in of the Qelos CLI to ${server.url} (it is logged in to https://other.example)`,
    );
    expect(server.requests.count()).toBe(0);
  });

  it.each([0o640, 0o604, 0o666, 0o620])('a file that others may use (mode %o)', async (mode) => {
    await login({}, mode);
    expect(lacks()).toContain(`nobody else may read (its mode is ${mode.toString(8)}: run "chmod 600`);
  });

  it("a file of one's own", async () => {
    await login();
    const uid = process.getuid?.() ?? 0;
    jest.spyOn(process, 'getuid').mockReturnValue(uid + 1);
    expect(lacks()).toContain('belongs to the user who runs this');
  });

  it.each<[string, unknown, RegExp]>([
    ['no JSON', '{"appUrl": "ht', /with the URL of an instance in it/],
    ['no object', 'null', /with the URL of an instance in it/],
    ['no URL', { appUrl: undefined }, /with the URL of an instance in it/],
    ['a URL that is none', { appUrl: 'x' }, /with the URL of an instance in it/],
    ['no token', { apiToken: undefined }, /with an API token in it/],
    ['a token of two lines', { apiToken: 'ql_1\nql_2' }, /what is there holds a line end/],
  ])('a file that holds %s', async (_name, content, says) => {
    await login(content);
    expect(lacks()).toMatch(says);
  });

  it('a file that is a folder', async () => {
    await mkdir(file, { mode: 0o700 });
    expect(lacks()).toBe('- cli-login: a ~/.qelos/credentials.json that can be read (EISDIR)');
  });

  it('is known when it is made: missing() opens nothing', async () => {
    const strategy = new CliLoginStrategy({ url: server.url }, { HOME: home });
    await login();
    expect(strategy.missing()).toHaveLength(1);
    const other = new CliLoginStrategy({ url: server.url }, { HOME: home });
    await rm(file);
    expect(other.missing()).toEqual([]);
  });

  it('is not looked for if something else is configured', async () => {
    await login();
    const strategy = new CliLoginStrategy({ url: server.url, apiToken: 't' }, { HOME: home });
    expect(strategy.missing()).toEqual(['a log-in of the Qelos CLI (not looked for)']);
  });
});

describe('F16 an instance that is not configured', () => {
  it('is that of the log-in', async () => {
    await login();
    const auth = open({ env: { HOME: home } });
    expect(auth.strategy).toEqual({ name: 'cli-login', source: '~/.qelos/credentials.json', skipped: [] });
    expect((await auth.http.get(ME)).data.username).toBe('user');
  });

  it.each<[string, Record<string, string>]>([
    ['in production', { NODE_ENV: 'production' }],
    ['with an API token, which would get to another instance than it is for', { QELOS_API_TOKEN: 'ql_1' }],
    ['with a password', { QELOS_USERNAME: 'u', QELOS_PASSWORD: 'p' }],
    ['with the tokens of a session', { QELOS_REFRESH_TOKEN: 'x.y.z' }],
    ['with another strategy pinned', { QELOS_AUTH_STRATEGY: 'oauth-refresh' }],
    ['without a home', { HOME: '' }],
  ])('is an error %s', async (_name, env) => {
    await login();
    expect(() => open({ env: { HOME: home, ...env } })).toThrow(/^QELOS_URL is missing/);
  });

  it('is not the one that others could have written', async () => {
    await login({}, 0o602);
    expect(() => open({ env: { HOME: home } })).toThrow(/^QELOS_URL is missing/);
  });

  it('says where its URL is from that cannot be used', async () => {
    await login({ appUrl: 'http://my.qelos.example' });
    expect(() => open({ env: { HOME: home } })).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_INSECURE_URL',
        message: expect.stringContaining('its value is that of ~/.qelos/credentials.json'),
      }),
    );
  });

  it('gets nothing of a strategy of one’s own', async () => {
    await login();
    const signIn = jest.fn(async () => Credential.apiKey('secret-of-another'));
    const auth = open({ env: { HOME: home }, strategies: [{ name: 'own', missing: () => [], signIn }] });
    await auth.http.get(ME);
    expect(signIn).not.toHaveBeenCalled();
  });
});

describe('the project in the working folder', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qelos-auth-project-'));
    jest.spyOn(process, 'cwd').mockReturnValue(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Writes what a team has beside its sources. */
  async function project(text: string, { name = 'qelos.config.json', mode = 0o600 } = {}): Promise<void> {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), mode);
  }
  const json = (fields: object = {}) => JSON.stringify({ qelosUrl: server.url, qelosApiToken: apiToken, ...fields });
  const user = async (auth: QelosAuth) => (await auth.http.get(ME)).data.username;

  it.each([
    ['qelos.config.json', () => json({ agents: { a: {} } })],
    [
      'qelos.config.yaml',
      () => `# ours\nqelosUrl: ${server.url}\nqelosApiToken: '${apiToken}' # of the user\nagents:\n  a: {}\n`,
    ],
    ['qelos.config.yml', () => `qelosApiToken: ${apiToken}\r\nqelosUrl: "${server.url}"   \r\n`],
  ])('gives URL and token by %s, before the log-in', async (name, text) => {
    await login({ apiToken: server.issueApiToken({ username: 'admin' }) });
    await project(text(), { name });
    const auth = open({ env: { HOME: home } });
    expect(auth.strategy).toEqual({ name: 'cli-login', source: name, skipped: [] });
    expect(await user(auth)).toBe('user');
    expectNoSecret(auth, [apiToken]);
  });

  it('may give the URL alone, with the token of the log-in; the file may be read by all then', async () => {
    await login();
    await project(json({ qelosApiToken: undefined }), { mode: 0o644 });
    const auth = open({ env: { HOME: home } });
    expect(auth.strategy.source).toBe('~/.qelos/credentials.json');
    expect(await user(auth)).toBe('user');
  });

  it.each([0o640, 0o604, 0o644])('gives no token by a file that others may read (mode %o)', async (mode) => {
    await login();
    await project(json(), { mode });
    expect(lacks()).toContain(`a qelos.config.json that nobody else may read (its mode is ${mode.toString(8)}`);
    expect(() => open({ env: { HOME: home } })).toThrow(/chmod 600 qelos.config.json/);
  });

  it('gives its token to no other instance than its own', async () => {
    await login();
    await project(json({ qelosUrl: 'https://other.example' }));
    expect(open().strategy.source).toBe('~/.qelos/credentials.json');
  });

  it('leads no stored token to where somebody else’s project points', async () => {
    await login();
    await project(json({ qelosUrl: 'https://evil.example', qelosApiToken: undefined }));
    expect(() => open({ env: { HOME: home } })).toThrow(/a log-in of the Qelos CLI to https:\/\/evil.example/);
  });

  it.each([
    'qelosApiToken: |\n  ql_1',
    'qelosApiToken: &a ql_1',
    'qelosApiToken: "ql\\x31"',
    'other:\n  qelosApiToken: ql_1',
  ])('reads of YAML what stands on one line at the top, and not %j', async (text) => {
    await project(`qelosUrl: ${server.url}\n${text}\n`, { name: 'qelos.config.yaml' });
    expect(() => open({ env: { HOME: home } })).toThrow(/- cli-login: /);
  });

  it('is not looked at without a home, nor if something else is configured', async () => {
    await project(json());
    expect(() => open({ env: {} })).toThrow(/^QELOS_URL is missing/);
    expect(open({ env: { HOME: home, QELOS_URL: server.url, QELOS_API_TOKEN: 'ql_1' } }).strategy.name).toBe(
      'api-token',
    );
  });

  it('goes on with its file: another one could be about another account', async () => {
    await login({ apiToken: server.issueApiToken({ username: 'admin' }) });
    await project(json());
    const auth = open({ env: { HOME: home } });
    await rm(join(folder, 'qelos.config.json'));
    expect(await failureOf(auth.http.get(ME))).toMatchObject({ code: 'ERR_AUTH_CONFIG', retryable: true });
  });
});

describe('a stored token that is refused', () => {
  it('says what to run, is not sent again, and is replaced by a new log-in', async () => {
    await login();
    const { http } = open();
    await http.get(ME);
    server.revokeApiToken(apiToken);
    server.requests.reset();
    const error = await failureOf(http.get('/api/blueprints/thing/entities'));
    expect(error).toMatchObject({
      response: { status: 401 },
      authCode: 'ERR_AUTH_TOKEN_REFUSED',
      hint: expect.stringContaining('qelos auth login'),
    });
    expectNoSecret(error, [apiToken]);
    expect(server.requests.count({ path: ME })).toBe(2); // a look at what the 401 means, and one whether there is another
    const late = performance.now() + 29_000;
    jest.spyOn(performance, 'now').mockReturnValue(late);
    await failureOf(http.get('/api/blueprints/thing/entities'));
    expect(server.requests.count({ path: ME })).toBe(3); // a look alone: the cool-down ends after 30 s
    await login({ apiToken: server.issueApiToken({ username: 'user' }) });
    jest.spyOn(performance, 'now').mockReturnValue(late + 60_000);
    expect((await http.get('/api/blueprints/thing/entities')).status).toBe(200);
  });

  it('S07 by one spurious 401 is good again within a minute', async () => {
    await login();
    const { http } = open();
    const clock = settableClock();
    server.fail(ME, { status: 401, body: { message: 'Invalid or expired API token' } }, 1);
    expect(await failureOf(http.get(ME))).toMatchObject({ code: 'ERR_AUTH_TOKEN_REFUSED' });
    let answer: unknown;
    for (let second = 0; second < 60 && answer === undefined; second++) {
      clock.advance(1_000);
      answer = await http.get(ME).catch(() => undefined);
    }
    expect(answer).toMatchObject({ status: 200 });
    expect(server.requests.count({ path: ME, status: 401 })).toBe(1);
  });

  it('while nobody is logged in any more: by name, and retryable', async () => {
    await login();
    const { http } = open();
    await rm(file);
    expect(await failureOf(http.get(ME))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      retryable: true,
      message: 'The strategy "cli-login" lacks a log-in of the Qelos CLI (run "qelos auth login").',
    });
  });
});
