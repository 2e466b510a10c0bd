import type { AuthConfig } from '../config';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { Credential, claimsOf } from '../contract/credential';
import { idOf, keepWorkspace, workspaceOf } from '../credentials/workspace';
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

  account(): string {
    const { username, workspace } = this.#config;
    return JSON.stringify([username, workspace]);
  }

  /**
   * Signs in; again in the workspace that the former session had. Recorded: the server puts a member who names none into that of
   * his last log-in, so that a plugin would move whenever somebody signs the same user in elsewhere.
   *
   * @throws AuthError `ERR_AUTH_REFUSED` (retryable if the same password has worked before: recorded, an auth service that is
   *   being deployed refuses right ones), `ERR_AUTH_WORKSPACE`, `ERR_AUTH_BAD_RESPONSE` or `ERR_AUTH_UNAVAILABLE`
   */
  async signIn(context: AuthContext, former?: Credential): Promise<Credential> {
    const { username = '', password = '', workspace: wanted } = this.#config;
    const before = former && this.#sessionOf(former);
    const workspace = wanted ?? before?.workspace;
    const { sdk, lastStatus, lastBody, isMissingPayload } = signInSdk(this.#config.url, context, 'sign-in');
    try {
      const answer = await sdk.authentication.oAuthSignin({ username, password, ...(workspace && { workspace }) });
      const payload = answer.payload as typeof answer.payload & { workspace?: { _id?: string } };
      const got = idOf(payload.workspace);
      const mismatch = wanted
        ? workspaceMismatch(wanted, payload.workspace, 'session')
        : before && hasMoved(before, got);
      if (mismatch) throw mismatch;
      // Recorded: a refreshed session has lost its workspace. Without refresh token it is signed in again instead.
      const refreshToken = payload.workspace ? undefined : payload.refreshToken;
      const credential = Credential.bearer(payload.token, { refreshToken });
      sources.set(credential, this.#config);
      keepWorkspace(credential, got);
      return credential;
    } catch (error) {
      if (lastStatus() === 401) {
        if (isWriteConflict(lastBody())) throw writeConflict();
        const source = former && sources.get(former);
        throw refusedPassword(source?.username === username && source.password === password);
      }
      throw isMissingPayload(error) ? noSession('sign-in') : error;
    }
  }

  /** @throws AuthError `ERR_AUTH_REFUSED` (retryable: the server refuses now and then a token that is good) */
  async refresh(current: Credential, context: AuthContext): Promise<Credential> {
    const { accessToken, refreshToken } = await refreshSession(this.#config.url, current.refreshToken, context);
    const credential = Credential.bearer(accessToken, { refreshToken });
    sources.set(credential, this.#config);
    keepWorkspace(credential, workspaceOf(current));
    return credential;
  }

  /**
   * What is known of a session that another one takes the place of; undefined if it was another user's (the settings of a tenant
   * may change), or if nobody here has seen it and its token does not say.
   */
  #sessionOf(former: Credential): { readonly workspace: string | undefined } | undefined {
    const source = sources.get(former);
    const isKnown = source ? source.username === this.#config.username : claimsOf(former) !== undefined;
    return isKnown ? { workspace: workspaceOf(former) } : undefined;
  }
}

/**
 * The next tokens of a session.
 *
 * @throws AuthError `ERR_AUTH_REFUSED` (retryable: the server refuses now and then a token that is good),
 *   `ERR_AUTH_BAD_RESPONSE` or `ERR_AUTH_UNAVAILABLE`
 */
export async function refreshSession(
  url: string,
  refreshToken: string | undefined,
  context: AuthContext,
): Promise<{ readonly accessToken: string; readonly refreshToken: string | undefined }> {
  const { sdk, lastStatus, isMissingPayload } = signInSdk(url, context, 'refresh');
  try {
    const { payload } = await sdk.authentication.refreshToken(refreshToken);
    // An answer without a refresh token leaves the old one in force (RFC 6749, 6).
    return { accessToken: payload.token, refreshToken: payload.refreshToken ?? refreshToken };
  } catch (error) {
    if (lastStatus() === 401) throw refusedRefresh();
    throw isMissingPayload(error) ? noSession('refresh') : error;
  }
}

/** What the session behind a credential was signed in with, if that was here. */
const sources = new WeakMap<Credential, AuthConfig>();

/** Why a session is not that which it takes the place of: another workspace has other data, and nobody has asked for it. */
function hasMoved(before: { readonly workspace: string | undefined }, id: string | undefined): AuthError | undefined {
  if (before.workspace === id) return undefined;
  const named = (of: string | undefined) => (of === undefined ? 'no workspace' : `the workspace ${of}`);
  const text = `The session is bound to ${named(id)}, not to that of the session before (${named(before.workspace)}).`;
  return new AuthError('ERR_AUTH_WORKSPACE', text, {
    hint: 'The user was added to a workspace, or removed from it, while this was running. Set QELOS_WORKSPACE to the one that is meant, or start again to go on in the new one.',
  });
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
    hint: 'Other processes were signing in as the same user. Retried automatically; a user of its own for each plugin avoids it.',
    httpStatus: 401,
    retryable: true,
  });
}

/** @param hasWorked - whether the very same have been accepted before */
function refusedPassword(hasWorked: boolean): AuthError {
  const text = 'QELOS_USERNAME and QELOS_PASSWORD were refused (HTTP status 401).';
  if (hasWorked) {
    return new AuthError('ERR_AUTH_REFUSED', text, {
      hint: 'They have worked before. Either the auth service is being deployed, and refuses right ones meanwhile, or the password was changed or the user removed since: try them in the Qelos log-in page of QELOS_URL. Retried automatically, less and less often.',
      httpStatus: 401,
      retryable: true,
    });
  }
  return new AuthError('ERR_AUTH_REFUSED', text, {
    hint: 'One of: a wrong password, an unknown user, other upper and lower case in the user name; the server does not say which. Try them in the Qelos log-in page of QELOS_URL. To spare the account, the next try waits.',
    httpStatus: 401,
  });
}

function refusedRefresh(): AuthError {
  return new AuthError('ERR_AUTH_REFUSED', 'The refresh token was refused (HTTP status 401).', {
    hint: 'The session was used, revoked or has ended. Where there is something to sign in with, that follows automatically.',
    httpStatus: 401,
    retryable: true,
  });
}
