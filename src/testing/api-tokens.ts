import { createHash, randomBytes } from 'node:crypto';
import { type Accounts, type Membership, objectId, TENANT, type User } from './accounts';
import { serverNow } from './server-clock';

/** A token as the server stores and shows it. The token itself is shown once and kept only as its hash. */
export interface ApiToken {
  readonly _id: string;
  readonly tenant: string;
  readonly user: string;
  readonly workspace: string | null;
  readonly nickname: string;
  readonly tokenPrefix: string;
  readonly expiresAt: Date;
  lastUsedAt: Date | null;
  usageCount: number;
  readonly created: Date;
  /** SHA-256 of the token. */
  readonly token: string;
}

export interface NewApiToken {
  readonly nickname: string;
  readonly expiresAt: Date;
  readonly workspace?: string | null | undefined;
}

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The API tokens of all users, by their hash. */
export class ApiTokens {
  readonly #accounts: Accounts;
  readonly #byHash = new Map<string, ApiToken>();

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  issue(user: User, { nickname, expiresAt, workspace }: NewApiToken): { token: string; apiToken: ApiToken } {
    const token = `ql_${randomBytes(32).toString('hex')}`;
    const apiToken: ApiToken = {
      _id: objectId(),
      tenant: TENANT,
      user: user._id,
      workspace: workspace ?? null,
      nickname,
      tokenPrefix: token.slice(0, 8),
      expiresAt,
      lastUsedAt: null,
      usageCount: 0,
      created: new Date(serverNow()),
      token: sha256(token),
    };
    this.#byHash.set(apiToken.token, apiToken);
    return { token, apiToken };
  }

  /** Those of one user that have not expired, newest first. */
  list(userId: string): ApiToken[] {
    return [...this.#byHash.values()]
      .filter(({ user, expiresAt }) => user === userId && expiresAt.getTime() > serverNow())
      .reverse();
  }

  /** The user a key stands for. Undefined for a key of every other kind: the server does not say which. */
  use(key: string): { user: User; workspace: Membership | undefined } | undefined {
    const apiToken = this.#byHash.get(sha256(key));
    if (apiToken === undefined || apiToken.expiresAt.getTime() <= serverNow()) return undefined;
    const user = this.#accounts.user(apiToken.user);
    if (user === undefined) return undefined;
    const workspace = apiToken.workspace === null ? undefined : this.#accounts.membership(user._id, apiToken.workspace);
    if (apiToken.workspace !== null && workspace === undefined) return undefined;
    apiToken.lastUsedAt = new Date(serverNow());
    apiToken.usageCount += 1;
    return { user, workspace };
  }

  /** True if the user had such a token. */
  delete(userId: string, id: string): boolean {
    const found = this.list(userId).find(({ _id }) => _id === id);
    return found !== undefined && this.#byHash.delete(found.token);
  }

  /** Dies at once, as on the process of a real Qelos that revokes it; others may serve a key for up to an hour more. */
  revoke(token: string): void {
    this.#byHash.delete(sha256(token));
  }
}
