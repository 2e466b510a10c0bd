import { randomBytes } from 'node:crypto';
import { type Accounts, type Membership, type Session, TENANT, type User } from './accounts';
import type { AuthServiceState } from './auth-service-state';
import { signToken, verifyToken } from './json-web-token';
import { serverNow, serverSeconds } from './server-clock';

/** What an access token says, in the order of a real one. Text is percent-encoded. There is no `jti`. */
export interface AccessClaims {
  readonly sub: string;
  readonly tenant: string;
  readonly username: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly roles: readonly string[];
  /** After a refresh only `_id` is left of it, and an empty name. */
  readonly workspace?: { _id: string; name: string; roles?: readonly string[]; labels?: readonly string[] } | undefined;
  readonly tokenIdentifier?: string;
  readonly iat: number;
  readonly exp: number;
}

interface RefreshClaims {
  readonly sub: string;
  readonly tenant: string;
  readonly workspace?: string | undefined;
  readonly tokenIdentifier: string;
  readonly iat: number;
  readonly exp: number;
}

export interface TokenPair {
  readonly token: string;
  readonly refreshToken: string;
}

/**
 * A sign-in lost against another write of the same user. The name is right and so is the password; the recorded answer
 * is `{"errors":{"general":{"version":163,"modifiedPaths":["lastLogin","tokens"]}}}` with status 401.
 */
export interface WriteConflict {
  readonly version: number;
  readonly modifiedPaths: readonly ['lastLogin', 'tokens'];
}

/**
 * How many writes of one kind overlap when many come at once, where the database takes no time. Chosen within the
 * recorded counts: of 10 parallel sign-ins 1 to 5 succeed, of 50 1 to 23 (one of three here); of 2 parallel refreshes
 * 1 fails, of 50 15 to 27 (one of two).
 */
const SIGN_INS_THAT_OVERLAP = 3;
const REFRESHES_THAT_OVERLAP = 2;

/**
 * Operations from reading a user to having saved it, where the database takes its time: whoever reads meanwhile loses.
 * Chosen so that with 300 ms an operation about one sign-in of a user is saved a second, as recorded.
 */
const OPERATIONS_OF_A_SIGN_IN = 3;
const OPERATIONS_OF_A_REFRESH = 1;

/** Up to so many sessions a sign-in is an append, which cannot conflict; beyond, the whole list is written back. */
const SESSIONS_APPENDED = 10;

/**
 * Hands out tokens and knows which are good.
 *
 * Access tokens are stateless: nothing but their signature and `exp` is checked, so they outlive a refresh, a logout
 * and their user, and two sign-ins of one user within one second give the same text. Refresh tokens and cookies stand
 * for a stored session.
 */
export class Sessions {
  readonly #accounts: Accounts;
  readonly #state: AuthServiceState;
  readonly #accessSeconds: number;
  readonly #refreshSeconds: number;
  #accessKey = randomBytes(32);
  readonly #refreshKey = randomBytes(32);
  readonly #cookieKey = randomBytes(32);

  constructor(
    accounts: Accounts,
    state: AuthServiceState,
    { accessSeconds, refreshSeconds }: { accessSeconds: number; refreshSeconds: number },
  ) {
    this.#accounts = accounts;
    this.#state = state;
    this.#accessSeconds = accessSeconds;
    this.#refreshSeconds = refreshSeconds;
  }

  /** How long a cookie lives, in seconds. */
  get cookieSeconds(): number {
    return this.#refreshSeconds;
  }

  async signIn(user: User, workspace: Membership | undefined): Promise<TokenPair | WriteConflict> {
    const conflict = await this.#append(user, workspace);
    return conflict ?? this.#issue(user, workspace, workspace?._id);
  }

  async signInWithCookie(user: User, workspace: Membership | undefined): Promise<string | WriteConflict> {
    const conflict = await this.#append(user, workspace);
    return conflict ?? this.issueCookie(user, workspace);
  }

  /** Waits for the turn of a sign-in and takes it, unless another writer was faster. */
  async #append(user: User, workspace: Membership | undefined): Promise<WriteConflict | undefined> {
    const read = user.version;
    const rewritten = user.sessions.size >= SESSIONS_APPENDED;
    await (this.#state.takeTime(OPERATIONS_OF_A_SIGN_IN) ?? user.window.overlap(SIGN_INS_THAT_OVERLAP));
    if (rewritten) {
      if (user.version !== read) return { version: read, modifiedPaths: ['lastLogin', 'tokens'] };
      for (const [identifier, session] of user.sessions) {
        if (session.expiresAt <= serverNow()) user.sessions.delete(identifier);
      }
    }
    // At once, in this turn: the writers that share the window come next and must see it.
    user.version += 1;
    user.lastWorkspace = workspace?._id;
    return undefined;
  }

  /**
   * The next pair, or undefined: for a token that is none, or used before, or expired, and just so when another write
   * of the same user was faster, or the database does not answer. In the last two cases the token is not consumed.
   */
  async refresh(refreshToken: string): Promise<(TokenPair & { user: User }) | undefined> {
    const claims = verifyToken<RefreshClaims>(refreshToken, this.#refreshKey, serverSeconds());
    if (claims === undefined || !(await this.#state.reachDatabase())) return undefined;
    const user = this.#accounts.user(claims.sub);
    if (user === undefined || !user.sessions.has(claims.tokenIdentifier)) return undefined;
    const read = user.version;
    await (this.#state.takeTime(OPERATIONS_OF_A_REFRESH) ?? user.window.overlap(REFRESHES_THAT_OVERLAP));
    if (user.version !== read) return undefined;
    user.version += 1;
    user.sessions.delete(claims.tokenIdentifier);
    // Recorded: the first refresh keeps no more than the workspace's id, and the new refresh token not even that.
    const workspace = claims.workspace === undefined ? undefined : { _id: claims.workspace, name: '' };
    return { ...this.#issue(user, workspace, undefined), user };
  }

  /** The claims of an access token that is good: nothing is looked up. */
  verifyAccess(token: string): AccessClaims | undefined {
    return verifyToken<AccessClaims>(token, this.#accessKey, serverSeconds());
  }

  /** The claims of a cookie whose session is still stored. */
  verifyCookie(cookie: string): AccessClaims | undefined {
    const claims = verifyToken<AccessClaims>(cookie, this.#cookieKey, serverSeconds());
    if (claims?.tokenIdentifier === undefined) return undefined;
    return this.#accounts.user(claims.sub)?.sessions.has(claims.tokenIdentifier) ? claims : undefined;
  }

  issueCookie(user: User, workspace: Membership | undefined): string {
    const tokenIdentifier = this.#store(user, { kind: 'cookie', expiresAt: serverNow() + this.#refreshSeconds * 1000 });
    return signToken({ ...this.#claims(user, workspace, this.#refreshSeconds), tokenIdentifier }, this.#cookieKey);
  }

  /** Ends the session that was signed in with this access token; of two with the same text, the older. */
  endByAccessToken(userId: string, accessToken: string): void {
    this.#end(userId, (_, session) => session.accessToken === accessToken);
  }

  endCookie({ sub, tokenIdentifier }: Pick<AccessClaims, 'sub' | 'tokenIdentifier'>): void {
    this.#end(sub, (identifier) => identifier === tokenIdentifier);
  }

  #end(userId: string, matches: (identifier: string, session: Session) => boolean): void {
    const user = this.#accounts.user(userId);
    if (user === undefined) return;
    for (const [identifier, session] of user.sessions) {
      if (!matches(identifier, session)) continue;
      user.sessions.delete(identifier);
      user.version += 1;
      return;
    }
  }

  /** Every refresh token and cookie of the user dies. Access tokens live on, as in the real server. */
  revoke(user: User): void {
    user.sessions.clear();
    user.version += 1;
  }

  /**
   * No access token handed out until now is accepted any more.
   *
   * Done by changing the key that signs them, as an operator would. Moving `exp` instead would have to tell a token
   * from one with the same text, issued in the same second but after the call. The answer is the same: the server does
   * not say whether a bearer has expired or was never good.
   */
  expireAccessTokens(): void {
    this.#accessKey = randomBytes(32);
  }

  #issue(user: User, workspace: AccessClaims['workspace'], refreshWorkspace: string | undefined): TokenPair {
    const token = signToken(this.#claims(user, workspace, this.#accessSeconds), this.#accessKey);
    const tokenIdentifier = this.#store(user, {
      kind: 'oauth',
      accessToken: token,
      expiresAt: serverNow() + this.#refreshSeconds * 1000,
    });
    const iat = serverSeconds();
    const claims: RefreshClaims = {
      sub: user._id,
      tenant: TENANT,
      tokenIdentifier,
      workspace: refreshWorkspace,
      iat,
      exp: iat + this.#refreshSeconds,
    };
    return { token, refreshToken: signToken(claims, this.#refreshKey) };
  }

  #store(user: User, session: Session): string {
    const tokenIdentifier = `${Math.floor(serverNow())}:${randomBytes(12).toString('base64')}`;
    user.sessions.set(tokenIdentifier, session);
    return tokenIdentifier;
  }

  #claims(user: User, workspace: AccessClaims['workspace'], seconds: number): AccessClaims {
    const iat = serverSeconds();
    return {
      sub: user._id,
      tenant: TENANT,
      username: user.username,
      email: user.email,
      firstName: encodeURIComponent(user.firstName),
      lastName: encodeURIComponent(user.lastName),
      roles: user.roles,
      workspace: workspace && { ...workspace, name: encodeURIComponent(workspace.name) },
      iat,
      exp: iat + seconds,
    };
  }
}
