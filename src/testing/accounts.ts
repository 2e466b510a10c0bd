import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { serverNow, serverSeconds } from './server-clock';
import { WriteWindow } from './write-window';

/** The one tenant. The cookie of a session is named after it. */
export const TENANT = '0';

/** Roles that Qelos calls privileged: `GET /api/users` is for them. */
const PRIVILEGED_ROLES: readonly string[] = ['admin'];

export const isPrivileged = (roles: readonly string[]): boolean =>
  roles.some((role) => PRIVILEGED_ROLES.includes(role));

/** A member as the database keeps it. */
export interface Member {
  readonly user: string;
  readonly roles: readonly string[];
  readonly _id: string;
  readonly created: Date;
}

/** An invitation that was not answered yet. */
export interface Invite {
  readonly email: string;
  readonly name?: string;
  readonly roles: readonly string[];
  readonly _id: string;
  readonly created: Date;
}

export interface Workspace {
  readonly _id: string;
  readonly created: Date;
  name: string;
  labels: readonly string[];
  members: readonly Member[];
  invites: readonly Invite[];
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
  username: string;
  readonly email: string;
  firstName: string;
  lastName: string;
  roles: readonly string[];
  metadata: object;
  internalMetadata: object;
  passwordHash: Buffer;
  readonly salt: Buffer;
  /** Where the last sign-in landed: the next one that names no workspace goes there. */
  lastWorkspace: string | undefined;
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

/** Whether the database takes it for an identifier. What is none makes it fail, instead of finding nothing. */
export const isObjectId = (id: string): boolean => /^[0-9a-f]{24}$/i.test(id);

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
      metadata: {},
      internalMetadata: {},
      salt,
      passwordHash: hash(password.trim(), salt),
      lastWorkspace: undefined,
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

  /** Sessions live on, as recorded: a new password ends neither refresh tokens nor access tokens. */
  setPassword(user: User, password: string): void {
    user.passwordHash = hash(password.trim(), user.salt);
    user.version += 1;
  }

  addWorkspace(workspace: {
    _id?: string | undefined;
    name: string;
    labels?: readonly string[] | undefined;
  }): Workspace {
    const added: Workspace = {
      _id: workspace._id ?? objectId(),
      name: workspace.name,
      labels: workspace.labels ?? [],
      members: [],
      invites: [],
      created: new Date(serverNow()),
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

  /** The workspace of this id, or the first of the user's; undefined if the user is no member. */
  membership(userId: string, workspaceId?: string): Membership | undefined {
    for (const workspace of this.#workspaces.values()) {
      if (workspaceId !== undefined && workspaceId !== workspace._id) continue;
      const member = memberOf(workspace, userId);
      const { _id, name, labels } = workspace;
      if (member !== undefined) return { _id, name, roles: member.roles, labels };
    }
    return undefined;
  }
}

export const memberOf = ({ members }: Workspace, userId: string): Member | undefined =>
  members.find(({ user }) => user === userId);

export function addMember(workspace: Workspace, user: string, roles: readonly string[]): void {
  const added: Member = { user, roles, _id: objectId(), created: new Date(serverNow()) };
  workspace.members = [...workspace.members.filter((member) => member.user !== user), added];
}
