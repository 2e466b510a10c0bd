import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import { type AuthConfig, isLoopback, loadAuthConfig } from '../src/config';
import { AuthError } from '../src/contract/auth-error';
import { createQelosAuth } from '../src/create-qelos-auth';
import { expectNoSecret, sinksOf } from './support/sinks';

type Env = Record<string, string | undefined>;

const url = 'https://my.qelos.example';
const token = `ql_${'0123456789abcdef'.repeat(4)}`;

/** The error of a configuration that must be refused. */
function refusal(env: Env, overrides?: Partial<AuthConfig>): AuthError {
  try {
    loadAuthConfig(env, overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(AuthError);
    expect((error as AuthError).hint).not.toBe('');
    expect((error as AuthError).retryable).toBe(false);
    return error as AuthError;
  }
  throw new Error('accepted');
}

describe('F15 what surrounds a secret is trimmed', () => {
  it.each([
    ['nothing', '', ''],
    ['LF at the end', '', '\n'],
    ['CRLF at the end', '', '\r\n'],
    ['LF at both ends', '\n', '\n'],
    ['blanks', '  ', '   '],
    ['TABs', '\t', '\t'],
    ['a byte-order mark', '\ufeff', ''],
    ['a byte-order mark and CRLF', '\ufeff', '\r\n'],
    ['no-break spaces', '\u00a0', '\u00a0'],
  ])('%s', (_name, before, after) => {
    const wrapped = (value: string) => before + value + after;
    expect(loadAuthConfig({ QELOS_URL: wrapped(url), QELOS_API_TOKEN: wrapped(token) })).toMatchObject({
      url,
      apiToken: token,
    });
    const config = loadAuthConfig({
      QELOS_URL: url,
      QELOS_USERNAME: wrapped('The Ruler'),
      QELOS_PASSWORD: wrapped('pass word'),
      QELOS_WORKSPACE: wrapped('65f0'),
    });
    expect(config).toMatchObject({ username: 'The Ruler', workspace: '65f0' });
    expect(config.password).toBe('pass word');
    expect(loadAuthConfig({}, { url, apiToken: wrapped(token) }).apiToken).toBe(token);
  });

  it.each(['"quoted"', 'pässwörd', '✓ blanks inside', "it's", '$HOME', '${', '%00'])(
    'a password may be what no token can: %s',
    (password) => {
      const config = loadAuthConfig({ QELOS_URL: url, QELOS_USERNAME: 'u', QELOS_PASSWORD: password });
      expect(config.password).toBe(password);
    },
  );
});

describe('F15 what cannot be a secret is refused by the name of its variable, and not shown', () => {
  const tokenOnly: [string, string, RegExp][] = [
    ['in double quotes', '"ql_abcdef"', /quotes/],
    ['in single quotes', "'ql_abcdef'", /quotes/],
    ['in backticks', '`ql_abcdef`', /quotes/],
    ['non-ASCII', 'ql_äbcdef', /non-ASCII/],
    ['a zero-width space', 'ql_abc\u200bdef', /invisible/],
    ['a zero-width joiner', 'ql_abc\u200ddef', /invisible/],
    ['a soft hyphen', 'ql_abc\u00addef', /invisible/],
    ['a byte-order mark inside', 'ql_abc\ufeffdef', /invisible/],
    ['a blank inside', 'ql_abc def', /blank/],
    ['S19 any variable as a shell has it', '$SOME_TOKEN', /placeholder/],
    ['S19 any variable as cmd.exe has it', '%SOME_TOKEN%', /placeholder/],
  ];
  const any: [string, string, RegExp][] = [
    ['CR inside', 'ql_abc\rdef', /line end/],
    ['LF inside', 'ql_abc\ndef', /line end/],
    ['CRLF inside', 'ql_abc\r\ndef', /line end/],
    ['NUL inside', 'ql_abc\0def', /control character/],
    ['TAB inside', 'ql_abc\tdef', /control character/],
    ['DEL inside', 'ql_abc\x7fdef', /control character/],
    ['empty', '', /empty/],
    ['blanks only', ' \r\n', /empty/],
    ['the word undefined', 'undefined', /the word "undefined"/],
    ['the word null', 'null', /the word "null"/],
    ['a placeholder', '\x24{QELOS_SECRET_VALUE}', /placeholder/],
    ['S19 a variable as a shell has it', '$QELOS_SECRET_VALUE', /placeholder/],
    ['S19 a variable as cmd.exe has it', '%QELOS_SECRET_VALUE%', /placeholder/],
    ['20 kB', 'x'.repeat(20_000), /longer than 4096/],
    ['4,097 characters', 'x'.repeat(4_097), /longer than 4096/],
  ];

  it.each([...any, ...tokenOnly])('QELOS_API_TOKEN: %s', (_name, value, says) => {
    const error = refusal({ QELOS_URL: url, QELOS_API_TOKEN: value });
    expect(error.code).toBe('ERR_AUTH_CONFIG');
    expect(error.message).toMatch(/QELOS_API_TOKEN/);
    expect(error.message).toMatch(says);
    expectNotShown(error, value);
  });

  it.each(any)('QELOS_PASSWORD: %s', (_name, value, says) => {
    const error = refusal({ QELOS_URL: url, QELOS_USERNAME: 'u', QELOS_PASSWORD: value });
    expect(error.code).toBe('ERR_AUTH_CONFIG');
    expect(error.message).toMatch(/QELOS_PASSWORD/);
    expect(error.message).toMatch(says);
    expectNotShown(error, value);
  });

  it.each(['QELOS_USERNAME', 'QELOS_WORKSPACE', 'QELOS_AUTH_STRATEGY', 'QELOS_API_TOKEN_FILE'])(
    'the others too: %s',
    (name) => {
      const error = refusal({ QELOS_URL: url, QELOS_API_TOKEN: token, [name]: 'und\0efined' });
      expect(error.code).toBe('ERR_AUTH_CONFIG');
      expect(error.message).toContain(name);
    },
  );

  it('4,096 characters are accepted', () => {
    expect(loadAuthConfig({ QELOS_URL: url, QELOS_API_TOKEN: 'x'.repeat(4_096) }).apiToken).toHaveLength(4_096);
  });

  it.each([
    ['a number', 12345],
    ['an object', { toString: () => 'hidden-value' }],
    ['true', true],
  ])('an option that is no string but %s', (_name, value) => {
    const error = refusal({}, { url, apiToken: value as never });
    expect(error.code).toBe('ERR_AUTH_CONFIG');
    expect(error.message).toMatch(/QELOS_API_TOKEN \(option config\.apiToken\) must be a string/);
    expectNotShown(error, String(value));
  });

  function expectNotShown(error: AuthError, value: string): void {
    const visible = value.trim();
    if (visible.length < 5 || visible === 'undefined') return;
    expectNoSecret(error, [visible]);
    expect(error.hint).not.toContain(visible);
  }
});

describe('F16 what does not make a configuration', () => {
  it.each<[string, Env, RegExp[]]>([
    ['nothing at all', {}, [/QELOS_URL is missing/]],
    ['QELOS_URL missing', { QELOS_API_TOKEN: token }, [/QELOS_URL is missing/]],
    ['QELOS_URL empty', { QELOS_URL: '', QELOS_API_TOKEN: token }, [/QELOS_URL is missing/]],
    ['QELOS_URL no URL', { QELOS_URL: 'my.qelos.example', QELOS_API_TOKEN: token }, [/QELOS_URL is no URL/]],
    ['QELOS_URL a path', { QELOS_URL: '/api', QELOS_API_TOKEN: token }, [/QELOS_URL is no URL/]],
    [
      'a user name without password',
      { QELOS_URL: url, QELOS_USERNAME: 'u' },
      [/QELOS_USERNAME.*without QELOS_PASSWORD/],
    ],
    [
      'a password without user name',
      { QELOS_URL: url, QELOS_PASSWORD: 'p' },
      [/QELOS_PASSWORD.*without QELOS_USERNAME/],
    ],
    [
      'QELOS_URL and QELOS_APP_URL that differ',
      { QELOS_URL: url, QELOS_APP_URL: 'https://other.example', QELOS_API_TOKEN: token },
      [/QELOS_URL and QELOS_APP_URL/],
    ],
    [
      'a token and a file of one',
      { QELOS_URL: url, QELOS_API_TOKEN: token, QELOS_API_TOKEN_FILE: '/run/secrets/token' },
      [/QELOS_API_TOKEN and QELOS_API_TOKEN_FILE/],
    ],
    [
      'several faults: all of them in one error',
      { QELOS_USERNAME: 'u', QELOS_API_TOKEN: '', QELOS_WORKSPACE: 'null', QELOS_AUTH_STRATEGY: '\x24{X}' },
      [
        /5 settings are wrong/,
        /QELOS_USERNAME/,
        /QELOS_URL/,
        /QELOS_API_TOKEN/,
        /QELOS_WORKSPACE/,
        /QELOS_AUTH_STRATEGY/,
      ],
    ],
    [
      'half a pair whose other half is wrong: said once',
      { QELOS_URL: url, QELOS_USERNAME: 'u', QELOS_PASSWORD: 'null' },
      [/^QELOS_PASSWORD is the word "null": [^\n]*$/],
    ],
  ])('%s', (_name, env, says) => {
    const error = refusal(env);
    expect(error.code).toBe('ERR_AUTH_CONFIG');
    for (const pattern of says) expect(error.message).toMatch(pattern);
  });

  it.each<[string, Env]>([
    ['a user name without password, beside a token', { QELOS_API_TOKEN: token, QELOS_USERNAME: 'u' }],
    [
      'a user name without password, where another strategy is pinned',
      { QELOS_AUTH_STRATEGY: 'own', QELOS_USERNAME: 'u' },
    ],
    ['no credential: a strategy of one’s own may need none', {}],
    ['both URLs, the same but for a slash', { QELOS_APP_URL: `${url}/`, QELOS_API_TOKEN: token }],
    ['both URLs, the alias empty', { QELOS_APP_URL: '', QELOS_API_TOKEN: token }],
  ])('is not: %s', (_name, env) => {
    expect(loadAuthConfig({ QELOS_URL: url, ...env }).url).toBe(url);
  });

  it('QELOS_APP_URL alone will do', () => {
    expect(loadAuthConfig({ QELOS_APP_URL: ` ${url}/ `, QELOS_API_TOKEN: token }).url).toBe(url);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])('timeoutMs: %p', (timeoutMs) => {
    expect(refusal({ QELOS_URL: url }, { timeoutMs })).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringContaining('timeoutMs'),
    });
  });

  it('nothing to sign in with is an error that lists what each strategy lacks', () => {
    expect(() => createQelosAuth({ env: { QELOS_URL: url } })).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_NO_STRATEGY',
        message: expect.stringMatching(
          /api-token: QELOS_API_TOKEN\n- api-token-file: QELOS_API_TOKEN_FILE\n- session: .*\n- oauth-refresh: QELOS_USERNAME, QELOS_PASSWORD/,
        ),
      }),
    );
  });

  it('a strategy that nobody registered is an error that lists those there are', () => {
    const env = { QELOS_URL: url, QELOS_API_TOKEN: token, QELOS_AUTH_STRATEGY: 'api-tokn' };
    expect(() => createQelosAuth({ env })).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_CONFIG',
        message: expect.stringContaining('QELOS_AUTH_STRATEGY'),
        hint: expect.stringContaining('api-token, api-token-file, session, oauth-refresh'),
      }),
    );
  });
});

describe('F17 where credentials may be sent', () => {
  it.each([
    ['http: on another host', 'http://qelos-secret.example', 'ERR_AUTH_INSECURE_URL'],
    ['a host that begins like localhost', 'http://localhost.evil.com', 'ERR_AUTH_INSECURE_URL'],
    ['a host that begins like loopback', 'http://127.0.0.1.evil.com', 'ERR_AUTH_INSECURE_URL'],
    ['a sub-domain of localhost', 'http://evil.localhost', 'ERR_AUTH_INSECURE_URL'],
    ['every interface', 'http://0.0.0.0:3000', 'ERR_AUTH_INSECURE_URL'],
    ['a private network', 'http://192.168.1.7', 'ERR_AUTH_INSECURE_URL'],
    ['another IPv6 address', 'http://[::2]', 'ERR_AUTH_INSECURE_URL'],
    ['a user name and password', 'https://admin:hunter2@my.qelos.example', 'ERR_AUTH_CONFIG'],
    ['a user name', 'https://admin-hunter2@my.qelos.example', 'ERR_AUTH_CONFIG'],
    ['loopback as a user name', 'http://localhost@evil-host.com', 'ERR_AUTH_CONFIG'],
    ['ftp:', 'ftp://my-secret.example', 'ERR_AUTH_CONFIG'],
    ['file:', 'file:///etc/secret-file', 'ERR_AUTH_CONFIG'],
    ['javascript:', 'javascript:alert(7777)', 'ERR_AUTH_CONFIG'],
    ['a query', 'https://my.qelos.example/?key=hunter2', 'ERR_AUTH_CONFIG'],
    ['a fragment', 'https://my.qelos.example/#hunter2', 'ERR_AUTH_CONFIG'],
  ])('refused, the value not echoed: %s', (_name, value, code) => {
    const error = refusal({ QELOS_URL: value, QELOS_API_TOKEN: token });
    expect(error).toMatchObject({ code, message: expect.stringContaining('QELOS_URL') });
    for (const part of [value, value.replace(/^[a-z]+:(\/\/)?/, '')]) {
      expectNoSecret(error, [part]);
      expect(error.hint).not.toContain(part);
    }
  });

  it.each([
    ['https://my.qelos.example', 'https://my.qelos.example'],
    ['HTTPS://MY.Qelos.Example/', 'https://my.qelos.example'],
    ['https://my.qelos.example:8443/base/', 'https://my.qelos.example:8443/base'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['http://127.1.2.3', 'http://127.1.2.3'],
    ['http://0x7f000001', 'http://127.0.0.1'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['http://[0:0:0:0:0:0:0:1]', 'http://[::1]'],
    ['http://localhost', 'http://localhost'],
    ['http://LOCALHOST:3000//', 'http://localhost:3000'],
  ])('accepted: %s', (value, loaded) => {
    expect(loadAuthConfig({ QELOS_URL: value, QELOS_API_TOKEN: token }).url).toBe(loaded);
  });

  it('beside another fault it is one of several, and the code is that of a configuration', () => {
    const error = refusal({ QELOS_URL: 'http://qelos.example', QELOS_API_TOKEN: 'null' });
    expect(error).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringMatching(/2 settings.*QELOS_URL begins/s),
    });
  });

  it('allowInsecureUrl lets http: pass, and nothing else', () => {
    const overrides = { allowInsecureUrl: true };
    expect(loadAuthConfig({ QELOS_URL: 'http://qelos.internal' }, overrides)).toMatchObject({
      url: 'http://qelos.internal',
      allowInsecureUrl: true,
    });
    for (const value of ['ftp://qelos.internal', 'http://u:p@qelos.internal', 'http://qelos.internal?a=b']) {
      expect(refusal({ QELOS_URL: value }, overrides).code).toBe('ERR_AUTH_CONFIG');
    }
    expect(refusal({ QELOS_URL: 'http://qelos.internal' }, { allowInsecureUrl: false }).code).toBe(
      'ERR_AUTH_INSECURE_URL',
    );
  });

  it.each([
    ['http on another host', 'http://qelos.internal', true, 1],
    ['https', 'https://qelos.internal', true, 0],
    ['without the option, loopback', 'http://127.0.0.1', false, 0],
  ])('the process is warned once: %s', async (_name, value, allowInsecureUrl, times) => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const auth = createQelosAuth({ env: {}, config: { url: value, apiToken: token, allowInsecureUrl } });
    expect(warning).toHaveBeenCalledTimes(times);
    if (times > 0) {
      expect(warning).toHaveBeenCalledWith(expect.stringContaining('allowInsecureUrl'), {
        type: 'SecurityWarning',
        code: 'QELOS_AUTH_INSECURE_URL',
      });
      expect(JSON.stringify(warning.mock.calls)).not.toContain(value);
    }
    await auth.close();
  });

  it('the warning is an event of the process', async () => {
    const script = `
      const { createQelosAuth } = require(${JSON.stringify(join(__dirname, '../src'))});
      process.on('warning', ({ name, code }) => console.log(name, code));
      createQelosAuth({ env: {}, config: { url: 'http://qelos.internal', apiToken: 'ql_1', allowInsecureUrl: true } });
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '--eval', script]);
    expect(stdout).toBe('SecurityWarning QELOS_AUTH_INSECURE_URL\n');
  });

  it.each([
    ['localhost', true],
    ['[::1]', true],
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['127.0.0.1.evil.com', false],
    ['1127.0.0.1', false],
    ['127.0.0', false],
    ['localhost.', false],
    ['::1', false],
    ['', false],
  ])('is this machine by its name alone: %p %p', (hostname, expected) => {
    expect(isLoopback(hostname)).toBe(expected);
  });
});

describe('where settings come from', () => {
  const env = {
    QELOS_URL: 'https://env.example',
    QELOS_API_TOKEN: 'ql_env',
    QELOS_USERNAME: 'env-user',
    QELOS_PASSWORD: 'env-password',
    QELOS_WORKSPACE: 'env-workspace',
    QELOS_AUTH_STRATEGY: 'env-strategy',
  };
  const overrides = {
    url: 'https://option.example',
    apiToken: 'ql_option',
    username: 'option-user',
    password: 'option-password',
    workspace: 'option-workspace',
    strategy: 'option-strategy',
  };
  const seen = ({ url, apiToken, username, password, workspace, strategy }: AuthConfig) => ({
    url,
    apiToken,
    username,
    password,
    workspace,
    strategy,
  });

  it('the environment', () => {
    expect(seen(loadAuthConfig(env))).toEqual({
      url: 'https://env.example',
      apiToken: 'ql_env',
      username: 'env-user',
      password: 'env-password',
      workspace: 'env-workspace',
      strategy: 'env-strategy',
    });
  });

  it('options win, one by one', () => {
    expect(seen(loadAuthConfig(env, overrides))).toEqual(overrides);
    for (const name of Object.keys(overrides) as (keyof typeof overrides)[]) {
      const expected = { ...seen(loadAuthConfig(env)), [name]: overrides[name] };
      expect(seen(loadAuthConfig(env, { [name]: overrides[name] }))).toEqual(expected);
    }
  });

  it('an option that is undefined counts as not given', () => {
    expect(seen(loadAuthConfig(env, { url: undefined as never, apiToken: undefined }))).toEqual(
      seen(loadAuthConfig(env)),
    );
  });

  it('an option for the URL makes QELOS_URL and QELOS_APP_URL no contradiction', () => {
    expect(loadAuthConfig({ ...env, QELOS_APP_URL: 'https://x.example' }, overrides).url).toBe(overrides.url);
  });

  it('process.env, unless told otherwise', () => {
    const before = process.env['QELOS_URL'];
    process.env['QELOS_URL'] = 'https://process.example';
    try {
      expect(loadAuthConfig().url).toBe('https://process.example');
      expect(refusal({}).message).toContain('QELOS_URL is missing');
    } finally {
      if (before === undefined) delete process.env['QELOS_URL'];
      else process.env['QELOS_URL'] = before;
    }
  });

  it('has defaults for the time limit and for safety, and none for credentials', () => {
    expect({ ...loadAuthConfig({ QELOS_URL: url }) }).toEqual({ url, timeoutMs: 20_000, allowInsecureUrl: false });
    expect(loadAuthConfig({ QELOS_URL: url }, { timeoutMs: 1 }).timeoutMs).toBe(1);
  });

  it('the environment and the options are read and nothing else', () => {
    const frozenEnv = Object.freeze({ ...env });
    const frozenOverrides = Object.freeze({ ...overrides });
    const processEnv = { ...process.env };
    loadAuthConfig(frozenEnv, frozenOverrides);
    refusal(Object.freeze({ QELOS_API_TOKEN: 'null' }));
    expect(frozenEnv).toEqual(env);
    expect(frozenOverrides).toEqual(overrides);
    expect({ ...process.env }).toEqual(processEnv);
  });

  it('what was loaded can be loaded again', () => {
    const loaded = loadAuthConfig(env);
    expect(seen(loadAuthConfig({}, loaded))).toEqual(seen(loaded));
  });
});

describe('S19 the prototype that all objects share', () => {
  it.each([
    'apiToken',
    'apiTokenFile',
    'username',
    'password',
    'workspace',
    'strategy',
    'timeoutMs',
    'QELOS_API_TOKEN',
  ])('gives nobody a setting: %s', (name) => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype[name] = 'polluted-value';
    try {
      const config = loadAuthConfig({ QELOS_URL: url }, { url });
      const again = loadAuthConfig({}, config);
      for (const { apiToken, apiTokenFile, username, password, workspace, strategy, timeoutMs } of [config, again]) {
        expect([apiToken, apiTokenFile, username, password, workspace, strategy]).toEqual(Array(6).fill(undefined));
        expect(timeoutMs).toBe(20_000);
      }
    } finally {
      delete prototype[name];
    }
  });

  it('does not hide what the class of a configuration gives', () => {
    class OfATeam {
      readonly url = url;
      get apiToken() {
        return token;
      }
    }
    expect(loadAuthConfig({}, new OfATeam()).apiToken).toBe(token);
    expect(loadAuthConfig({}, Object.assign(Object.create(null), { url, apiToken: token })).apiToken).toBe(token);
  });
});

describe('F54 the secrets of a loaded configuration are in no sink', () => {
  const config = loadAuthConfig(
    { QELOS_URL: url, QELOS_API_TOKEN: token, QELOS_USERNAME: 'u', QELOS_PASSWORD: 'hunter2-hunter2' },
    {},
  );

  it('and yet it has them', () => {
    expect([config.apiToken, config.password]).toEqual([token, 'hunter2-hunter2']);
  });

  it('alone, nested, copied and in an error', () => {
    for (const value of [config, { config }, [config], { ...config }, new Error('e', { cause: config })]) {
      expectNoSecret(value, [token, 'hunter2-hunter2']);
    }
  });

  it('and it says that there are some', () => {
    expect(sinksOf(config)['inspect']).toContain('[hidden]');
    expect(inspect(loadAuthConfig({ QELOS_URL: url }))).not.toContain('[hidden]');
  });
});

describe('S19 what is a placeholder', () => {
  it.each([
    ['QELOS_API_TOKEN', '$QELOS_API_TOKEN'],
    ['QELOS_API_TOKEN', '$token'],
    ['QELOS_API_TOKEN', '%QELOS_API_TOKEN%'],
    ['QELOS_API_TOKEN', '%token%'],
    ['QELOS_API_TOKEN', '$(QELOS_API_TOKEN)'],
    ['QELOS_API_TOKEN', '{{token}}'],
    ['QELOS_PASSWORD', '$QELOS_PASSWORD'],
    ['QELOS_PASSWORD', '%QELOS_PASSWORD%'],
    ['QELOS_PASSWORD', '$(QELOS_PASSWORD)'],
    ['QELOS_WORKSPACE', '{{ .Values.workspace }}'],
    ['QELOS_API_TOKEN_FILE', '$QELOS_API_TOKEN_FILE'],
  ])('%s=%s', (variable, value) => {
    const env = { QELOS_URL: url, QELOS_USERNAME: 'u', QELOS_PASSWORD: 'p', [variable]: value };
    expect(() => loadAuthConfig(env)).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_CONFIG',
        message: `${variable} holds a placeholder that was not expanded: the program that sets it has to.`,
      }),
    );
  });

  it.each(['$HOME', '$ecret', '100%', '%x%', '$$$', 'a$QELOS_PASSWORD', '{curly}', '$(a b)'])(
    'no: the password %s',
    (password) => {
      const env = { QELOS_URL: url, QELOS_USERNAME: 'u', QELOS_PASSWORD: password };
      expect(loadAuthConfig(env).password).toBe(password);
    },
  );
});

describe('S19 what all objects inherit configures nobody', () => {
  const pollute = (properties: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(properties)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
    }
    return () => {
      for (const name of Object.keys(properties)) delete (Object.prototype as Record<string, unknown>)[name];
    };
  };

  it('no setting and no variable', () => {
    const restore = pollute({
      apiToken: 'ql_evil',
      apiTokenFile: '/evil',
      username: 'evil',
      password: 'evil',
      workspace: 'evil',
      strategy: 'evil',
      allowInsecureUrl: true,
      timeoutMs: 1,
      QELOS_API_TOKEN: 'ql_evil',
      QELOS_APP_URL: 'https://evil.example',
      QELOS_USERNAME: 'evil',
    });
    try {
      const env = { QELOS_URL: url };
      for (const config of [loadAuthConfig(env, {}), loadAuthConfig({}, loadAuthConfig(env))]) {
        const { apiToken, apiTokenFile, username, password, workspace, strategy, allowInsecureUrl, timeoutMs } = config;
        expect([apiToken, apiTokenFile, username, password, workspace, strategy]).toEqual(Array(6).fill(undefined));
        expect([config.url, allowInsecureUrl, timeoutMs]).toEqual([url, false, 20_000]);
      }
      expect(() => loadAuthConfig({ QELOS_URL: 'http://evil.example' })).toThrow(
        expect.objectContaining({ code: 'ERR_AUTH_INSECURE_URL' }),
      );
    } finally {
      restore();
    }
  });

  it('no option', () => {
    const evil = { name: 'evil', missing: () => [], signIn: async () => Promise.reject(new Error('evil')) };
    const env = { QELOS_URL: 'https://evil.example', QELOS_API_TOKEN: 'ql_evil' };
    const restore = pollute({
      strategies: [evil],
      env,
      store: {},
      transport: 'evil',
      config: { url: 'https://evil.example' },
    });
    try {
      const auth = createQelosAuth({ env: { QELOS_URL: url, QELOS_API_TOKEN: token } });
      expect([auth.strategy.name, auth.http.defaults.baseURL]).toEqual(['api-token', url]);
    } finally {
      restore();
    }
  });

  it('what a class gives is its own', () => {
    class Settings {
      readonly url = url;
      get apiToken() {
        return token;
      }
    }
    expect(loadAuthConfig({}, new Settings()).apiToken).toBe(token);
    expect(loadAuthConfig({}, Object.assign(Object.create(null), { url, apiToken: token })).apiToken).toBe(token);
  });
});
