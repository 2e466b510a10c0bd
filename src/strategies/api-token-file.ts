import { type AuthConfig, faultOf } from '../config';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { type Credential, headersOf } from '../contract/credential';
import { inject, injectable } from '../di';
import { AUTH_CONFIG } from '../tokens';
import { checkApiToken, refusedToken } from './api-token';
import { RefusedToken } from './refused-token';
import { readSecretFile, UnreadableFile } from './secret-file';

/** A file that is being written when its token is refused may hold another one a moment later: so many tokens are tried. */
const MAX_TOKENS = 3;

/**
 * Authenticates with a Qelos API token from a file, such as a mounted secret, sent as `x-api-key`. The file may be replaced
 * while the plugin runs: it is read again when the token is refused, and now and then before that.
 */
@injectable()
export class ApiTokenFileStrategy implements AuthStrategy {
  readonly name = 'api-token-file';
  readonly isConfigured = true;
  readonly #config: AuthConfig;
  readonly #refused = new RefusedToken();

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    return this.#config.apiTokenFile ? [] : ['QELOS_API_TOKEN_FILE'];
  }

  /**
   * Checks the token with `GET /api/me`, through the SDK's `apiTokenSignin`.
   *
   * @throws AuthError `ERR_AUTH_TOKEN_REFUSED`, `ERR_AUTH_WORKSPACE`, or `ERR_AUTH_CONFIG` if the file is at fault
   */
  async signIn(context: AuthContext): Promise<Credential> {
    for (let tokens = 1; ; tokens++) {
      const token = await this.#token();
      if (this.#refused.isResting(token)) throw refusal();
      const credential = await checkApiToken(this.#config, token, context);
      if (credential) return credential;
      this.#refused.refuse(token);
      if (tokens === MAX_TOKENS) throw refusal();
    }
  }

  /** An upload that cannot be sent twice would fail if the old token had to be refused first. */
  async isReplaced(current: Credential): Promise<boolean> {
    const token = await this.#token();
    return !this.#refused.isResting(token) && token !== headersOf(current)['x-api-key'];
  }

  async #token(): Promise<string> {
    let token: string;
    try {
      token = (await readSecretFile(this.#config.apiTokenFile as string)).trim();
    } catch (error) {
      const reason = error instanceof UnreadableFile ? error.reason : 'unknown error';
      throw new AuthError('ERR_AUTH_CONFIG', `QELOS_API_TOKEN_FILE names a file that cannot be read (${reason}).`, {
        hint: 'Check that it is a regular file with the token and nothing else in it, and that the user the plugin runs as may read it. Retried automatically.',
        retryable: true,
      });
    }
    const fault = faultOf(token, true);
    if (fault === undefined) return token;
    throw new AuthError('ERR_AUTH_CONFIG', `The content of the file that QELOS_API_TOKEN_FILE names ${fault}.`, {
      hint: 'Write the API token into the file, and nothing else. It is read again by itself.',
      retryable: true,
    });
  }
}

/** Retryable: a file may be replaced at any moment, and looking at it costs the server nothing. */
function refusal(): AuthError {
  return refusedToken('the file of QELOS_API_TOKEN_FILE', 'set it there; the file is read again by itself', {
    retryable: true,
  });
}
