import { AuthError, type AuthStrategy, Credential } from '../../src';
import { writeConflict } from '../../src/strategies/oauth-refresh';
import type { World } from './world';

/** What the server did, in all. */
export interface ServerCounts {
  signIns: number;
  refreshes: number;
  /** Sign-ins and refreshes that lost against another write of the same user: answered 401. */
  conflicts: number;
}

/**
 * How long the auth service works on a request before it reads the user (one after the other), and from reading the user
 * to having saved it (side by side), in milliseconds. Chosen so that the counts of the conformance rows come out, which
 * `tests/simulate/fleet.test.ts` shows: of 10 sign-ins at once 1 to 5 succeed, of 50 1 to 23 (rows S17, S18); of 2 refreshes
 * of different sessions at once 1 fails, of 50 15 to 27.
 */
const SIGN_IN = { worksMs: 60, leastSaveMs: 80, mostSaveMs: 160 };
const REFRESH = { worksMs: 10, leastSaveMs: 11, mostSaveMs: 20 };
/** Up to so many stored sessions a sign-in is an append, which cannot conflict. */
const SESSIONS_APPENDED = 10;
/** What would have to wait longer than this, in milliseconds, is answered 503 at once: nobody queues up without end. */
const MOST_QUEUED_MS = 20_000;
/** One way over the network. */
const NETWORK_MS = 5;

/**
 * One user of a Qelos, as far as its sessions are concerned: saved with optimistic locking, so that of the writes that overlap
 * the first wins, and the others are refused though nothing is wrong with them.
 */
export class UserRecord {
  readonly counts: ServerCounts = { signIns: 0, refreshes: 0, conflicts: 0 };
  readonly #world: World;
  readonly #lifeMs: number;
  readonly #sessions = new Set<string>();
  #version = 0;
  #issued = 0;
  #isFreeAt = 0;

  constructor(world: World, lifeMs: number) {
    this.#world = world;
    this.#lifeMs = lifeMs;
  }

  get storedSessions(): number {
    return this.#sessions.size;
  }

  /** Signs in and refreshes here, with the errors that `oauth-refresh` makes of the answers. */
  readonly strategy: AuthStrategy = {
    name: 'simulated',
    missing: () => [],
    signIn: () => this.#request(() => this.#signIn()),
    refresh: (current) => this.#request(() => this.#refresh(current.refreshToken as string)),
  };

  async #request<T>(serve: () => Promise<T>): Promise<T> {
    await this.#world.pause(NETWORK_MS);
    try {
      return await serve();
    } finally {
      await this.#world.pause(NETWORK_MS);
    }
  }

  async #signIn(): Promise<Credential> {
    this.counts.signIns++;
    await this.#work(SIGN_IN.worksMs);
    const read = this.#version;
    const isAppended = this.#sessions.size < SESSIONS_APPENDED;
    await this.#world.pause(this.#world.between(SIGN_IN.leastSaveMs, SIGN_IN.mostSaveMs));
    if (!isAppended && this.#version !== read) return this.#conflict(writeConflict());
    return this.#issue();
  }

  async #refresh(token: string): Promise<Credential> {
    this.counts.refreshes++;
    await this.#work(REFRESH.worksMs);
    const read = this.#version;
    const isKnown = this.#sessions.has(token);
    await this.#world.pause(this.#world.between(REFRESH.leastSaveMs, REFRESH.mostSaveMs));
    if (!isKnown || this.#version !== read) return this.#conflict(refused());
    this.#sessions.delete(token);
    return this.#issue();
  }

  /** One request after the other, in the order in which they came. */
  #work(ms: number): Promise<void> {
    const { now } = this.#world;
    if (this.#isFreeAt - now > MOST_QUEUED_MS) return Promise.reject(overloaded());
    this.#isFreeAt = Math.max(this.#isFreeAt, now) + ms;
    return this.#world.pause(this.#isFreeAt - now);
  }

  #conflict(error: AuthError): never {
    this.counts.conflicts++;
    throw error;
  }

  #issue(): Credential {
    this.#version++;
    const token = String(this.#issued++);
    this.#sessions.add(token);
    const expiresAt = new Date(Date.now() + this.#lifeMs);
    return Credential.bearer(`access-${token}`, { refreshToken: token, expiresAt });
  }
}

function overloaded(): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', 'The sign-in was answered with HTTP status 503.', {
    hint: 'Too many at once.',
    httpStatus: 503,
    retryable: true,
  });
}

function refused(): AuthError {
  return new AuthError('ERR_AUTH_REFUSED', 'The refresh token was refused (HTTP status 401).', {
    hint: 'Another write of the same user was faster.',
    httpStatus: 401,
    retryable: true,
  });
}
