import { type AuthConfig, faultOf } from '../config';
import { AuthError } from '../contract/auth-error';
import type { ApiAnswer, AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { Credential, headersOf } from '../contract/credential';
import { idOf, keepWorkspace } from '../credentials/workspace';
import { inject, injectable } from '../di';
import { isRefusedCredential, messageOf } from '../qelos/refusal';
import { AUTH_CONFIG } from '../tokens';
import { RefusedToken } from './refused-token';
import { readSecretFile, UnreadableFile } from './secret-file';
import { noSession, signInSdk, workspaceMismatch } from './sign-in-sdk';

/** A file that is being written when its token is refused may hold another one a moment later: so many tokens are tried. */
const MOST_TOKENS = 3;

/**
 * Authenticates with a Qelos API token, sent as `x-api-key`. The token is good until it expires or is revoked, so there is
 * nothing to refresh: signing in checks it once, and a refusal is final. Only a token from a file may be replaced while the
 * plugin runs; the file is read again when the token is refused, and now and then before that.
 */
@injectable()
export class ApiTokenStrategy implements AuthStrategy {
  readonly name = 'api-token';
  readonly #config: AuthConfig;
  /** Made when it is needed: there may be 100,000 tenants. */
  #refused: RefusedToken | undefined;

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    return this.#config.apiToken || this.#config.apiTokenFile ? [] : ['QELOS_API_TOKEN'];
  }

  /**
   * Checks the token with `GET /api/me`, through the SDK's `apiTokenSignin`.
   *
   * @throws AuthError `ERR_AUTH_TOKEN_REFUSED`, `ERR_AUTH_WORKSPACE`, or `ERR_AUTH_CONFIG` if the token's file is at fault
   */
  async signIn(context: AuthContext): Promise<Credential> {
    const { apiToken } = this.#config;
    for (let tokens = 1; ; tokens++) {
      const token = apiToken ?? (await this.#tokenFromFile());
      const credential = await checkApiToken(this.#config, token, context);
      if (credential) return credential;
      if (apiToken !== undefined) throw this.#refusal();
      this.#refused ??= new RefusedToken();
      this.#refused.refuse(token);
      if (tokens === MOST_TOKENS) throw this.#refusal();
    }
  }

  /**
   * A refused token is final, unless its file may hold another one by now. Recorded: services behind the gateway answer a
   * refused key with an empty 401, so the body tells nothing.
   */
  isRejected(answer: ApiAnswer): boolean {
    return this.#config.apiToken === undefined && isRefusedCredential(answer);
  }

  /**
   * Whether the file holds another token than the current one by now, so that it is picked up before the old one is refused:
   * an upload that cannot be sent twice would fail. A file at fault is nobody's problem while the current token is good.
   */
  async isReplaced(current: Credential): Promise<boolean> {
    if (this.#config.apiToken !== undefined) return false;
    const token = await this.#tokenFromFile().catch(() => undefined);
    return token !== undefined && token !== headersOf(current)['x-api-key'];
  }

  async #tokenFromFile(): Promise<string> {
    const path = this.#config.apiTokenFile as string;
    let token: string;
    try {
      token = (await readSecretFile(path)).trim();
    } catch (error) {
      const reason = error instanceof UnreadableFile ? error.reason : 'unknown error';
      throw new AuthError('ERR_AUTH_CONFIG', `QELOS_API_TOKEN_FILE names a file that cannot be read (${reason}).`, {
        hint: 'Check that it is a regular file with the token and nothing else in it, and that the user the plugin runs as may read it. Retried automatically.',
        retryable: true,
      });
    }
    const fault = faultOf(token, true);
    if (fault !== undefined) {
      throw new AuthError('ERR_AUTH_CONFIG', `The content of the file that QELOS_API_TOKEN_FILE names ${fault}.`, {
        hint: 'Write the API token into the file, and nothing else. It is read again by itself.',
        retryable: true,
      });
    }
    if (this.#refused?.isResting(token)) throw this.#refusal();
    return token;
  }

  #refusal(): AuthError {
    const setting = this.#config.apiToken ? 'QELOS_API_TOKEN' : 'the file of QELOS_API_TOKEN_FILE';
    const inFile = this.#config.apiToken === undefined;
    return new AuthError('ERR_AUTH_TOKEN_REFUSED', `The API token in ${setting} was refused (HTTP status 401).`, {
      hint: `It is one of: expired, revoked, mistyped, of another Qelos instance than QELOS_URL, or bound to a workspace that is gone; the server does not say which. Create a new token in Qelos and set it${inFile ? ' there; the file is read again by itself' : ', then start again'}.`,
      // A file may be replaced at any moment, and looking at it costs the server nothing.
      retryable: inFile,
      ...(inFile ? {} : { httpStatus: 401 }),
    });
  }
}

/** Recorded: what an auth service answers to a key when its database is closed, as while it is being deployed. */
const NOT_CHECKED = 'API token authentication failed';

function notChecked(): AuthError {
  return new AuthError(
    'ERR_AUTH_UNAVAILABLE',
    `The API token could not be checked: "${NOT_CHECKED}" (HTTP status 401).`,
    {
      hint: 'The auth service is out of order for the moment, as while it is being deployed; nothing is wrong with the token. Retried automatically.',
      httpStatus: 401,
      retryable: true,
    },
  );
}

/**
 * Asks the instance whose an API token is (`GET /api/me`, through the SDK's `apiTokenSignin`).
 *
 * @returns the credential; undefined if the token was refused
 * @throws AuthError `ERR_AUTH_WORKSPACE`, `ERR_AUTH_BAD_RESPONSE` or `ERR_AUTH_UNAVAILABLE`
 */
export async function checkApiToken(
  { url, workspace }: AuthConfig,
  token: string,
  context: AuthContext,
): Promise<Credential | undefined> {
  const { sdk, lastStatus, lastBody, remember } = signInSdk(url, context, 'sign-in');
  let user: Awaited<ReturnType<typeof sdk.authentication.apiTokenSignin>>;
  try {
    user = await sdk.authentication.apiTokenSignin(token);
  } catch (error) {
    if (lastStatus() === 401) {
      if (messageOf(lastBody()) === NOT_CHECKED) throw notChecked();
      return undefined;
    }
    throw error;
  }
  if (typeof user !== 'object' || user === null || !('_id' in user)) throw noSession('sign-in');
  const mismatch = workspaceMismatch(workspace, user['workspace'], 'API token');
  if (mismatch) throw mismatch;
  const credential = Credential.apiKey(token);
  keepWorkspace(credential, idOf(user['workspace']));
  return remember(credential, user);
}
