/**
 * What everybody writes first: the public surface of the library over plain axios and fetch. It signs in when it has no
 * token, keeps the tokens in a variable, puts them on every request, and after a 401 refreshes, or signs in again, and
 * sends the request once more. It is meant to work. The fault tests have to tell it from the library.
 */
import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import RealQelosAdministratorSDK from '@qelos/sdk/administrator';
import axios, {
  type AxiosInstance,
  type AxiosRequestConfig,
  type InternalAxiosRequestConfig,
  isAxiosError,
} from 'axios';
import { type DependencyContainer, instanceCachingFactory, container as rootContainer } from 'tsyringe';
import type { AuthConfig } from '../../src/config';
import { AuthError, type AuthErrorCode } from '../../src/contract/auth-error';
import type { AuthStrategy } from '../../src/contract/auth-strategy';
import { type Credential, headersOf } from '../../src/contract/credential';
import type { QelosAuthOptions } from '../../src/create-qelos-auth';
import type { AuthEvents } from '../../src/events';
import type { IUser, QelosAdministratorSDK } from '../../src/sdk/qelos-sdk.types';
import { ApiTokenStrategy } from '../../src/strategies/api-token';
import { ApiTokenFileStrategy } from '../../src/strategies/api-token-file';
import { OAuthRefreshStrategy } from '../../src/strategies/oauth-refresh';
import { AUTH_CONFIG, AUTH_STRATEGY, QELOS_HTTP, QELOS_SDK } from '../../src/tokens';

export { isLoopback } from '../../src/config';
export { AuthError, isAuthError } from '../../src/contract/auth-error';
export { Credential } from '../../src/contract/credential';
export { apiRefusal } from '../../src/qelos/refusal';
export { StrategyResolver } from '../../src/strategies/resolver';
export { CREDENTIAL_STORE } from '../../src/tokens';
export {
  ApiTokenFileStrategy,
  ApiTokenStrategy,
  AUTH_CONFIG,
  AUTH_STRATEGY,
  OAuthRefreshStrategy,
  QELOS_HTTP,
  QELOS_SDK,
};

interface Tokens {
  headers: Record<string, string>;
  refreshToken?: string;
  /** Of a strategy of one's own. */
  credential?: Credential;
}

type Sent<T> = T & { sentAgain?: boolean };

export function loadAuthConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
  overrides: Partial<AuthConfig> = {},
): AuthConfig {
  const config = {
    url: overrides.url ?? env['QELOS_URL'],
    apiToken: overrides.apiToken ?? env['QELOS_API_TOKEN'],
    apiTokenFile: overrides.apiTokenFile ?? env['QELOS_API_TOKEN_FILE'],
    username: overrides.username ?? env['QELOS_USERNAME'],
    password: overrides.password ?? env['QELOS_PASSWORD'],
    workspace: overrides.workspace ?? env['QELOS_WORKSPACE'],
    strategy: overrides.strategy ?? env['QELOS_AUTH_STRATEGY'],
    timeoutMs: overrides.timeoutMs ?? 20_000,
    allowInsecureUrl: overrides.allowInsecureUrl ?? false,
  };
  if (!config.url) throw new AuthError('ERR_AUTH_CONFIG', 'QELOS_URL is missing.', { hint: 'Set QELOS_URL.' });
  return { ...config, url: config.url.replace(/\/$/, '') };
}

export class QelosAuth {
  readonly http: AxiosInstance;
  readonly strategy: { readonly name: string; readonly skipped: { name: string; missing: readonly string[] }[] };
  private readonly events = new EventEmitter();
  private readonly chosen: AuthStrategy;
  private tokens: Tokens | undefined;
  private sdkInstance: QelosAdministratorSDK | undefined;

  constructor(
    private readonly config: AuthConfig,
    strategies: AuthStrategy[],
    defaults: QelosAuthOptions['axios'] = {},
  ) {
    const candidates = strategies.filter(({ name }) => config.strategy === undefined || config.strategy === name);
    const chosen = candidates.find((candidate) => candidate.missing().length === 0);
    if (!chosen) {
      throw new AuthError('ERR_AUTH_NO_STRATEGY', 'Nothing to sign in with.', { hint: 'Set QELOS_API_TOKEN.' });
    }
    const skipped = candidates.slice(0, candidates.indexOf(chosen));
    this.chosen = chosen;
    this.strategy = { name: chosen.name, skipped: skipped.map((one) => ({ name: one.name, missing: one.missing() })) };
    this.http = axios.create({ ...defaults, baseURL: config.url });
    this.attach(this.http);
    queueMicrotask(() =>
      this.events.emit('strategySelected', { strategy: chosen.name, skipped: this.strategy.skipped }),
    );
  }

  readonly fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const target = input instanceof Request ? input : new URL(input, `${this.config.url}/`);
    const send = async () => {
      const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : {}));
      const { headers: authentication } = await this.currentTokens();
      for (const [name, value] of Object.entries(authentication)) headers.set(name, value);
      return globalThis.fetch(target, { ...init, headers });
    };
    const response = await send();
    if (response.status !== 401) return response;
    await this.renew();
    this.events.emit('requestRetried', { method: init.method ?? 'GET', path: String(input), status: 401 });
    return send();
  };

  get sdk(): QelosAdministratorSDK {
    this.sdkInstance ??= new RealQelosAdministratorSDK({
      appUrl: this.config.url,
      fetch: this.fetch,
      extraHeaders: async () => ({}),
    });
    return this.sdkInstance;
  }

  async signIn(): Promise<{ strategy: string; user: IUser }> {
    return { strategy: this.strategy.name, user: (await this.http.get('/api/me')).data };
  }

  attach(instance: AxiosInstance): () => void {
    const request = instance.interceptors.request.use(async (config) => {
      if (config.skipAuth) return config;
      config.headers.set((await this.currentTokens()).headers);
      return config;
    });
    const response = instance.interceptors.response.use(undefined, async (error) => {
      const config: Sent<InternalAxiosRequestConfig> | undefined = isAxiosError(error) ? error.config : undefined;
      if (error.response?.status !== 401 || !config || config.sentAgain || config.skipAuth) throw error;
      await this.renew();
      this.events.emit('requestRetried', { method: config.method, path: config.url, status: 401 });
      const again: Sent<AxiosRequestConfig> = { ...config, sentAgain: true };
      return instance.request(again);
    });
    return () => {
      instance.interceptors.request.eject(request);
      instance.interceptors.response.eject(response);
    };
  }

  on<E extends keyof AuthEvents>(event: E, listener: (detail: AuthEvents[E]) => void): () => void {
    this.events.on(event, listener);
    return () => this.events.off(event, listener);
  }

  async close(): Promise<void> {
    this.events.removeAllListeners();
  }

  private async currentTokens(): Promise<Tokens> {
    this.tokens ??= await this.obtain();
    return this.tokens;
  }

  /** After a 401: a refresh, or else a sign-in. */
  private async renew(): Promise<void> {
    const { refreshToken } = this.tokens ?? {};
    if (refreshToken) {
      try {
        this.tokens = await this.post('/api/token/refresh', {}, { authorization: `Bearer ${refreshToken}` });
        this.events.emit('refreshed', { strategy: this.strategy.name, adopted: false });
        return;
      } catch {
        // The session has ended.
      }
    }
    this.tokens = await this.obtain();
  }

  private async obtain(): Promise<Tokens> {
    const { url, apiToken, apiTokenFile, username, password, workspace, timeoutMs = 20_000 } = this.config;
    let tokens: Tokens;
    try {
      if (this.chosen instanceof ApiTokenStrategy || this.chosen instanceof ApiTokenFileStrategy) {
        const token = apiToken ?? (await readFile(apiTokenFile as string, 'utf8')).trim();
        tokens = { headers: { 'x-api-key': token } };
      } else if (this.chosen instanceof OAuthRefreshStrategy) {
        tokens = await this.post('/api/signin', { username, password, workspace, authType: 'oauth' });
      } else {
        const http = axios.create({ baseURL: url, timeout: timeoutMs });
        const credential = await this.chosen.signIn({
          http,
          signal: AbortSignal.timeout(timeoutMs),
          client: (baseURL) => axios.create({ baseURL, timeout: timeoutMs }),
          prompt: ({ message }) => console.error(message),
        });
        tokens = { headers: { ...headersOf(credential) }, credential };
      }
    } catch (error) {
      throw toAuthError(error);
    }
    this.events.emit('signedIn', { strategy: this.strategy.name });
    return tokens;
  }

  private async post(path: string, body: object, headers = {}): Promise<Tokens> {
    const { data } = await axios.post(this.config.url + path, body, {
      headers,
      timeout: this.config.timeoutMs ?? 20_000,
    });
    const { token, refreshToken } = data.payload;
    return { headers: { authorization: `Bearer ${token}` }, refreshToken };
  }
}

/** Says what happened in the library's terms, with the error underneath as the cause, as one does. */
function toAuthError(error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  const status = isAxiosError(error) ? error.response?.status : undefined;
  const isRefusal = status === 401 || status === 403;
  const code: AuthErrorCode = isRefusal ? 'ERR_AUTH_REFUSED' : 'ERR_AUTH_UNAVAILABLE';
  const message = error instanceof Error ? error.message : String(error);
  return new AuthError(code, `Sign-in failed: ${message}`, {
    hint: 'Check QELOS_URL and the credentials.',
    httpStatus: status,
    retryable: !isRefusal,
    cause: error,
  });
}

export function registerQelosAuth(container: DependencyContainer, options: QelosAuthOptions = {}): void {
  const { env, config, strategies = [], axios: defaults } = options;
  if (env || config || !container.isRegistered(AUTH_CONFIG)) {
    container.register(AUTH_CONFIG, { useFactory: instanceCachingFactory(() => loadAuthConfig(env, config)) });
  }
  for (const strategy of [...strategies, ApiTokenStrategy, ApiTokenFileStrategy, OAuthRefreshStrategy]) {
    if (typeof strategy === 'function') container.register(AUTH_STRATEGY, { useClass: strategy as never });
    else container.register(AUTH_STRATEGY, { useValue: strategy });
  }
  const authOf = instanceCachingFactory(
    (asked) => new QelosAuth(asked.resolve(AUTH_CONFIG), asked.resolveAll(AUTH_STRATEGY), defaults),
  );
  container.register(QelosAuth as never, { useFactory: authOf });
  container.register(QELOS_HTTP, { useFactory: (asked) => authOf(asked).http });
  container.register(QELOS_SDK, { useFactory: (asked) => authOf(asked).sdk });
}

export function createQelosAuth(options: QelosAuthOptions = {}): QelosAuth {
  const container = rootContainer.createChildContainer();
  registerQelosAuth(container, { env: process.env, ...options });
  return container.resolve<QelosAuth>(QelosAuth as never);
}
