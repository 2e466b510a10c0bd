import { inspect } from 'node:util';
import { AuthError } from './contract/auth-error';
import { given } from './own-properties';

/** Where the Qelos instance is and what may be used to sign in. Secrets are strings as the server takes them. */
export interface AuthConfig {
  /** Base URL of the instance, such as `https://my.qelos.example`; without a trailing slash once loaded. */
  readonly url: string;
  /** API token (`ql_…`). Wins over a user name. */
  readonly apiToken?: string | undefined;
  /** Path of a file that holds the API token, such as a mounted secret; read when it is needed, and looked at again later. */
  readonly apiTokenFile?: string | undefined;
  /** Access token of a session that exists already. Alone, it is used until it is refused. */
  readonly accessToken?: string | undefined;
  /** Refresh token of a session that exists already; good for one refresh, so share a store to keep its successors over a restart. */
  readonly refreshToken?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Identifier (`_id`) of the workspace that the credential must be bound to. */
  readonly workspace?: string | undefined;
  /** Name of the strategy to use, instead of the first that has all it needs. With `apiTokenFile`, `api-token` is `api-token-file`. */
  readonly strategy?: string | undefined;
  /** Accept an `http:` URL of a host that is not this machine. Credentials then travel readable. Default: false. */
  readonly allowInsecureUrl?: boolean | undefined;
  /**
   * Milliseconds that obtaining a credential may take in all. Default: 20,000; below the 30 s after which a Qelos without
   * its database answers a right password like a wrong one.
   */
  readonly timeoutMs?: number | undefined;
}

/** The environment variables read, by the setting they give. */
export const VARIABLES = {
  url: 'QELOS_URL',
  apiToken: 'QELOS_API_TOKEN',
  apiTokenFile: 'QELOS_API_TOKEN_FILE',
  accessToken: 'QELOS_ACCESS_TOKEN',
  refreshToken: 'QELOS_REFRESH_TOKEN',
  username: 'QELOS_USERNAME',
  password: 'QELOS_PASSWORD',
  workspace: 'QELOS_WORKSPACE',
  strategy: 'QELOS_AUTH_STRATEGY',
} as const;

/** The settings that are a token, of which less is possible than of a password. */
const TOKENS: readonly string[] = ['apiToken', 'accessToken', 'refreshToken'];

export const DEFAULT_TIMEOUT_MS = 20_000;

/** Longer than any secret of Qelos, shorter than the 16 KiB that Node accepts as headers of one message. */
const MAX_SECRET_LENGTH = 4096;

/** A checked configuration. Its secrets are out of reach of `inspect`, `JSON.stringify` and structured loggers. */
class LoadedAuthConfig implements AuthConfig {
  readonly url: string;
  declare readonly apiTokenFile?: string | undefined;
  declare readonly username?: string | undefined;
  declare readonly workspace?: string | undefined;
  declare readonly strategy?: string | undefined;
  readonly allowInsecureUrl: boolean;
  readonly timeoutMs: number;
  readonly #apiToken: string | undefined;
  readonly #accessToken: string | undefined;
  readonly #refreshToken: string | undefined;
  readonly #password: string | undefined;

  static {
    // What is not set is not what the prototype of all objects has under its name.
    Object.assign(LoadedAuthConfig.prototype, {
      apiTokenFile: undefined,
      username: undefined,
      workspace: undefined,
      strategy: undefined,
    });
  }

  constructor({
    apiToken,
    accessToken,
    refreshToken,
    password,
    url,
    allowInsecureUrl,
    timeoutMs,
    ...others
  }: AuthConfig) {
    this.#apiToken = apiToken;
    this.#accessToken = accessToken;
    this.#refreshToken = refreshToken;
    this.#password = password;
    this.url = url;
    this.allowInsecureUrl = allowInsecureUrl ?? false;
    this.timeoutMs = timeoutMs ?? DEFAULT_TIMEOUT_MS;
    Object.assign(this, others);
  }

  get apiToken(): string | undefined {
    return this.#apiToken;
  }

  get accessToken(): string | undefined {
    return this.#accessToken;
  }

  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  get password(): string | undefined {
    return this.#password;
  }

  [inspect.custom](): object {
    const secrets = this.#apiToken ?? this.#accessToken ?? this.#refreshToken ?? this.#password;
    return { ...this, ...(secrets !== undefined && { secrets: '[hidden]' }) };
  }
}

/**
 * Reads and checks the configuration: environment first, then `overrides`, which win. Pure: no I/O, no global state.
 * Surrounding blanks, line ends and byte-order marks are trimmed; what cannot be a secret is refused.
 *
 * @param env - such as `process.env`
 * @param overrides - settings by name; `undefined` counts as not given
 * @throws AuthError `ERR_AUTH_CONFIG` that names every setting at fault and shows no value, or `ERR_AUTH_INSECURE_URL`
 *   if the only fault is that credentials would travel unencrypted
 */
export function loadAuthConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
  overrides: Partial<AuthConfig> = {},
): AuthConfig {
  const faults: string[] = [];
  const settings = readSettings(env, overrides, faults);
  const urlFault = faultOfUrl(settings.url, settings.allowInsecureUrl === true);
  if (urlFault !== undefined) faults.push(`${VARIABLES.url} ${urlFault}`);
  checkCredentials(settings, faults);
  const { timeoutMs } = settings;
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    faults.push('timeoutMs must be a positive number of milliseconds');
  }
  if (faults.length > 0) throw configurationError(faults, urlFault === INSECURE_URL && faults.length === 1);
  const url = new URL(settings.url as string).href.replace(/\/+$/, '');
  // A part of a longer text keeps that in memory, and there may be 100,000 tenants: the text that was given is as good.
  if (url !== settings.url) Object.assign(settings, { url });
  return new LoadedAuthConfig(settings as AuthConfig);
}

/** Settings that somebody registered as a plain object, checked like any other; those that have been checked as they are. */
export function checkedConfig(config: AuthConfig): AuthConfig {
  return config instanceof LoadedAuthConfig ? config : loadAuthConfig({}, config);
}

function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  overrides: Partial<AuthConfig>,
  faults: string[],
): Partial<AuthConfig> {
  const settings: { -readonly [K in keyof AuthConfig]?: AuthConfig[K] } = Object.create(null);
  for (const setting of Object.keys(VARIABLES) as (keyof typeof VARIABLES)[]) {
    const override = given(overrides, setting);
    const raw = override ?? given(env, VARIABLES[setting]);
    if (raw === undefined) continue;
    const name = override === undefined ? VARIABLES[setting] : `${VARIABLES[setting]} (option config.${setting})`;
    if (typeof raw !== 'string') {
      faults.push(`${name} must be a string, and is of type ${typeof raw}`);
      continue;
    }
    const value = raw.trim(); // removes a byte-order mark too
    const fault = setting === 'url' ? undefined : faultOf(value, TOKENS.includes(setting));
    if (fault === undefined) settings[setting] = value;
    else faults.push(`${name} ${fault}`);
  }
  if (given(overrides, 'url') === undefined) readUrlAlias(env, settings, faults);
  if (settings.apiToken !== undefined && settings.apiTokenFile !== undefined) {
    faults.push(`${VARIABLES.apiToken} and ${VARIABLES.apiTokenFile} are both set: keep one of them`);
  }
  // Who pins the API token has it from a file as well.
  if (settings.strategy === 'api-token' && settings.apiTokenFile !== undefined) settings.strategy = 'api-token-file';
  const allowInsecureUrl = given(overrides, 'allowInsecureUrl');
  if (allowInsecureUrl !== undefined) settings.allowInsecureUrl = allowInsecureUrl;
  const timeoutMs = given(overrides, 'timeoutMs');
  if (timeoutMs !== undefined) settings.timeoutMs = timeoutMs;
  return settings;
}

/** Qelos' own tools read `QELOS_APP_URL`; a plugin that has it set already need not repeat it. */
function readUrlAlias(
  env: Readonly<Record<string, string | undefined>>,
  settings: { url?: string },
  faults: string[],
): void {
  const alias = given(env, 'QELOS_APP_URL')?.trim();
  if (!alias) return;
  const withoutSlash = (url: string) => url.replace(/\/+$/, '');
  if (!settings.url) settings.url = alias;
  else if (withoutSlash(settings.url) !== withoutSlash(alias)) {
    faults.push('QELOS_URL and QELOS_APP_URL are both set and differ: keep one of them');
  }
}

/** Says why a setting cannot be what it should be, without showing it; undefined if it can. */
export function faultOf(value: string, isToken: boolean): string | undefined {
  if (value === '') return 'is set but empty: give it a value or remove it';
  if (value === 'undefined' || value === 'null') return `is the word "${value}": the program that sets it had no value`;
  if (isPlaceholder(value, isToken))
    return 'holds a placeholder that was not expanded: the program that sets it has to';
  if (value.length > MAX_SECRET_LENGTH) return `is longer than ${MAX_SECRET_LENGTH} characters`;
  if (hasControlCharacter(value)) return 'holds a line end or another control character inside';
  if (!isToken) return undefined;
  if (/^(["'`]).*\1$/.test(value)) return 'is in quotes: remove them';
  if (!/^[\x21-\x7e]+$/.test(value)) return 'holds a blank, an invisible or a non-ASCII character, which no token does';
  return undefined;
}

/**
 * A placeholder of a shell, of Kubernetes or of a template; `$NAME` and `%NAME%` where that cannot be meant: no token begins so, but a password may, unless it is the name
 * of one of our own variables.
 */
function isPlaceholder(value: string, isToken: boolean): boolean {
  if (/^(\$\{[^}]*\}|\$\([\w.-]*\)|\{\{.*\}\})$/.test(value)) return true;
  return (isToken ? /^(\$\w+|%\w+%)$/ : /^(\$QELOS_\w+|%QELOS_\w+%)$/).test(value);
}

function hasControlCharacter(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

const INSECURE_URL = 'begins with http:// and its host is not this machine: credentials would travel readable';

/** Says what is wrong with a base URL, without showing it; undefined if nothing is. */
function faultOfUrl(value: string | undefined, allowInsecure: boolean): string | undefined {
  if (value === undefined || value === '') return 'is missing';
  const url = parseUrl(value);
  if (url === undefined) return 'is no URL: it must be absolute, such as https://my.qelos.example';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
  if (url.username !== '' || url.password !== '') return 'holds a user name or password: set them apart';
  if (url.search !== '' || url.hash !== '') return 'holds a query or a fragment: end it before "?" or "#"';
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowInsecure) return INSECURE_URL;
  return undefined;
}

function parseUrl(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined;
  }
}

/** Whether a host, as `URL.hostname` gives it, is this machine by its name alone (RFC 6890; `localhost`). */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Half a pair is a mistake, unless something else is there to sign in with. */
function checkCredentials(given: Partial<AuthConfig>, faults: string[]): void {
  const isPinnedElsewhere = given.strategy !== undefined && given.strategy !== 'oauth-refresh';
  const another = given.apiToken ?? given.apiTokenFile ?? given.accessToken ?? given.refreshToken;
  if (another !== undefined || isPinnedElsewhere) return;
  const named = (setting: 'username' | 'password') => faults.some((text) => text.startsWith(VARIABLES[setting]));
  if (given.username !== undefined && given.password === undefined && !named('password')) {
    faults.push('QELOS_USERNAME is set without QELOS_PASSWORD');
  }
  if (given.password !== undefined && given.username === undefined && !named('username')) {
    faults.push('QELOS_PASSWORD is set without QELOS_USERNAME');
  }
}

function configurationError(faults: string[], insecureOnly: boolean): AuthError {
  const [only] = faults;
  const text = faults.length === 1 ? `${only}.` : `${faults.length} settings are wrong:\n- ${faults.join('\n- ')}`;
  return insecureOnly
    ? new AuthError('ERR_AUTH_INSECURE_URL', text, {
        hint: 'Use https://. On a network where readable credentials are acceptable, pass the option config.allowInsecureUrl: true.',
      })
    : new AuthError('ERR_AUTH_CONFIG', text, {
        hint: 'Set QELOS_URL, and either QELOS_API_TOKEN or QELOS_USERNAME with QELOS_PASSWORD, then start again.',
      });
}
