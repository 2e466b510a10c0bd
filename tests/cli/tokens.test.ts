import { spawn } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type QelosServer, type QelosServerUser, startQelosServer } from '../../src/testing';
import { whenDone } from '../support/when-done';
import { buildBefore, commandFile, type Place, placeWith, runCommand, runInTerminal } from './command';

buildBefore();

const TOKEN = /ql_[0-9a-f]{64}/;

let server: QelosServer;
let user: QelosServerUser;
let env: Record<string, string>;

beforeEach(async () => {
  server = await startQelosServer();
  whenDone(() => server.close());
  user = server.users[1] as QelosServerUser;
  env = { QELOS_URL: server.url, QELOS_USERNAME: user.username, QELOS_PASSWORD: user.password };
});

/** The tokens that the user has, as the command lists them. */
async function tokensOf(
  place: Place = placeWith(env),
): Promise<{ id: string; nickname: string; tokenPrefix: string }[]> {
  const { stdout, code } = await runCommand(['tokens', 'list', '--json'], place);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

const userOf = async (token: string) => {
  const answer = await fetch(`${server.url}/api/me`, { headers: { 'x-api-key': token } });
  return { status: answer.status, me: await answer.json() };
};

describe('create', () => {
  test('prints the token once, on stdout, and it is good', async () => {
    const { code, stdout, stderr } = await runCommand(['tokens', 'create', '--nickname', 'ci'], placeWith(env));
    const [token = '', ...more] = stdout.match(new RegExp(TOKEN, 'g')) ?? [];
    expect({ code, stderr, more }).toEqual({ code: 0, stderr: '', more: [] });
    expect(await userOf(token)).toMatchObject({ status: 200, me: { username: user.username } });
    expect(await tokensOf()).toMatchObject([{ nickname: 'ci', tokenPrefix: token.slice(0, 8) }]);
  });

  test('signs out again: the session ends with the command', async () => {
    await runCommand(['tokens', 'create'], placeWith(env));
    expect(server.requests.list({ path: '/api/logout' }).map(({ status }) => status)).toEqual([200]);
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('--json is one JSON text, with the token', async () => {
    const { stdout } = await runCommand(['tokens', 'create', '--json', '--expires', '30d'], placeWith(env));
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ user: user.username, written: [], workspace: null });
    expect(result.token).toMatch(TOKEN);
    expect(Date.parse(result.expiresAt) - Date.now()).toBeGreaterThan(29 * 86_400_000);
  });

  test('binds to a workspace, and checks that it is bound', async () => {
    const own = await startQelosServer({ users: [{ username: 'w', password: 'w-password', workspaces: ['Library'] }] });
    whenDone(() => own.close());
    const [{ workspaces = [] } = {}] = own.users;
    const id = workspaces[0]?._id ?? '';
    const place = placeWith({ QELOS_URL: own.url, QELOS_USERNAME: 'w', QELOS_PASSWORD: 'w-password' });
    const { stdout } = await runCommand(['tokens', 'create', '--workspace', id, '--json'], place);
    expect(JSON.parse(stdout)).toMatchObject({ workspace: { _id: id } });
  });

  test('a workspace that is none is named, and nothing is left behind', async () => {
    const args = ['tokens', 'create', '--workspace', '65f0c0ffee65f0c0ffee65f0'];
    const { code, stderr } = await runCommand(args, placeWith(env));
    expect(code).toBe(1);
    expect(stderr.replace(/\n\s+/g, ' ')).toContain('The new token was revoked; everything is as before.');
    expect(stderr).toContain('Check the workspace: the user has to be a member of it.');
    expect(await tokensOf()).toEqual([]);
  });

  test.each([
    [
      'a password that is refused',
      { QELOS_PASSWORD: 'wrong-password' },
      'QELOS_USERNAME and QELOS_PASSWORD were refused',
    ],
    ['a server that is down', { QELOS_URL: 'http://127.0.0.1:9' }, 'got no answer (ECONNREFUSED)'],
  ])(
    '%s is exit code 1',
    async (_what, changed, text) => {
      const { code, stderr, stdout } = await runCommand(['tokens', 'create'], placeWith({ ...env, ...changed }));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(text);
    },
    20_000,
  ); // it tries again for some seconds where nothing listens
});

describe('writing', () => {
  const BEFORE = '# the plugin\r\nPORT=80\r\nexport QELOS_API_TOKEN=ql_old # old\r\nNAME="two words"\r\n';

  test('--write-env sets one line, keeps all others, and takes the right to read from everybody else', async () => {
    const place = placeWith(env, { '.env.production': BEFORE });
    const { code, stdout } = await runCommand(['tokens', 'create', '--write-env', '.env.production'], place);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(TOKEN);
    const written = readFileSync(join(place.cwd, '.env.production'), 'utf8');
    const token = TOKEN.exec(written)?.[0] ?? '';
    expect(written).toBe(`# the plugin\r\nPORT=80\r\nexport QELOS_API_TOKEN=${token}\r\nNAME="two words"\r\n`);
    expect(statSync(join(place.cwd, '.env.production')).mode & 0o777).toBe(0o600);
    expect((await userOf(token)).status).toBe(200);
    expect(readdirSync(place.cwd)).toEqual(['.env.production']);
  });

  test.each([
    ['no file', undefined, ''],
    ['an empty one', '', ''],
    ['one whose last line has no end', 'PORT=80', 'PORT=80\n'],
    ['one with the variable in a comment', '# QELOS_API_TOKEN=\n', '# QELOS_API_TOKEN=\n'],
  ])('--write-env adds the line to %s', async (_what, before, kept) => {
    const place = placeWith(env, before === undefined ? {} : { 'x.env': before });
    await runCommand(['tokens', 'create', '--write-env', 'x.env'], place);
    expect(readFileSync(join(place.cwd, 'x.env'), 'utf8').replace(TOKEN, 'T')).toBe(`${kept}QELOS_API_TOKEN=T\n`);
  });

  test('--write-file writes the token alone; a link stays a link', async () => {
    const place = placeWith(env);
    mkdirSync(join(place.cwd, 'secrets'));
    writeFileSync(join(place.cwd, 'secrets/v1'), 'ql_old\n', { mode: 0o644 });
    symlinkSync('secrets/v1', join(place.cwd, 'token'));
    await runCommand(['tokens', 'create', '--write-file', 'token'], place);
    expect(lstatSync(join(place.cwd, 'token')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(place.cwd, 'secrets/v1'), 'utf8')).toMatch(/^ql_[0-9a-f]{64}\n$/);
    expect(statSync(join(place.cwd, 'secrets/v1')).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['a folder that is not there', 'nosuch/token', 'nosuch/token cannot be written (ENOENT).'],
    ['a folder', '.', '. cannot be read (EISDIR).'],
  ])('%s is refused before a token is made', async (_what, file, text) => {
    const { code, stderr } = await runCommand(['tokens', 'create', '--write-file', file], placeWith(env));
    expect(code).toBe(2);
    expect(stderr).toContain(text);
    expect(server.requests.count()).toBe(0);
  });

  test('a value over several lines is refused before a token is made', async () => {
    const place = placeWith(env, { '.env': 'QELOS_API_TOKEN="a\nb"\n' });
    const { code, stderr } = await runCommand(['tokens', 'create', '--write-env', '.env'], place);
    expect(code).toBe(2);
    expect(stderr).toContain('.env cannot be changed without touching other lines.');
    expect(server.requests.count()).toBe(0);
  });
});

describe('a step that fails', () => {
  test('a new token that is not accepted is revoked', async () => {
    server.fail('/api/me', { status: 503, headers: { 'retry-after': '60' } }, 1);
    const place = placeWith(env, { '.env.x': 'PORT=80\n' });
    const { code, stderr } = await runCommand(['tokens', 'create', '--write-env', '.env.x'], place);
    expect(code).toBe(1);
    expect(stderr.replace(/\n\s+/g, ' ')).toContain(
      'did not accept the new token (ERR_AUTH_UNAVAILABLE). The new token was revoked; everything is as before.',
    );
    expect(readFileSync(join(place.cwd, '.env.x'), 'utf8')).toBe('PORT=80\n');
    expect(await tokensOf()).toEqual([]);
  });

  test('a file that cannot be written: the token is revoked, and a file that was written is as before', async () => {
    const place = placeWith(env, { '.env.x': 'PORT=80\n' });
    mkdirSync(join(place.cwd, 'volume'));
    server.route('GET', '/api/me', ({ user: me }) => {
      rmSync(join(place.cwd, 'volume'), { recursive: true, force: true });
      return { body: me };
    });
    const args = ['tokens', 'create', '--write-env', '.env.x', '--write-file', 'volume/token'];
    const { code, stderr } = await runCommand(args, place);
    expect(code).toBe(1);
    expect(stderr).toContain('volume/token could not be written (ENOENT).');
    expect(readFileSync(join(place.cwd, '.env.x'), 'utf8')).toBe('PORT=80\n');
    expect(await tokensOf()).toEqual([]);
  });

  test('a token that cannot be taken back is said to be there', async () => {
    server.fail('/api/me', { status: 503, headers: { 'retry-after': '60' } }, 1);
    server.route('DELETE', '/api/me/api-tokens/:id', () => ({ status: 500, body: { message: 'no' } }));
    const { code, stderr } = await runCommand(['tokens', 'create'], placeWith(env));
    expect(code).toBe(1);
    expect(stderr.replace(/\n\s+/g, ' ')).toContain(
      'The token that was created for it, or a file, could not be put back.',
    );
  });

  test('Ctrl-C between creating and writing takes the token back', async () => {
    const place = placeWith(env);
    const args = [commandFile(), 'tokens', 'create', '--write-file', 'token'];
    const child = spawn(process.execPath, args, { ...place, stdio: ['ignore', 'ignore', 'pipe'] });
    whenDone(() => child.kill('SIGKILL'));
    let stderr = '';
    const heard = new Promise<void>((done) => {
      child.stderr.on('data', (data) => {
        stderr += data;
        if (stderr.includes('Interrupted: taking back')) done();
      });
    });
    server.route('GET', '/api/me', async ({ user: me }) => {
      child.kill('SIGINT');
      await heard;
      return { body: me };
    });
    const code = await new Promise((done) => child.once('close', done));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('It was interrupted. The new token was revoked'),
    });
    expect(readdirSync(place.cwd)).toEqual([]);
    expect(await tokensOf()).toEqual([]);
  });
});

describe('rotate', () => {
  test('takes over nickname and length of life, and leaves the old one alive', async () => {
    const old = server.issueApiToken({ username: user.username, expiresAt: new Date(Date.now() + 10 * 86_400_000) });
    const place = placeWith({ ...env, QELOS_API_TOKEN: old });
    const { stdout } = await runCommand(['tokens', 'rotate', '--json'], place);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ nickname: 'test', stillGood: { tokenPrefix: old.slice(0, 8) } });
    const days = (Date.parse(result.expiresAt) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(9.9);
    expect(days).toBeLessThan(10.1);
    expect([(await userOf(old)).status, (await userOf(result.token)).status]).toEqual([200, 200]);
  });

  test('--revoke-old revokes it when the new one is written, and not without a place to write to', async () => {
    const old = server.issueApiToken({ username: user.username });
    const place = placeWith({ ...env, QELOS_API_TOKEN: old });
    expect(await runCommand(['tokens', 'rotate', '--revoke-old'], place)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--revoke-old needs --write-env or --write-file.'),
    });
    expect((await userOf(old)).status).toBe(200);
    await runCommand(['tokens', 'rotate', '--revoke-old', '--write-file', 'token'], place);
    expect((await userOf(old)).status).toBe(401);
    expect((await userOf(readFileSync(join(place.cwd, 'token'), 'utf8').trim())).status).toBe(200);
  });

  test('an old one that cannot be revoked leaves the new one in place, and says so', async () => {
    const old = server.issueApiToken({ username: user.username });
    server.route('DELETE', '/api/me/api-tokens/:id', () => ({
      status: 500,
      body: { message: 'Failed to delete API token' },
    }));
    const place = placeWith({ ...env, QELOS_API_TOKEN: old });
    const { code, stderr } = await runCommand(['tokens', 'rotate', '--revoke-old', '--write-file', 'token'], place);
    expect(code).toBe(1);
    expect(stderr).toContain('The new token is in token, but the old one is still good');
    expect((await userOf(readFileSync(join(place.cwd, 'token'), 'utf8').trim())).status).toBe(200);
  });
});

describe('revoke', () => {
  test.each(['nickname', 'tokenPrefix', 'id'] as const)('finds the token by %s', async (key) => {
    const token = server.issueApiToken({ username: user.username });
    const [listed] = await tokensOf();
    const { code } = await runCommand(['tokens', 'revoke', listed?.[key] ?? '', '--yes'], placeWith(env));
    expect(code).toBe(0);
    expect((await userOf(token)).status).toBe(401);
  });

  test('a nickname of two tokens is refused, with their ids', async () => {
    server.issueApiToken({ username: user.username });
    server.issueApiToken({ username: user.username });
    const { code, stderr } = await runCommand(['tokens', 'revoke', 'test', '--yes'], placeWith(env));
    expect(code).toBe(2);
    for (const { id } of await tokensOf()) expect(stderr).toContain(id);
  });

  test('a token that is not there is exit code 1', async () => {
    const { code, stderr } = await runCommand(['tokens', 'revoke', 'nosuch', '--yes'], placeWith(env));
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('This user has no token "nosuch".'),
    });
  });

  test('without a terminal and --yes nothing is revoked', async () => {
    const token = server.issueApiToken({ username: user.username });
    const { code, stderr } = await runCommand(['tokens', 'revoke', 'test'], placeWith(env));
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') });
    expect((await userOf(token)).status).toBe(200);
  });

  test('who says no at the prompt keeps the token', async () => {
    const token = server.issueApiToken({ username: user.username });
    const { code, screen } = await runInTerminal(['tokens', 'revoke', 'test'], placeWith(env), [
      ['Revoke the token', 'n'],
    ]);
    expect(code).toBe(1);
    expect(screen).toContain('Nothing was changed.');
    expect((await userOf(token)).status).toBe(200);
  });
});

test('a password that is typed never reaches the screen, and Ctrl-C at the prompt changes nothing', async () => {
  const { QELOS_PASSWORD: _, ...rest } = env;
  const typed = await runInTerminal(['tokens', 'list'], placeWith(rest), [['Password of', `${user.password}\r`]]);
  expect(typed.code).toBe(0);
  expect(typed.raw).not.toContain(user.password);
  const cancelled = await runInTerminal(['tokens', 'create'], placeWith(rest), [['Password of', '\u0003']]);
  expect({
    code: cancelled.code,
    requests: server.requests.count({ path: '/api/me/api-tokens', method: 'POST' }),
  }).toEqual({
    code: 1,
    requests: 0,
  });
});

describe('migrate', () => {
  test('writes the token beside the password, and the plugin uses it from then on', async () => {
    const text = Object.entries({ ...env, QELOS_AUTH_STRATEGY: 'oauth-refresh' }).map(
      ([name, value]) => `${name}=${value}\n`,
    );
    const place = placeWith({}, { '.env': text.join('') });
    const { code, stdout } = await runCommand(['migrate', '--json'], place);
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({
      code: 0,
      written: ['.env'],
      remove: [
        { name: 'QELOS_AUTH_STRATEGY', source: '.env:4' },
        { name: 'QELOS_PASSWORD', source: '.env:3' },
        { name: 'QELOS_USERNAME', source: '.env:2' },
      ],
    });
    const lines = readFileSync(join(place.cwd, '.env'), 'utf8').split('\n');
    writeFileSync(join(place.cwd, '.env'), lines.filter((line) => !/USERNAME|PASSWORD|STRATEGY/.test(line)).join('\n'));
    const { stdout: who } = await runCommand(['whoami', '--json'], place);
    expect(JSON.parse(who)).toMatchObject({ user: user.username, strategy: 'api-token' });
  });

  test('a password of the environment gives a token to copy', async () => {
    const { stdout } = await runCommand(['migrate'], placeWith(env));
    expect(stdout).toMatch(TOKEN);
    expect(stdout).toContain('  environment  QELOS_PASSWORD');
  });

  test('where a token is set already there is nothing to migrate', async () => {
    const place = placeWith({ ...env, QELOS_API_TOKEN: 'ql_there' });
    const { code, stderr } = await runCommand(['migrate'], place);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('QELOS_API_TOKEN is set already (environment)'),
    });
    expect(server.requests.count()).toBe(0);
  });
});

test('a role that may not manage tokens is told so', async () => {
  const own = await startQelosServer({ users: [{ username: 'g', password: 'g-password', roles: ['guest'] }] });
  whenDone(() => own.close());
  const place = placeWith({ QELOS_URL: own.url, QELOS_USERNAME: 'g', QELOS_PASSWORD: 'g-password' });
  const { code, stderr } = await runCommand(['tokens', 'list'], place);
  expect(code).toBe(1);
  expect(stderr.replace(/\n\s+/g, ' ')).toContain('"You do not have permission to manage API tokens"');
  expect(stderr).toContain('API tokens are switched off in this Qelos');
});
