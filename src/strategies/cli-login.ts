import { type AuthConfig, loadAuthConfig, VARIABLES } from '../config';
import { AuthError, isAuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { given } from '../own-properties';
import type { Environment } from '../tokens';
import { checkApiToken } from './api-token';
import { type CliContent, type CliFile, loginFile, projectFile, readCliFile } from './cli-files';
import { RefusedToken } from './refused-token';

/**
 * Authenticates with the API token that the Qelos CLI would use, so that a plugin runs on its developer's machine without further
 * settings: `qelosApiToken` of the `qelos.config.json` (or `.yaml`, `.yml`) in the working folder, or the one that
 * `qelos auth login` has stored. Last in the order, for the instance alone that is named beside the token, and never in
 * production (`NODE_ENV=production`).
 *
 * `missing()` must do without I/O, and what it says makes the choice and its error. So the files are looked for once, when this
 * is made, and only if nothing else is configured: whoever configures a credential never has a file opened.
 */
export class CliLoginStrategy implements AuthStrategy {
  readonly name = 'cli-login';
  readonly isConfigured = true;
  readonly #config: AuthConfig;
  /** Where the token is read from, now and later: another file could be about another account. */
  readonly #file: CliFile | undefined;
  readonly #lacks: string | undefined;
  readonly #refused = new RefusedToken();

  /**
   * @param env - where settings are read from: `NODE_ENV`, and `HOME` or `USERPROFILE`, without which nothing is looked for
   * @param folder - where the project's configuration is. Default: the working folder
   */
  constructor(config: AuthConfig, env: Environment, folder?: string) {
    this.#config = config;
    if (given(env, 'NODE_ENV') === 'production') this.#lacks = 'a NODE_ENV other than "production"';
    else if (isConfiguredOtherwise(config)) this.#lacks = `a log-in of the Qelos CLI (not looked for)`;
    else {
      this.#file = fileFor(originOf(config.url), env, folder);
      this.#lacks = this.#read().lacks;
    }
  }

  /** The file that the token is from, as its user knows it. */
  get source(): string | undefined {
    return this.#file?.name;
  }

  missing(): readonly string[] {
    return this.#lacks === undefined ? [] : [this.#lacks];
  }

  /**
   * Checks the token with `GET /api/me`. The file is read again, as the developer may have logged in anew.
   *
   * @throws AuthError `ERR_AUTH_TOKEN_REFUSED`, `ERR_AUTH_WORKSPACE`, or `ERR_AUTH_CONFIG` if the file is no longer good
   */
  async signIn(context: AuthContext): Promise<Credential> {
    const { token, lacks } = this.#read();
    if (token === undefined) {
      throw new AuthError('ERR_AUTH_CONFIG', `The strategy "cli-login" lacks ${lacks}.`, {
        hint: 'Run "qelos auth login", or configure a credential. It is looked for again by itself.',
        retryable: true,
      });
    }
    const isResting = this.#refused.isResting(token);
    const credential = isResting ? undefined : await checkApiToken(this.#config, token, context);
    if (credential) return credential;
    if (!isResting) this.#refused.refuse(token);
    throw new AuthError('ERR_AUTH_TOKEN_REFUSED', `The API token in ${this.source} was refused.`, {
      hint: 'It has expired (one of "qelos auth login" does after a year) or was revoked. Run "qelos auth login", or write a new one into the file; it is re-read automatically.',
      retryable: true,
    });
  }

  /** The token for the configured instance, or what is lacking. */
  #read(): CliContent {
    if (this.#file === undefined) return { lacks: 'HOME, to find the log-in of the Qelos CLI in' };
    return readCliFile(this.#file, originOf(this.#config.url));
  }
}

/** The file whose token counts: the project's, if it has one and is about the instance; else the log-in, as with the CLI. */
function fileFor(origin: string, env: Environment, folder = process.cwd()): CliFile | undefined {
  const login = loginFile(env);
  const project = login && projectFile(folder);
  if (!project) return login;
  const { url, hasToken } = readCliFile(project);
  return hasToken && url !== undefined && originOf(url) === origin ? project : login;
}

function originOf(url: string): string {
  return new URL(url).origin;
}

/** Whether a built-in strategy before this one is chosen, or another one is pinned. */
function isConfiguredOtherwise(config: AuthConfig): boolean {
  const { strategy, username, password } = config;
  if (strategy !== undefined) return strategy !== 'cli-login';
  const token = config.apiToken ?? config.apiTokenFile ?? config.accessToken ?? config.refreshToken;
  return Boolean(token || (username && password));
}

/** The settings that leave nothing to look for. */
const ELSEWHERE = ['url', 'apiToken', 'apiTokenFile', 'accessToken', 'refreshToken', 'username', 'password'] as const;

/**
 * The configuration; where there is neither a URL nor anything to sign in with, outside production, that of the Qelos CLI: the
 * `qelosUrl` of the project in the working folder, or the instance that `qelos auth login` was for. Then `cli-login` is
 * pinned: what somebody else has configured must not be sent there.
 *
 * @throws AuthError as `loadAuthConfig` does
 */
export function loadConfigOrCli(env: Environment = process.env, overrides: Partial<AuthConfig> = {}): AuthConfig {
  const found = cliUrl(env, overrides);
  if (found === undefined) return loadAuthConfig(env, overrides);
  try {
    const { url } = found;
    return loadAuthConfig(env, Object.assign(Object.create(overrides), { url, strategy: 'cli-login' }));
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const { code, message, hint } = error;
    throw new AuthError(code, `${message} (QELOS_URL is not set; its value is that of ${found.file}.)`, { hint });
  }
}

function cliUrl(env: Environment, overrides: Partial<AuthConfig>): { url: string; file: string } | undefined {
  const setting = (name: keyof typeof VARIABLES) => given(overrides, name) ?? given(env, VARIABLES[name]);
  if (given(env, 'NODE_ENV') === 'production' || (setting('strategy') ?? 'cli-login') !== 'cli-login') return undefined;
  const isConfigured = ELSEWHERE.some((name) => setting(name) !== undefined) || given(env, 'QELOS_APP_URL');
  if (isConfigured) return undefined;
  const login = loginFile(env);
  if (!login) return undefined;
  for (const file of [projectFile(process.cwd()), login]) {
    const url = file && readCliFile(file).url;
    if (url !== undefined) return { url, file: file?.name ?? '' };
  }
  return undefined;
}
