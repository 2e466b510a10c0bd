import type { AxiosAdapter } from 'axios';
import { registerQelosAuth } from '../container';
import type { AuthStrategy } from '../contract/auth-strategy';
import { Credential } from '../contract/credential';
import { containerWith, type DependencyContainer } from '../di';
import { axiosOf } from '../http/axios';
import { QelosAuth } from '../qelos-auth';
import type { IUser } from '../sdk/qelos-sdk.types';

/**
 * A strategy that signs in with a fixed API token and sends nothing to do so: for tests that mock the API.
 *
 * @param token - what requests carry as `x-api-key`
 */
export function staticStrategy(token = 'ql_test'): AuthStrategy {
  return { name: 'static', missing: () => [], signIn: async () => Credential.apiKey(token) };
}

/** How `mockQelosAuth` sets it up. */
export interface MockQelosAuthOptions {
  /** Base URL; `https://qelos.test` if left out. Nothing is ever sent there. */
  readonly url?: string | undefined;
  /** What requests carry as `x-api-key`; `ql_test` if left out. */
  readonly token?: string | undefined;
  /** Answered to `GET /api/me`, and so by `signIn()`. An admin named `test` if left out; what is given is added to that. */
  readonly user?: Partial<IUser> | undefined;
  /** A tsyringe container to register everything in, as `registerQelosAuth` does. A child of the global one if left out. */
  readonly container?: DependencyContainer | undefined;
}

/**
 * A `QelosAuth` for tests without a server: it signs in with a fixed token, answers `GET /api/me`, and sends nothing. Any other
 * request fails and names itself, until the test answers it: with `axios-mock-adapter` on `auth.http`, or an adapter of its own.
 *
 * @example
 * ```ts
 * const auth = mockQelosAuth();
 * new MockAdapter(auth.http, { onNoMatch: 'passthrough' }).onGet('/api/blocks').reply(200, []);
 * await auth.sdk.blocks.getList(); // []
 * ```
 */
export function mockQelosAuth({ url, token, user, container }: MockQelosAuthOptions = {}): QelosAuth {
  const home = container ?? containerWith([]);
  registerQelosAuth(home, {
    config: { url: url ?? 'https://qelos.test', strategy: 'static' },
    env: {},
    strategies: [staticStrategy(token)],
    axios: { adapter: adapterThatKnows({ ...TEST_USER, ...user }) },
  });
  return home.resolve(QelosAuth);
}

const TEST_USER = { _id: '000000000000000000000001', username: 'test', firstName: 'Test', roles: ['admin'] };

/** Answers who is calling; everything else is a test's to answer. */
function adapterThatKnows(user: object): AxiosAdapter {
  return async (config) => {
    const method = (config.method ?? 'get').toUpperCase();
    const { pathname } = new URL(axiosOf(config).getUri(config));
    if (method !== 'GET' || !pathname.endsWith('/api/me')) {
      throw new Error(
        `Nothing in this test answers ${method} ${pathname}, and mockQelosAuth() sends no request. ` +
          'Mock it on auth.http, or use startQelosServer() for an API that answers as Qelos does.',
      );
    }
    const headers = { 'content-type': 'application/json' };
    return { status: 200, statusText: 'OK', headers, data: JSON.stringify(user), config };
  };
}
