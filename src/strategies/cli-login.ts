import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { type AuthConfig, faultOf, given } from '../config';
import { AuthError } from '../contract/auth-error';
import type { ApiAnswer, AuthContext, AuthStrategy } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { isRefusedCredential } from '../qelos/refusal';
import { checkApiToken } from './api-token';
import { RefusedToken } from './refused-token';
import { readSecretFileSync, UnreadableFile } from './secret-file';

/** Where the Qelos CLI keeps its log-in, as its user knows it. */
const FILE = '~/.qelos/credentials.json';

/** What was found: a token for the configured instance, or what is lacking. */
type Login = { readonly token: string; readonly lacks?: never } | { readonly lacks: string; readonly token?: never };

/**
 * Authenticates with the API token that `qelos auth login` has stored, so that a plugin runs on its developer's machine
 * without further settings. Last in the order, for the instance alone that the CLI is logged in to, and never in production
 * (`NODE_ENV=production`).
 *
 * The file is the CLI's: `saveCredentials` of tools/cli/services/config/credentials.mjs in qelos-io/qelos (seen at
 * 5377143f8f6e) writes `{ appUrl, apiToken, user, createdAt }` as JSON to `.qelos/credentials.json` in the user's home, and
 * takes the right to read it from everybody else, except on Windows.
 *
 * `missing()` must do without I/O, and what it says makes the choice and its error. So the file is looked for once, when this
 * is made, and only if nothing else is configured: whoever configures a credential never has the file opened.
 */
export class CliLoginStrategy implements AuthStrategy {
  readonly name = 'cli-login';
  readonly #config: AuthConfig;
  readonly #home: string | undefined;
  readonly #lacks: string | undefined;
  readonly #refused = new RefusedToken();

  /** @param env - where settings are read from: `NODE_ENV`, and `HOME` or `USERPROFILE`, without which there is no log-in */
  constructor(config: AuthConfig, env: Readonly<Record<string, string | undefined>>) {
    this.#config = config;
    this.#home = given(env, 'HOME') || given(env, 'USERPROFILE');
    if (given(env, 'NODE_ENV') === 'production') this.#lacks = 'a NODE_ENV other than "production"';
    else if (isConfiguredOtherwise(config)) this.#lacks = `a log-in of the Qelos CLI (not looked for)`;
    else this.#lacks = this.#login().lacks;
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
    const { token, lacks } = this.#login();
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
    throw new AuthError('ERR_AUTH_TOKEN_REFUSED', `The API token that the Qelos CLI stored in ${FILE} was refused.`, {
      hint: 'It has expired (after a year) or was revoked. Run "qelos auth login"; the file is read again by itself.',
      retryable: true,
    });
  }

  /** A refused token is final, unless somebody has logged in anew by now. */
  isRejected(answer: ApiAnswer): boolean {
    return isRefusedCredential(answer);
  }

  #login(): Login {
    if (this.#home === undefined) return { lacks: 'HOME, to find the log-in of the Qelos CLI in' };
    return readLogin(join(this.#home, '.qelos', 'credentials.json'), new URL(this.#config.url).origin);
  }
}

/** Whether a built-in strategy before this one is chosen, or another one is pinned. */
function isConfiguredOtherwise(config: AuthConfig): boolean {
  const { strategy, username, password } = config;
  if (strategy !== undefined) return strategy !== 'cli-login';
  const token = config.apiToken ?? config.apiTokenFile ?? config.accessToken ?? config.refreshToken;
  return Boolean(token || (username && password));
}

/** Reads at once, as it decides on the choice of a strategy; the file is small and on the developer's own machine. */
function readLogin(path: string, wanted: string): Login {
  let text: string;
  try {
    text = readSecretFileSync(path, (stats) => {
      const lacks = faultOfOwner(stats);
      if (lacks !== undefined) throw new Unfit(lacks);
    });
  } catch (error) {
    const { reason } = error as UnreadableFile;
    if (error instanceof Unfit) return { lacks: reason };
    if (reason === 'ENOENT') return { lacks: `a log-in of the Qelos CLI (run "qelos auth login")` };
    return { lacks: `a ${FILE} that can be read (${reason})` };
  }
  const { appUrl, apiToken } = parse(text);
  const origin = originOf(appUrl);
  if (origin === undefined) return { lacks: `a ${FILE} with the URL of an instance in it (run "qelos auth login")` };
  if (origin !== wanted) {
    return { lacks: `a log-in of the Qelos CLI to ${wanted} (it is logged in to ${origin})` };
  }
  if (typeof apiToken !== 'string') return { lacks: `a ${FILE} with an API token in it (run "qelos auth login")` };
  const fault = faultOf(apiToken.trim(), true);
  return fault === undefined
    ? { token: apiToken.trim() }
    : { lacks: `an API token in ${FILE} (what is there ${fault})` };
}

/** A file that could be read and must not be used; its reason says what is lacking. */
class Unfit extends UnreadableFile {}

/** Somebody else's file could bring somebody else's token. Windows has no such rights; there the user's profile folder has to do. */
function faultOfOwner({ uid, mode }: Pick<Stats, 'uid' | 'mode'>): string | undefined {
  if (process.platform === 'win32') return undefined;
  if (uid !== process.getuid?.()) return `a ${FILE} that belongs to the user who runs this`;
  if ((mode & 0o077) === 0) return undefined;
  return `a ${FILE} that nobody else may read (its mode is ${(mode & 0o777).toString(8)}: run "chmod 600 ${FILE}")`;
}

function parse(text: string): { appUrl?: unknown; apiToken?: unknown } {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

function originOf(url: unknown): string | undefined {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).origin : undefined;
}
