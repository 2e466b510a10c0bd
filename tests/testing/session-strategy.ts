import { type AuthContext, type AuthStrategy, Credential } from '../../src';
import type { QelosServer, StrategyUnderTest } from '../../src/testing';

interface Session {
  payload: { token: string; refreshToken: string };
}

/** A strategy as it should be: sessions of Qelos, without the SDK. */
export class SessionStrategy implements AuthStrategy {
  readonly name = 'plain-session';
  readonly #username: string;
  readonly #password: string;

  constructor({ username = '', password = '' }: { username?: string; password?: string }) {
    this.#username = username;
    this.#password = password;
  }

  missing(): readonly string[] {
    return [...(this.#username ? [] : ['SESSION_USERNAME']), ...(this.#password ? [] : ['SESSION_PASSWORD'])];
  }

  async signIn({ http }: AuthContext): Promise<Credential> {
    const body = { username: this.#username, password: this.#password, authType: 'oauth' };
    const { data } = await http.post<Session>('/api/signin', body);
    return Credential.bearer(data.payload.token, data.payload);
  }

  async refresh(current: Credential, { http }: AuthContext): Promise<Credential> {
    const headers = { authorization: `Bearer ${current.refreshToken}` };
    const { data } = await http.post<Session>('/api/token/refresh', undefined, { headers });
    return Credential.bearer(data.payload.token, data.payload);
  }
}

/** A strategy that signs in at `server` with the password of its first user, and what can be done to it. */
export function underTest(
  server: QelosServer,
  make: (user: { username?: string; password?: string }) => AuthStrategy = (user) => new SessionStrategy(user),
): StrategyUnderTest {
  const [{ username, password } = { username: '', password: '' }] = server.users;
  const both = ['/api/signin', '/api/token/refresh'];
  return {
    strategy: make({ username, password }),
    unconfigured: make({}),
    secrets: [password],
    refuse() {
      for (const path of both) server.fail(path, { status: 401 });
    },
    hang() {
      for (const path of both) server.fail(path, 'hang');
    },
  };
}
