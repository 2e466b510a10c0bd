import type { AuthConfig } from '../config';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { Credential } from '../contract/credential';
import { inject, injectable } from '../di';
import { AUTH_CONFIG } from '../tokens';
import { noSession, signInSdk, workspaceMismatch } from './sign-in-sdk';

/**
 * Signs in with user name and password, then refreshes. A Qelos refresh token is good for one refresh; the answer brings
 * the next one.
 */
@injectable()
export class OAuthRefreshStrategy implements AuthStrategy {
  readonly name = 'oauth-refresh';
  readonly #config: AuthConfig;

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    const { username, password } = this.#config;
    return [...(username ? [] : ['QELOS_USERNAME']), ...(password ? [] : ['QELOS_PASSWORD'])];
  }

  /** @throws AuthError `ERR_AUTH_REFUSED`, `ERR_AUTH_WORKSPACE`, `ERR_AUTH_BAD_RESPONSE` or `ERR_AUTH_UNAVAILABLE` */
  async signIn(context: AuthContext): Promise<Credential> {
    const { username = '', password = '', workspace } = this.#config;
    const { sdk, lastStatus, lastBody } = signInSdk(this.#config.url, context, 'sign-in');
    try {
      const answer = await sdk.authentication.oAuthSignin({ username, password, ...(workspace && { workspace }) });
      const payload = answer.payload as typeof answer.payload & { workspace?: { _id?: string } };
      const mismatch = workspaceMismatch(workspace, payload.workspace, 'session');
      if (mismatch) throw mismatch;
      // Recorded: a refreshed session has lost its workspace. Without refresh token it is signed in again instead.
      const refreshToken = payload.workspace ? undefined : payload.refreshToken;
      return Credential.bearer(payload.token, { refreshToken });
    } catch (error) {
      if (lastStatus() === 401) throw isWriteConflict(lastBody()) ? writeConflict() : refusedPassword();
      throw isMissingPayload(error) ? noSession('sign-in') : error;
    }
  }

  /** @throws AuthError `ERR_AUTH_REFUSED` (retryable: the server refuses now and then a token that is good) */
  async refresh(current: Credential, context: AuthContext): Promise<Credential> {
    const { sdk, lastStatus } = signInSdk(this.#config.url, context, 'refresh');
    try {
      const { payload } = await sdk.authentication.refreshToken(current.refreshToken);
      return Credential.bearer(payload.token, { refreshToken: payload.refreshToken });
    } catch (error) {
      if (lastStatus() === 401) throw refusedRefresh();
      throw isMissingPayload(error) ? noSession('refresh') : error;
    }
  }
}

/** The SDK takes tokens out of whatever was answered; a network fault is a TypeError too, but with a cause. */
function isMissingPayload(error: unknown): boolean {
  return error instanceof TypeError && error.cause === undefined;
}

/**
 * Recorded: a right password is answered like this while another sign-in or refresh of the same user is being saved;
 * sent again a little later it succeeds.
 */
export function isWriteConflict(body: unknown): boolean {
  const general = (body as { errors?: { general?: unknown } } | undefined)?.errors?.general;
  return typeof general === 'object' && general !== null && 'version' in general;
}

/** What such an answer is for its caller. */
export function writeConflict(): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', 'The sign-in was answered with a write conflict (HTTP status 401).', {
    hint: 'Other processes were signing in as the same user. It is tried again by itself; a user of its own for each plugin avoids it.',
    status: 401,
    retryable: true,
  });
}

function refusedPassword(): AuthError {
  return new AuthError('ERR_AUTH_REFUSED', 'QELOS_USERNAME and QELOS_PASSWORD were refused (HTTP status 401).', {
    hint: 'One of: a wrong password, an unknown user, other upper and lower case in the user name; the server does not say which. Try them in the Qelos log-in page of QELOS_URL. To spare the account, the next try waits.',
    status: 401,
  });
}

function refusedRefresh(): AuthError {
  return new AuthError('ERR_AUTH_REFUSED', 'The refresh token was refused (HTTP status 401).', {
    hint: 'The session was used, revoked or has ended; signing in again follows by itself.',
    status: 401,
    retryable: true,
  });
}
