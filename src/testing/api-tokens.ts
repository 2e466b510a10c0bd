import { createHash, randomBytes } from 'node:crypto';
import { type Accounts, type Membership, objectId, TENANT, type User } from './accounts';
import { serverNow } from './server-clock';

/** A token as the server stores and shows it. The token itself is shown once and kept only as its hash. */
export interface ApiToken {
  readonly tenant: string;
  readonly user: string;
  readonly workspace: string | null;
  readonly nickname: string;
  /** SHA-256 of the token. */
  readonly token: string;
  readonly tokenPrefix: string;
  readonly expiresAt: Date;
  lastUsedAt: Date | null;
  usageCount: number;
  readonly _id: string;
  readonly created: Date;
  readonly __v: number;
}

export interface NewApiToken {
  readonly nickname: string;
  readonly expiresAt: Date;
  readonly workspace?: string | null | undefined;
}

/** Whom a key stands for, as they were when it was looked up. */
export interface KeyHolder {
  readonly user: Readonly<Pick<User, '_id' | 'username' | 'email' | 'firstName' | 'lastName' | 'roles'>>;
  readonly workspace: Membership | undefined;
}

/** Recorded: so long the auth process answers to a key from memory, whatever becomes of its user meanwhile. */
const REMEMBERED_MS = 60 * 60 * 1000;

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The API tokens of all users, by their hash. */
export class ApiTokens {
  readonly #accounts: Accounts;
  readonly #byHash = new Map<string, ApiToken>();
  readonly #remembered = new Map<string, KeyHolder & { readonly until: number }>();

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  issue(user: User, { nickname, expiresAt, workspace }: NewApiToken): { token: string; apiToken: ApiToken } {
    const token = `ql_${randomBytes(32).toString('hex')}`;
    const apiToken: ApiToken = {
      tenant: TENANT,
      user: user._id,
      workspace: workspace ?? null,
      nickname,
      token: sha256(token),
      tokenPrefix: token.slice(0, 8),
      expiresAt,
      lastUsedAt: null,
      usageCount: 0,
      _id: objectId(),
      created: new Date(serverNow()),
      __v: 0,
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

  /** Whom a key stands for, as long as this process remembers; undefined if the database has to be asked. */
  recall(key: string): KeyHolder | undefined {
    const hash = sha256(key);
    const remembered = this.#remembered.get(hash);
    if (remembered === undefined || remembered.until <= serverNow()) return undefined;
    this.#countUse(this.#byHash.get(hash));
    return remembered;
  }

  /** Whom a key stands for. Undefined for a key of every other kind: the server does not say which. */
  lookUp(key: string): KeyHolder | undefined {
    const hash = sha256(key);
    const apiToken = this.#byHash.get(hash);
    if (apiToken === undefined || apiToken.expiresAt.getTime() <= serverNow()) return undefined;
    this.#countUse(apiToken);
    const user = this.#accounts.user(apiToken.user);
    if (user === undefined) return undefined;
    const workspace = apiToken.workspace === null ? undefined : this.#accounts.membership(user._id, apiToken.workspace);
    if (apiToken.workspace !== null && workspace === undefined) return undefined;
    const { _id, username, email, firstName, lastName, roles } = user;
    const holder = { user: { _id, username, email, firstName, lastName, roles }, workspace };
    this.#remembered.set(hash, {
      ...holder,
      until: Math.min(serverNow() + REMEMBERED_MS, apiToken.expiresAt.getTime()),
    });
    return holder;
  }

  #countUse(apiToken: ApiToken | undefined): void {
    if (apiToken === undefined) return;
    apiToken.lastUsedAt = new Date(serverNow());
    apiToken.usageCount += 1;
  }

  /** As in a process that has just started. */
  forgetUses(): void {
    this.#remembered.clear();
  }

  /** True if the user had such a token. */
  delete(userId: string, id: string): boolean {
    const found = this.list(userId).find(({ _id }) => _id === id);
    return found !== undefined && this.#delete(found.token);
  }

  /** Dies at once, as on the process of a real Qelos that revokes it; others may serve a key for up to an hour more. */
  revoke(token: string): void {
    this.#delete(sha256(token));
  }

  #delete(hash: string): boolean {
    this.#remembered.delete(hash);
    return this.#byHash.delete(hash);
  }
}
