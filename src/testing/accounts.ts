import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { serverSeconds } from './server-clock';
import { WriteWindow } from './write-window';

/** The one tenant. The cookie of a session is named after it. */
export const TENANT = '0';

/** Roles that Qelos calls privileged: `GET /api/users` is for them. */
const PRIVILEGED_ROLES: readonly string[] = ['admin'];

export const isPrivileged = (roles: readonly string[]): boolean =>
  roles.some((role) => PRIVILEGED_ROLES.includes(role));

export interface Workspace {
  readonly _id: string;
  readonly name: string;
  readonly labels: readonly string[];
  /** Roles by user id. */
  readonly members: Map<string, readonly string[]>;
}

/** A workspace as one of its members has it: in sign-in's answer, in the token and in `GET /api/me`. */
export interface Membership {
  readonly _id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly labels: readonly string[];
}

/** A stored session: what makes a refresh token or a cookie good. */
export interface Session {
  readonly kind: 'oauth' | 'cookie';
  /** The access token handed out with it, by which a logout finds it. */
  readonly accessToken?: string;
  readonly expiresAt: number;
}

export interface User {
  readonly _id: string;
  readonly username: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly roles: readonly string[];
  readonly salt: Buffer;
  readonly passwordHash: Buffer;
  /** By token identifier. Never capped: every sign-in adds one, as recorded from a real Qelos. */
  readonly sessions: Map<string, Session>;
  readonly window: WriteWindow;
  /** Goes up with every write. A writer that read an older one has lost. */
  version: number;
}

export interface NewUser {
  readonly username: string;
  readonly password: string;
  readonly roles?: readonly string[] | undefined;
  readonly firstName?: string | undefined;
  readonly lastName?: string | undefined;
}

/** 24 hex characters that begin with the time, like the database's. */
export function objectId(): string {
  return serverSeconds().toString(16).padStart(8, '0') + randomBytes(8).toString('hex');
}

/**
 * A salted SHA-256. The real one is bcrypt, which makes a sign-in cost 100-200 ms; that is deliberately not imitated,
 * because every test that signs in would wait for it.
 */
function hash(password: string, salt: Buffer): Buffer {
  return createHash('sha256').update(salt).update(password).digest();
}

/** The users and the workspaces. */
export class Accounts {
  readonly #users = new Map<string, User>();
  readonly #workspaces = new Map<string, Workspace>();

  addUser({ username, password, roles, firstName, lastName }: NewUser): User {
    if (this.userNamed(username) !== undefined) throw new Error(`there is a user "${username}" already`);
    const salt = randomBytes(16);
    const user: User = {
      _id: objectId(),
      username,
      email: username.includes('@') ? username : `${username}@null`,
      firstName: firstName ?? username,
      lastName: lastName ?? 'Qelos',
      roles: roles === undefined || roles.length === 0 ? ['user'] : roles,
      salt,
      passwordHash: hash(password.trim(), salt),
      sessions: new Map(),
      window: new WriteWindow(),
      version: 0,
    };
    this.#users.set(user._id, user);
    return user;
  }

  removeUser(id: string): void {
    this.#users.delete(id);
  }

  user(id: string): User | undefined {
    return this.#users.get(id);
  }

  /** By the exact name: other letter case is another name. */
  userNamed(username: string): User | undefined {
    for (const user of this.#users.values()) if (user.username === username) return user;
    return undefined;
  }

  users(): User[] {
    return [...this.#users.values()];
  }

  /** Blanks around the password are trimmed, as by the real server. */
  passwordMatches(user: User, password: string): boolean {
    return timingSafeEqual(hash(password.trim(), user.salt), user.passwordHash);
  }

  addWorkspace(workspace: {
    _id?: string | undefined;
    name: string;
    labels?: readonly string[] | undefined;
  }): Workspace {
    const added = {
      _id: workspace._id ?? objectId(),
      name: workspace.name,
      labels: workspace.labels ?? [],
      members: new Map<string, readonly string[]>(),
    };
    this.#workspaces.set(added._id, added);
    return added;
  }

  removeWorkspace(id: string): void {
    this.#workspaces.delete(id);
  }

  workspace(id: string): Workspace | undefined {
    return this.#workspaces.get(id);
  }

  workspaces(): Workspace[] {
    return [...this.#workspaces.values()];
  }

  /** The workspace a user has asked for, or the first of the user's; undefined if the user is no member. */
  membership(userId: string, workspaceId?: string): Membership | undefined {
    for (const { _id, name, labels, members } of this.#workspaces.values()) {
      const roles = members.get(userId);
      if (roles !== undefined && (workspaceId === undefined || workspaceId === _id))
        return { _id, name, roles, labels };
    }
    return undefined;
  }
}
