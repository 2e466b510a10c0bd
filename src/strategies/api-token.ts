import { type AuthConfig, settingName } from '../config';
import { AuthError, type AuthErrorDetails } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { Credential } from '../contract/credential';
import { idOf, keepWorkspace } from '../credentials/workspace';
import { inject, injectable } from '../di';
import { messageOf, NOT_CHECKED } from '../qelos/refusal';
import { AUTH_CONFIG } from '../tokens';
import { noSession, signInSdk, workspaceMismatch } from './sign-in-sdk';

/**
 * Authenticates with a Qelos API token, sent as `x-api-key`. The token is good until it expires or is revoked, so there is
 * nothing to refresh: signing in checks it once, and a refusal is final.
 */
@injectable()
export class ApiTokenStrategy implements AuthStrategy {
  readonly name = 'api-token';
  readonly isConfigured = true;
  readonly isFinal = true;
  readonly #config: AuthConfig;

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    return this.#config.apiToken ? [] : ['QELOS_API_TOKEN'];
  }

  /**
   * Checks the token with `GET /api/me`, through the SDK's `apiTokenSignin`.
   *
   * @throws AuthError `ERR_AUTH_TOKEN_REFUSED` or `ERR_AUTH_WORKSPACE`
   */
  async signIn(context: AuthContext): Promise<Credential> {
    const credential = await checkApiToken(this.#config, this.#config.apiToken as string, context);
    if (credential) return credential;
    const setting = settingName(this.#config, 'apiToken');
    throw refusedToken(this.#config, setting, 'set it, then start again', { httpStatus: 401 });
  }

  /** There is no other token to be had. */
  isRejected(): boolean {
    return false;
  }
}

/** Recorded: services behind the gateway answer a refused key with an empty 401, so nobody can say why. */
export function refusedToken(
  config: AuthConfig,
  setting: string,
  then: string,
  details: Omit<AuthErrorDetails, 'hint'>,
): AuthError {
  return new AuthError('ERR_AUTH_TOKEN_REFUSED', `The API token in ${setting} was refused (HTTP status 401).`, {
    hint: `It is one of: expired, revoked, mistyped, of another Qelos instance than ${settingName(config, 'url')}, or bound to a workspace that is gone; the server does not say which. Create a new token in Qelos and ${then}.`,
    ...details,
  });
}

export function notChecked(): AuthError {
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
  config: AuthConfig,
  token: string,
  context: AuthContext,
): Promise<Credential | undefined> {
  const { sdk, lastStatus, lastBody, remember } = signInSdk(config.url, context, 'sign-in');
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
  if (typeof user !== 'object' || user === null || !('_id' in user)) throw noSession('sign-in', context);
  const mismatch = workspaceMismatch(config, user['workspace'], 'API token');
  if (mismatch) throw mismatch;
  const credential = Credential.apiKey(token);
  keepWorkspace(credential, idOf(user['workspace']));
  return remember(credential, user);
}
