import type { AuthConfig } from '../config';
import { Credential, claimsOf } from '../credentials/credential';
import { inject, injectable } from '../di';
import { AuthError } from '../errors';
import { noSession, signInSdk, workspaceMismatch } from '../sdk/sign-in-sdk';
import { AUTH_CONFIG } from '../tokens';
import type { AuthContext, AuthStrategy } from './auth-strategy';

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

  /**
   * Signs in; again in the workspace that the former session had. Recorded: the server puts a member who names none into that of
   * his last log-in, so that a plugin would move whenever somebody signs the same user in elsewhere.
   *
   * @throws AuthError `ERR_AUTH_REFUSED` (retryable if the same password has worked before: recorded, an auth service that is
   *   being deployed refuses right ones), `ERR_AUTH_WORKSPACE`, `ERR_AUTH_BAD_RESPONSE` or `ERR_AUTH_UNAVAILABLE`
   */
  async signIn(context: AuthContext, former?: Credential): Promise<Credential> {
    const { username = '', password = '' } = this.#config;
    const kept = former && sessionOf(former);
    const workspace = this.#config.workspace ?? kept?.workspace ?? undefined;
    const { sdk, lastStatus, lastBody } = signInSdk(this.#config.url, context, 'sign-in');
    try {
      const answer = await sdk.authentication.oAuthSignin({ username, password, ...(workspace && { workspace }) });
      const payload = answer.payload as typeof answer.payload & { workspace?: { _id?: string } };
      const mismatch =
        workspaceMismatch(this.#config.workspace, payload.workspace, 'session') ?? hasMoved(kept, payload.workspace);
      if (mismatch) throw mismatch;
      // Recorded: a refreshed session has lost its workspace. Without refresh token it is signed in again instead.
      const refreshToken = payload.workspace ? undefined : payload.refreshToken;
      const credential = Credential.bearer(payload.token, { refreshToken });
      sessions.set(credential, { username, password, workspace: idOf(payload.workspace) });
      return credential;
    } catch (error) {
      if (lastStatus() === 401) {
        if (isWriteConflict(lastBody())) throw writeConflict();
        throw refusedPassword(kept?.username === username && kept.password === password);
      }
      throw isMissingPayload(error) ? noSession('sign-in') : error;
    }
  }

  /** @throws AuthError `ERR_AUTH_REFUSED` (retryable: the server refuses now and then a token that is good) */
  async refresh(current: Credential, context: AuthContext): Promise<Credential> {
    const { sdk, lastStatus } = signInSdk(this.#config.url, context, 'refresh');
    try {
      const { payload } = await sdk.authentication.refreshToken(current.refreshToken);
      // An answer without a refresh token leaves the old one in force (RFC 6749, 6).
      const refreshToken = payload.refreshToken ?? current.refreshToken;
      const credential = Credential.bearer(payload.token, { refreshToken });
      const session = sessionOf(current);
      if (session) sessions.set(credential, session);
      return credential;
    } catch (error) {
      if (lastStatus() === 401) throw refusedRefresh();
      throw isMissingPayload(error) ? noSession('refresh') : error;
    }
  }
}

/** What is known of the session behind a credential. */
interface Session {
  /** Identifier of its workspace; undefined if it has none. */
  readonly workspace: string | undefined;
  /** What it was signed in with, if that was here. */
  readonly username?: string;
  readonly password?: string;
}

const sessions = new WeakMap<Credential, Session>();

/** The session behind a credential; of one that another process has obtained, its token's claims tell the workspace. */
function sessionOf(credential: Credential): Session | undefined {
  const known = sessions.get(credential);
  if (known) return known;
  const claims = claimsOf(credential);
  return claims && { workspace: idOf(claims['workspace']) };
}

function idOf(workspace: unknown): string | undefined {
  if (typeof workspace === 'string') return workspace;
  return typeof workspace === 'object' && workspace !== null && '_id' in workspace ? String(workspace._id) : undefined;
}

/** Why a session is not that which it takes the place of: another workspace has other data, and nobody has asked for it. */
function hasMoved(former: Session | undefined, workspace: unknown): AuthError | undefined {
  const id = idOf(workspace);
  if (!former || former.workspace === id) return undefined;
  const named = (of: string | undefined) => (of === undefined ? 'no workspace' : `the workspace ${of}`);
  const text = `The session is bound to ${named(id)}, not to that of the session before (${named(former.workspace)}).`;
  return new AuthError('ERR_AUTH_WORKSPACE', text, {
    hint: 'The user was added to a workspace, or removed from it, while this was running. Set QELOS_WORKSPACE to the one that is meant, or start again to go on in the new one.',
  });
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
    hint: 'Other processes were signing in as the same user. Retried automatically; a user of its own for each plugin avoids it.',
    status: 401,
    retryable: true,
  });
}

/** @param hasWorked - whether the very same have been accepted before */
function refusedPassword(hasWorked: boolean): AuthError {
  const text = 'QELOS_USERNAME and QELOS_PASSWORD were refused (HTTP status 401).';
  if (hasWorked) {
    return new AuthError('ERR_AUTH_REFUSED', text, {
      hint: 'They have worked before. Either the auth service is being deployed, and refuses right ones meanwhile, or the password was changed or the user removed since: try them in the Qelos log-in page of QELOS_URL. Retried automatically, less and less often.',
      status: 401,
      retryable: true,
    });
  }
  return new AuthError('ERR_AUTH_REFUSED', text, {
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
