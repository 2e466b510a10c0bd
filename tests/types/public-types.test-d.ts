// What the declarations promise to those who build on them. Nothing here runs: `npm run typecheck` is the test.

import * as nodeRunner from 'node:test';
import * as jestRunner from '@jest/globals';
import type { AxiosInstance } from 'axios';
import { expectTypeOf } from 'expect-type';
import {
  type ApiAnswer,
  AUTH_CONFIG,
  AUTH_STRATEGY,
  type AuthConfig,
  type AuthContext,
  type AuthErrorCode,
  type AuthErrorDetails,
  type AuthEvents,
  type AuthStrategy,
  apiRefusal,
  CREDENTIAL_STORE,
  Credential,
  type CredentialOptions,
  type CredentialStore,
  createQelosAuth,
  type DiagnoseOptions,
  isAuthError,
  type OutgoingRequest,
  QELOS_HTTP,
  QELOS_SDK,
  type QelosAdministratorSDK,
  QelosAuth,
  type QelosAuthOptions,
  type QelosSdk,
  registerQelosAuth,
  StrategyResolver,
  type TenantAuthOptions,
  type TenantConfig,
} from 'qelos-auth';
import type { RedisCredentialStoreOptions } from 'qelos-auth/redis';
import {
  type AuthStrategyServer,
  type AuthStrategySuite,
  describeAuthStrategy,
  type MockQelosAuthOptions,
  type QelosServer,
  type QelosServerOptions,
  type QelosServerReply,
  type QelosServerRequestFilter,
  type QelosServerUserOptions,
  type QelosServerWorkspaceOptions,
  type StrategyUnderTest,
} from 'qelos-auth/testing';
import { container, injectAll } from 'tsyringe';

/** A strategy is a name and two methods; what it is given needs no annotation where it is an object. */
const smallest: AuthStrategy = {
  name: 'smallest',
  missing: () => [],
  async signIn({ signal, http }) {
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(http).toEqualTypeOf<AxiosInstance>();
    return Credential.apiKey('key');
  },
};

/** All of it, as a class. */
class Whole implements AuthStrategy {
  readonly name = 'whole';
  missing(): readonly string[] {
    return ['WHOLE_KEY'];
  }
  async signIn(context: AuthContext): Promise<Credential> {
    const { data } = await context.http.post<{ token: string; refreshToken: string }>('/api/signin');
    return Credential.bearer(data.token, data);
  }
  async refresh(current: Credential, _context: AuthContext): Promise<Credential> {
    expectTypeOf(current.refreshToken).toEqualTypeOf<string | undefined>();
    return Credential.headers({ cookie: 'a=b' }, { expiresAt: new Date() });
  }
  isRejected({ status, data, headers }: ApiAnswer): boolean {
    expectTypeOf(data).toBeUnknown();
    return status === 419 && headers['x-reason'] === 'expired';
  }
  authorize(request: OutgoingRequest, credential: Credential): void {
    expectTypeOf(request.headers.get('date')).toEqualTypeOf<string | undefined>();
    expectTypeOf(request.body).toBeUnknown();
    credential.applyTo(request.headers);
  }
}

const auth = createQelosAuth({ strategies: [smallest, Whole, new Whole()] });

// Each token resolves to what is registered under it, and so does its injection.
registerQelosAuth(container, { strategies: [Whole] });
expectTypeOf(container.resolve(QELOS_HTTP)).toEqualTypeOf<AxiosInstance>();
expectTypeOf(container.resolve(QELOS_SDK)).toEqualTypeOf<QelosAdministratorSDK>();
expectTypeOf(container.resolve(QelosAuth)).toEqualTypeOf<QelosAuth>();
expectTypeOf(container.resolve(StrategyResolver)).toEqualTypeOf<StrategyResolver>();
expectTypeOf(container.resolve(AUTH_CONFIG)).toEqualTypeOf<AuthConfig>();
expectTypeOf(container.resolve(CREDENTIAL_STORE)).toEqualTypeOf<CredentialStore>();
expectTypeOf(container.resolveAll(AUTH_STRATEGY)).toEqualTypeOf<AuthStrategy[]>();
expectTypeOf(injectAll).toBeCallableWith(AUTH_STRATEGY);

// Every event has its own detail, and each listener can be removed.
auth.on('strategySelected', ({ skipped }) =>
  expectTypeOf(skipped).toEqualTypeOf<readonly { name: string; missing: readonly string[] }[]>(),
);
auth.on('signedIn', (detail) =>
  expectTypeOf(detail).toMatchTypeOf<{ instance: string; strategy: string; expiresAt?: Date; durationMs: number }>(),
);
auth.on('refreshed', ({ adopted }) => expectTypeOf(adopted).toBeBoolean());
auth.on('refreshFailed', ({ code }) => expectTypeOf(code).toEqualTypeOf<AuthErrorCode>());
auth.on('requestRetried', ({ method, path, status }) =>
  expectTypeOf([method, path, status] as const).toEqualTypeOf<readonly [string, string, number]>(),
);
auth.on('storeFailed', ({ operation }) => expectTypeOf(operation).toEqualTypeOf<'lock' | 'load' | 'save' | 'unlock'>());
expectTypeOf(auth.on('signedIn', () => {})).toEqualTypeOf<() => void>();
expectTypeOf<Parameters<typeof auth.on>[0]>().toEqualTypeOf<keyof AuthEvents>();

expectTypeOf(auth.http).toEqualTypeOf<AxiosInstance>();
expectTypeOf(auth.fetch).toEqualTypeOf<typeof fetch>();
expectTypeOf(auth.sdk).toEqualTypeOf<QelosAdministratorSDK>();
expectTypeOf(auth.signIn).returns.resolves.toEqualTypeOf<{
  strategy: string;
  user: QelosSdk.IUser;
  expiresAt?: Date;
}>();
expectTypeOf(auth.http.get).toBeCallableWith('/api/me', { skipAuth: true });

/** A switch over the codes needs no default: the compiler knows all of them. */
export function isOutage(code: AuthErrorCode): boolean {
  switch (code) {
    case 'ERR_AUTH_UNAVAILABLE':
    case 'ERR_AUTH_BAD_RESPONSE':
      return true;
    case 'ERR_AUTH_NO_CREDENTIAL':
    case 'ERR_AUTH_CONFIG':
    case 'ERR_AUTH_INSECURE_URL':
    case 'ERR_AUTH_NO_STRATEGY':
    case 'ERR_AUTH_REFUSED':
    case 'ERR_AUTH_TOKEN_REFUSED':
    case 'ERR_AUTH_REDIRECT':
    case 'ERR_AUTH_WORKSPACE':
    case 'ERR_AUTH_CLOSED':
      return false;
  }
}

const thrown: unknown = undefined;
if (isAuthError(thrown)) expectTypeOf(thrown.retryAfterMs).toEqualTypeOf<number | undefined>();
else expectTypeOf(apiRefusal(thrown)?.hint).toEqualTypeOf<string | undefined>();

// The contract of strategies takes the functions of a test runner as they are. Of vitest's, the consumers see to it.
const subject: StrategyUnderTest = { strategy: smallest, secrets: [], refuse() {}, async hang() {} };
describeAuthStrategy('by jest', { describe: jestRunner.describe, it: jestRunner.it, create: () => subject });
describeAuthStrategy('by node:test', {
  describe: nodeRunner.describe,
  it: nodeRunner.test,
  create: async () => subject,
});

// The server is Qelos, unless the author brings another; `create` gets what was brought.
const { describe, it } = nodeRunner;
describeAuthStrategy('on Qelos', {
  describe,
  it,
  create(server) {
    expectTypeOf(server).toEqualTypeOf<QelosServer>();
    return subject;
  },
});
interface OwnServer extends AuthStrategyServer {
  readonly key: string;
}
describeAuthStrategy('on a server of its own', {
  describe,
  it,
  server: async (): Promise<OwnServer> => ({ url: 'http://127.0.0.1', key: 'key', close: async () => {} }),
  create(server) {
    expectTypeOf(server).toEqualTypeOf<OwnServer>();
    return subject;
  },
});
expectTypeOf<QelosServer>().toExtend<AuthStrategyServer>();

// What nobody can do to a strategy, its suite need not say how to do.
const { refuse, hang, ...offline } = subject;
describeAuthStrategy('from a file', { describe, it, without: ['hang'], create: () => ({ ...offline, refuse }) });
describeAuthStrategy('by itself', { describe, it, without: ['refuse', 'hang'], create: () => offline });
describeAuthStrategy('by itself, though it could', {
  describe,
  it,
  without: ['refuse', 'hang'],
  create: () => subject,
});
expectTypeOf(hang).returns.toEqualTypeOf<void | Promise<void>>();

/** The optional settings that may be left out, but must not be `undefined`: there must be none, as a plugin's own settings often are. */
type Refusing<Options> = {
  [Name in keyof Options]-?: { [N in Name]: undefined } extends Pick<Options, Name> ? never : Optional<Options, Name>;
}[keyof Options];
type Optional<Options, Name extends keyof Options> = object extends Pick<Options, Name> ? Name : never;
expectTypeOf<Refusing<{ refuses?: string; accepts?: string | undefined; needed: string }>>().toEqualTypeOf<'refuses'>();
expectTypeOf<Refusing<QelosAuthOptions>>().toBeNever();
expectTypeOf<Refusing<AuthConfig>>().toBeNever();
expectTypeOf<Refusing<CredentialOptions>>().toBeNever();
expectTypeOf<Refusing<AuthErrorDetails>>().toBeNever();
expectTypeOf<Refusing<TenantAuthOptions>>().toBeNever();
expectTypeOf<Refusing<TenantConfig>>().toBeNever();
expectTypeOf<Refusing<DiagnoseOptions>>().toBeNever();
expectTypeOf<Refusing<RedisCredentialStoreOptions>>().toBeNever();
expectTypeOf<Refusing<QelosServerOptions>>().toBeNever();
expectTypeOf<Refusing<QelosServerUserOptions>>().toBeNever();
expectTypeOf<Refusing<QelosServerWorkspaceOptions>>().toBeNever();
expectTypeOf<Refusing<QelosServerReply>>().toBeNever();
expectTypeOf<Refusing<QelosServerRequestFilter>>().toBeNever();
expectTypeOf<Refusing<MockQelosAuthOptions>>().toBeNever();
expectTypeOf<Refusing<AuthStrategySuite>>().toBeNever();
