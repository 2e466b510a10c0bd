import type { AxiosInstance, CreateAxiosDefaults } from 'axios';
import { AuthError } from './contract/auth-error';
import type { StrategyObject } from './contract/auth-strategy';
import { nameOf } from './credentials/obtain-errors';
import type { EventHub } from './events';
import { AuthInterceptor } from './http/auth-interceptor';
import { axiosInUse } from './http/axios';
import { createBareClient } from './http/bare-client';
import type { CredentialSource } from './http/credential-check';
import type { FixedHeaders } from './http/credential-headers';
import { within } from './http/deadline';
import { createFetch } from './http/fetch';
import { timeoutOf } from './http/limits';
import { adapterInNode } from './http/node-runtime';
import { Origin } from './http/origin';
import type { Transport } from './http/transport';
import type { IUser, QelosAdministratorSDK } from './sdk/qelos-sdk.types';
import { sdkError } from './sdk/sdk-answer';
import { SdkCalls } from './sdk/sdk-calls';
import { loadSdk, takeUser } from './strategies/sign-in-sdk';

declare module 'axios' {
  // Type parameters of a merged interface have to repeat those of the original, to the letter.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  interface AxiosRequestConfig<D = any, P = any> {
    /** Send this request as it was written: without credential, with whatever headers it has. */
    skipAuth?: boolean | undefined;
  }
}

/** What an {@link Account} is made from. */
export interface AccountParts {
  /** Base URL of the instance, without a trailing slash. */
  url: string;
  /** Where credentials come from, and where it is told how they fared. */
  source: CredentialSource;
  /** How credentials of that source are put on a request, and which answers refuse them. */
  strategy: StrategyObject;
  events: Pick<EventHub, 'emit'>;
  axios?: CreateAxiosDefaults | undefined;
  transport?: Transport | undefined;
  /** What every request has in the place of a caller's own, or has not. */
  headers?: FixedHeaders | undefined;
}

/** What calls as one account of one Qelos instance are made with, over a source of credentials that it does not own. */
export class Account {
  /** Authenticates every request to the instance, whose URL is its `baseURL`; sends others untouched. */
  readonly http: AxiosInstance;
  /** The same pipeline as a `fetch`. */
  readonly fetch: typeof globalThis.fetch;
  readonly #url: string;
  readonly #strategy: StrategyObject;
  readonly #interceptor: AuthInterceptor;
  readonly #sdkCalls: SdkCalls;
  #sdk: QelosAdministratorSDK | undefined;

  /** Not for plugins: an account is a part of a `QelosAuth`, or a tenant's handle. */
  constructor(made: { readonly made: never });
  /** @internal */
  constructor(parts: AccountParts);
  constructor(given: AccountParts | { readonly made: never }) {
    const { url, source, strategy, events, axios: defaults, transport, headers } = given as AccountParts;
    this.#url = url;
    this.#strategy = strategy;
    const origin = new Origin(url);
    const connection = { ...(transport && { transport }), ...defaults };
    this.#interceptor = new AuthInterceptor({
      origin,
      strategy,
      source,
      client: (signal) => createBareClient(url, origin, signal, connection, {}),
      adapter: defaults?.adapter,
      events,
      transport,
      headers,
    });
    const adapter = adapterInNode();
    this.http = axiosInUse().create({ ...(adapter && { adapter }), ...defaults, baseURL: url });
    this.#interceptor.attach(this.http);
    this.fetch = createFetch(this.http);
    this.#sdkCalls = new SdkCalls({ url, http: this.http, failure: sdkError });
  }

  /**
   * The Qelos administrator SDK on the same pipeline, loaded at first use. Its errors are AxiosErrors with `status`,
   * `response.data` and, as in the SDK, `details`; it never refreshes or sends again by itself.
   */
  get sdk(): QelosAdministratorSDK {
    this.#sdk ??= loadSdk().createQelosSdk(this.#url, this.#sdkCalls);
    return this.#sdk;
  }

  /**
   * Obtains a credential, unless there is one, and asks the instance whose it is. Call it at start-up: what is wrong then
   * comes up at once, and not with the first call.
   *
   * The `timeout` of `http`, if there is one, counts all of it. Signing in goes on then, for whoever asks next.
   *
   * @returns the strategy, the user and, if it is known, when the credential ends
   * @throws AuthError why there is no credential; `ERR_AUTH_UNAVAILABLE` if it took too long
   */
  async signIn(): Promise<{ strategy: string; user: IUser; expiresAt?: Date }> {
    return within(timeoutOf(this.http.defaults), (signal) => this.#signIn(signal), tookTooLong);
  }

  async #signIn(signal: AbortSignal | undefined): Promise<{ strategy: string; user: IUser; expiresAt?: Date }> {
    const credential = await this.#interceptor.credential();
    const user = takeUser(credential) ?? ((await this.#sdkCalls.json('/api/me', { signal: signal ?? null })) as IUser);
    const { expiresAt } = credential;
    return { strategy: nameOf(this.#strategy), user, ...(expiresAt && { expiresAt }) };
  }

  /**
   * Authenticates the requests of an axios instance that already exists, where they lead to the Qelos instance. Interceptors
   * that set another `adapter` have to be added after this.
   *
   * @returns the function that detaches it
   */
  attach(instance: AxiosInstance): () => void {
    return this.#interceptor.attach(instance);
  }
}

function tookTooLong(ms: number): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `signIn() took longer than the time-out of ${ms} ms.`, {
    hint: 'Check that QELOS_URL can be reached and that the instance answers, or raise `timeout` in the option `axios`.',
    retryable: true,
  });
}
