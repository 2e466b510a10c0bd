import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { whenDone } from '../support/when-done';
import { buildBefore, commandFile, type Place, placeWith, runCommand, runInTerminal } from './command';

buildBefore();

const ESCAPE = '\u001b[';
const COMMANDS = [
  ['doctor'],
  ['whoami'],
  ['tokens', 'list'],
  ['tokens', 'create'],
  ['tokens', 'revoke'],
  ['tokens', 'rotate'],
  ['migrate'],
  ['init'],
  ['completion'],
];

async function withToken(): Promise<{ server: QelosServer; place: Place; token: string }> {
  const server = await startQelosServer();
  whenDone(() => server.close());
  const token = server.issueApiToken({ username: 'user' });
  return { server, token, place: placeWith({ QELOS_URL: server.url, QELOS_API_TOKEN: token }) };
}

describe('usage', () => {
  test.each(COMMANDS)('%s %s: --help has an example, and is exit code 0', async (...words) => {
    const { code, stdout } = await runCommand([...words, '--help'], placeWith());
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('\nExamples:\n  $ ') });
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(await runCommand(['--version'], placeWith())).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    ['no command', []],
    ['an unknown command', ['docter']],
    ['no subcommand', ['tokens']],
    ['an unknown option', ['doctor', '--verbos']],
    ['a missing argument', ['tokens', 'revoke']],
    ['an argument too many', ['doctor', 'now']],
    ['--env beside --env-file', ['doctor', '--env', 'x', '--env-file', 'there.env']],
    ['a name of --env without files', ['doctor', '--env', 'nosuch']],
    ['an unknown shell', ['completion', 'tcsh']],
    ['a probe that changes something', ['doctor', '--probe', 'DELETE /api/users/1']],
    ['a probe of another server', ['doctor', '--probe', 'GET //evil.example/']],
    ['a time-out that is none', ['doctor', '--timeout', 'soon']],
    ['an expiry that is none', ['tokens', 'create', '--expires', 'soon']],
  ])('%s is exit code 2, and stdout stays empty', async (_what, args) => {
    const { code, stdout, stderr } = await runCommand(args, placeWith({}, { 'there.env': '' }));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  test.each([
    ['--password', ['tokens', 'list', '--password', 'hunter2-secret']],
    ['--password=', ['tokens', 'list', '--password=hunter2-secret']],
    ['--api-token', ['doctor', '--api-token', 'hunter2-secret']],
    ['--token=', ['doctor', '--token=hunter2-secret']],
    ['an API token', ['tokens', 'revoke', `ql_${'5a'.repeat(32)}`]],
    ['a URL with a password', ['doctor', '--probe', 'https://user:hunter2-secret@my.qelos.example/']],
    ['the value of an unknown option', ['doctor', '--pasword=hunter2-secret']],
  ])('%s as an argument is refused and not repeated', async (_what, args) => {
    const { code, stdout, stderr } = await runCommand(args, placeWith());
    expect(code).toBe(2);
    expect(stdout + stderr).not.toMatch(/hunter2|5a5a5a/);
  });

  test('with --json a failure is JSON too', async () => {
    const { code, stdout, stderr } = await runCommand(['whoami', '--json'], placeWith());
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'ERR_AUTH_CONFIG', message: 'QELOS_URL is missing.', hint: expect.any(String) },
    });
  });
});

describe('output', () => {
  test('without a terminal it has no control sequence', async () => {
    const { stdout, stderr } = await runCommand(['doctor'], (await withToken()).place);
    expect(stdout + stderr).not.toContain(ESCAPE);
  });

  test('on a terminal it has colours, and reads the same', async () => {
    const { place } = await withToken();
    const { code, raw, screen } = await runInTerminal(['doctor'], place);
    expect({ code, raw }).toMatchObject({ code: 0, raw: expect.stringContaining(`${ESCAPE}32m✓${ESCAPE}39m`) });
    const piped = await runCommand(['doctor'], place);
    const steady = (text: string) => text.replace(/\d+ ms/g, '1 ms').trim();
    expect(steady(screen)).toBe(steady(piped.stdout));
  });

  test.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])(
    'on a terminal with %p it has no colours, and nothing moves',
    async (more) => {
      const { place } = await withToken();
      const { code, raw } = await runInTerminal(['doctor'], { ...place, env: { ...place.env, ...more } });
      expect(code).toBe(0);
      expect(raw).not.toContain(ESCAPE);
    },
  );

  test('Ctrl-C while it looks is no success', async () => {
    const { server, place } = await withToken();
    server.fail('/api/me', 'hang');
    expect((await runInTerminal(['doctor'], place, [['Looking', '\u0003']])).code).toBe(130);
  });

  test('doctor --json is the diagnosis, with the exit code of the text', async () => {
    const { server, place, token } = await withToken();
    server.revokeApiToken(token);
    const { code, stdout, stderr } = await runCommand(['doctor', '--json'], place);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const diagnosis = JSON.parse(stdout);
    expect(diagnosis).toMatchObject({ outcome: 'failed', url: server.url, strategy: 'api-token' });
    expect(diagnosis.checks.map(({ id }: { id: string }) => id)).toEqual([
      'configuration',
      'url',
      'dns',
      'server',
      'clock',
      'sign-in',
      'identity',
      'token',
    ]);
    expect(stdout).not.toContain(token);
  });

  test('an error of the server that repeats the token does not show it', async () => {
    const { server, place, token } = await withToken();
    server.route('GET', '/api/echo', () => ({ status: 400, body: { message: `bad key ${token}` } }));
    const { code, stdout } = await runCommand(['doctor', '--probe', '/api/echo'], place);
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('"bad key [hidden]"') });
    expect(stdout).not.toContain(token);
  });
});

describe('settings', () => {
  test('--env reads .env.<name> before .env', async () => {
    const { server, token } = await withToken();
    const files = {
      '.env.production': `QELOS_API_TOKEN=${token}\n`,
      '.env': `QELOS_URL=${server.url}\nQELOS_API_TOKEN=ql_x\n`,
    };
    const { stdout } = await runCommand(['whoami', '--json', '--env', 'production'], placeWith({}, files));
    expect(JSON.parse(stdout)).toEqual({
      user: 'user',
      tenant: expect.any(String),
      roles: ['user'],
      workspace: null,
      strategy: 'api-token',
      tokenPrefix: token.slice(0, 8),
      expiresAt: null,
    });
  });

  test('--env-file names the file as the source', async () => {
    const { server, token } = await withToken();
    const files = {
      'plugin.env': `QELOS_URL=${server.url}\nQELOS_API_TOKEN=${token}\n`,
      '.env': 'QELOS_WORKSPACE=x\n',
    };
    const { code, stdout } = await runCommand(['doctor', '--env-file', 'plugin.env'], placeWith({}, files));
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('QELOS_API_TOKEN from plugin.env:2, QELOS_URL from plugin.env:1\n'),
    });
  });

  test('a file of --env-file that is not there is named', async () => {
    const { code, stderr } = await runCommand(['doctor', '--env-file', 'nosuch.env'], placeWith());
    // Node 20 looks for the file itself, and ends with 9.
    expect([2, 9]).toContain(code);
    expect(stderr).toContain('nosuch.env');
  });

  test('a strategy of the plugin itself is no fault of the settings', async () => {
    const { server } = await withToken();
    const place = placeWith({ QELOS_URL: server.url, QELOS_AUTH_STRATEGY: 'vault' });
    const { code, stdout } = await runCommand(['doctor'], place);
    expect(code).toBe(0);
    expect(stdout).toContain('QELOS_AUTH_STRATEGY names "vault", which this command does not have.');
  });

  test('a token from a file is used, and its prefix shown', async () => {
    const { server, token } = await withToken();
    const place = placeWith({ QELOS_URL: server.url, QELOS_API_TOKEN_FILE: 'token' }, { token: `${token}\n` });
    const { stdout } = await runCommand(['whoami'], place);
    expect(stdout).toContain(`token      ${token.slice(0, 8)}\n`);
    expect(stdout).not.toContain(token);
  });

  test('a token has a life left, where a password tells it', async () => {
    const { server, place } = await withToken();
    const { username = '', password = '' } = server.users[1] ?? {};
    const both = { ...place, env: { ...place.env, QELOS_USERNAME: username, QELOS_PASSWORD: password } };
    expect((await runCommand(['whoami'], both)).stdout).toMatch(/^life left {2}365 days$/m);
    const wrong = { ...both, env: { ...both.env, QELOS_PASSWORD: 'wrong-password' } };
    expect((await runCommand(['whoami'], wrong)).stdout).toMatch(/^life left {2}not known/m);
  });

  test('a nickname cannot steer the terminal', async () => {
    const { server } = await withToken();
    const { username = '', password = '' } = server.users[1] ?? {};
    server.route('GET', '/api/me/api-tokens', () => ({
      body: [
        {
          _id: '1',
          nickname: 'a\u001b[2Jb\u0007',
          tokenPrefix: 'ql_00000',
          expiresAt: '2999-01-01',
          lastUsedAt: null,
          workspace: null,
        },
      ],
    }));
    const place = placeWith({ QELOS_URL: server.url, QELOS_USERNAME: username, QELOS_PASSWORD: password });
    const { stdout } = await runCommand(['tokens', 'list'], place);
    expect(stdout).toContain('a [2Jb ');
  });

  test('a session has a life left', async () => {
    const { server } = await withToken();
    const { username = '', password = '' } = server.users[1] ?? {};
    const place = placeWith({ QELOS_URL: server.url, QELOS_USERNAME: username, QELOS_PASSWORD: password });
    const { stdout } = await runCommand(['whoami'], place);
    expect(stdout).toMatch(/^life left {2}4 h, then renewed automatically$/m);
  });
});

describe('completion', () => {
  const complete = (script: string, ...words: string[]): string[] => {
    const run = `${script}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _qelos_auth; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', run], { encoding: 'utf8' }).split('\n').filter(Boolean);
  };

  test('bash completes commands, subcommands and options', async () => {
    const { stdout: script } = await runCommand(['completion', 'bash'], placeWith());
    expect(complete(script, 'qelos-auth', 'd')).toEqual(['doctor']);
    expect(complete(script, 'qelos-auth', 'tokens', '')).toEqual(['list', 'create', 'revoke', 'rotate', '--help']);
    expect(complete(script, 'qelos-auth', 'tokens', 'create', '--w')).toEqual([
      '--write-env',
      '--write-file',
      '--workspace',
    ]);
    expect(complete(script, 'qelos-auth', 'doctor', '--env', 'x', '--pr')).toEqual(['--probe']);
  });

  test('zsh has the same by its bashcompinit, fish lines of its own; each passes its shell where there is one', async () => {
    const zsh = await runCommand(['completion', 'zsh'], placeWith());
    expect(zsh.stdout).toMatch(/^#compdef qelos-auth\n/);
    expect(zsh.stdout).toContain('complete -o default -F _qelos_auth qelos-auth');
    const fish = await runCommand(['completion', 'fish'], placeWith());
    expect(fish.stdout).toContain(
      "complete -c qelos-auth -n '__fish_seen_subcommand_from tokens; and not __fish_seen_subcommand_from list create revoke rotate' -f -a create",
    );
    for (const [shell, args, input] of [
      ['zsh', ['-n'], zsh.stdout],
      ['fish', ['--no-execute'], fish.stdout],
    ] as const) {
      const { error, status } = spawnSync(shell, args, { input });
      if (error === undefined) expect({ shell, status }).toEqual({ shell, status: 0 });
    }
  });
});

describe('the built file', () => {
  test('needs nothing at run time but the library and its peers', () => {
    const built = readFileSync(commandFile(), 'utf8');
    const required = [...built.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = '']) => name);
    const packages = new Set(required.filter((name) => !name.startsWith('node:') && !isBuiltin(name)));
    expect([...packages].sort()).toEqual(['../index', 'axios']);
  });

  test('answers within a second in an empty folder, beyond what Node itself takes', () => {
    const { cwd, env } = placeWith();
    // The best of some runs: others use this machine too.
    const best = (args: string[]) => {
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        spawnSync(process.execPath, args, { cwd, env });
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    expect(best([commandFile(), 'doctor']) - best(['-e', '0'])).toBeLessThan(1000);
  });
});
