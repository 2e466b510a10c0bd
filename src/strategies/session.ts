import { createHash } from 'node:crypto';
import type { AuthConfig } from '../config';
import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { Credential, claimsOf } from '../contract/credential';
import { inject, injectable } from '../di';
import { AUTH_CONFIG } from '../tokens';
import { refreshSession } from './oauth-refresh';
import { workspaceMismatch } from './sign-in-sdk';

/** How often a configured refresh token is sent: the server answers spurious 401s and keeps the token. */
const MOST_TRIES = 3;

/**
 * Goes on with a session that exists already: an access token, a refresh token, or both. It refreshes the session and has
 * nothing to sign in with once that is refused. A Qelos refresh token is good for one refresh, so the configured one is spent
 * after the first: share a store to have its successor survive a restart.
 */
@injectable()
export class SessionStrategy implements AuthStrategy {
  readonly name = 'session';
  readonly #config: AuthConfig;
  #refusals = 0;

  constructor(@inject(AUTH_CONFIG) config: AuthConfig) {
    this.#config = config;
  }

  missing(): readonly string[] {
    return this.#config.accessToken || this.#config.refreshToken ? [] : ['QELOS_ACCESS_TOKEN or QELOS_REFRESH_TOKEN'];
  }

  /** Nobody knows whose it is. The successors of one session must not come back once another is configured. */
  account(): string {
    const { accessToken, refreshToken } = this.#config;
    return createHash('sha256')
      .update(`${refreshToken ?? accessToken}`)
      .digest('hex');
  }

  /**
   * Takes the configured session up, with a refresh if there is no access token or its claims say that it has ended.
   *
   * @param former - a credential of this session whose renewal was refused. Its refresh token is tried once more: an auth service
   *   that is being deployed refuses good ones, and the configured one is spent
   * @throws AuthError `ERR_AUTH_REFUSED` if the session is over, `ERR_AUTH_WORKSPACE`, `ERR_AUTH_BAD_RESPONSE` or
   *   `ERR_AUTH_UNAVAILABLE`
   */
  async signIn(context: AuthContext, former?: Credential): Promise<Credential> {
    const { accessToken, refreshToken } = former ? { refreshToken: former.refreshToken } : this.#config;
    if (accessToken !== undefined) {
      // It may be old: what is left of its life counts by the wall clock.
      const { expiresAt } = Credential.bearer(accessToken);
      if (!refreshToken) return this.#credential(accessToken);
      if (!(expiresAt && expiresAt.getTime() <= Date.now())) {
        return this.#credential(accessToken, refreshToken, expiresAt);
      }
    }
    if (refreshToken === undefined) throw this.#over(former);
    try {
      return await this.#refreshed(refreshToken, context);
    } catch (error) {
      if (!(error instanceof AuthError) || error.code !== 'ERR_AUTH_REFUSED') throw error;
      if (!former && ++this.#refusals < MOST_TRIES) throw refusedForNow();
      this.#refusals = 0;
      throw this.#over(former);
    }
  }

  /** @throws AuthError `ERR_AUTH_REFUSED` (retryable: the server refuses now and then a token that is good) */
  refresh(current: Credential, context: AuthContext): Promise<Credential> {
    return this.#refreshed(current.refreshToken, context);
  }

  async #refreshed(refreshToken: string | undefined, context: AuthContext): Promise<Credential> {
    const tokens = await refreshSession(this.#config.url, refreshToken, context);
    this.#refusals = 0;
    return this.#credential(tokens.accessToken, tokens.refreshToken);
  }

  /**
   * Recorded: a refreshed session has lost its workspace, at the latest the second time. Without refresh token it ends instead
   * of going on elsewhere.
   */
  #credential(accessToken: string, refreshToken?: string, expiresAt?: Date): Credential {
    const credential = Credential.bearer(accessToken, { refreshToken, expiresAt });
    const workspace = claimsOf(credential)?.['workspace'];
    const mismatch = workspaceMismatch(this.#config.workspace, workspace, 'session');
    if (mismatch) throw mismatch;
    return workspace && refreshToken ? Credential.bearer(accessToken) : credential;
  }

  /** @param former - what could not be renewed, if the session has been in use here */
  #over(former: Credential | undefined): AuthError {
    const { accessToken, refreshToken } = this.#config;
    const settings = [accessToken && 'QELOS_ACCESS_TOKEN', refreshToken && 'QELOS_REFRESH_TOKEN'].filter(Boolean);
    const why = refreshToken
      ? 'It has expired, was revoked, or is bound to a workspace, which no refresh keeps; or its refresh token was spent elsewhere: by another process, or by this one before a restart without a store.'
      : 'Its access token has expired or was revoked, and there is no QELOS_REFRESH_TOKEN to renew it with.';
    return new AuthError('ERR_AUTH_REFUSED', `The session of ${settings.join(' and ')} is over (HTTP status 401).`, {
      hint: `${why} Sign in, set the tokens of the new session, and start again; or set QELOS_API_TOKEN, which needs no renewal.`,
      httpStatus: 401,
      // An auth service that is being deployed refuses good tokens: what may still be one is tried again.
      retryable: former?.refreshToken !== undefined,
    });
  }
}

/** Sent again a moment later, as any refusal of a refresh is. */
function refusedForNow(): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', 'QELOS_REFRESH_TOKEN was refused (HTTP status 401), which may pass.', {
    hint: 'Qelos refuses good refresh tokens while others of the same user are renewed. Retried automatically.',
    httpStatus: 401,
    retryable: true,
  });
}
