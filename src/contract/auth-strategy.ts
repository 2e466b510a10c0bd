import type { AxiosInstance } from 'axios';
import type { Credential } from './credential';

/**
 * A strategy as an option takes it: an object, or a class that the container makes. An object that lacks no setting need not
 * say so: `{ name, signIn }` is enough.
 *
 * ```ts
 * createQelosAuth({ strategies: [{ name: 'mine', signIn: async () => Credential.apiKey(await keyFromVault()) }] });
 * ```
 */
export type StrategyOption = StrategyObject | (new (...args: never[]) => StrategyObject);

/** An {@link AuthStrategy} whose `missing` may be left out: it lacks nothing then. */
export type StrategyObject = Omit<AuthStrategy, 'missing'> & Partial<Pick<AuthStrategy, 'missing'>>;

/** What a strategy gets to obtain a credential with. */
export interface AuthContext {
  /** Aborts when obtaining the credential has taken too long, or on `close()`. Pass it to whatever you wait for. */
  readonly signal: AbortSignal;
  /**
   * An axios instance for the Qelos instance's origin and no other: it sends no credential, follows no redirect, takes
   * answers of at most 1 MiB and obeys `signal` by itself. Its errors hold no request and no secret.
   */
  readonly http: AxiosInstance;
  /**
   * The same for another origin, such as that of a broker or an identity provider: reached like the Qelos instance (adapter,
   * agents with their certificates, proxy, `transport`), with the same limits and the same `signal`.
   *
   * ```ts
   * const { data } = await context.client('https://id.example').post('/token', form);
   * ```
   *
   * @param baseURL - absolute, `https:` or `http:`, without a user name
   * @throws AuthError `ERR_AUTH_CONFIG` if it is none
   */
  client(baseURL: string): AxiosInstance;
  /**
   * Tells that a person has to do something before the sign-in can go on: the event `actionRequired`. Where no one listens for
   * it and stderr is a terminal, it is printed there. Give `signInTimeoutMs` the time that a person takes.
   */
  prompt(action: RequiredAction): void;
}

/** What a person has to do. It is shown and logged: put no secret in it but a code that is made to be shown. */
export interface RequiredAction {
  /** What to do, in a sentence. */
  readonly message: string;
  /** The page to open. */
  readonly url?: string | undefined;
  /** What to enter there, such as the `user_code` of a device authorization (RFC 8628, 3.2). */
  readonly code?: string | undefined;
  /** Until when it can be done. */
  readonly expiresAt?: Date | undefined;
}

/** An answer of the API, as far as it is needed to tell a refused credential from anything else. */
export interface ApiAnswer {
  readonly status: number;
  /** The parsed body if it is JSON, else the text. */
  readonly data: unknown;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A request on its way, as `authorize` sees it. Only `headers` can be changed. */
export interface OutgoingRequest {
  /** Upper case. */
  readonly method: string;
  /** Absolute, with query. */
  readonly url: string;
  readonly headers: {
    get(name: string): string | undefined;
    set(name: string, value: string): void;
    delete(name: string): void;
  };
  /** The body as it is sent (after axios' transforms): a string, bytes, a form, a stream, or undefined. */
  readonly body: unknown;
}

/**
 * A way to obtain a credential: the part that teams write. A strategy knows how to sign in and, if its server has such a
 * thing, how to refresh. It never caches, locks or retries: whoever calls it does.
 *
 * Errors: throw an {@link AuthError} to say why in your own words. Anything else thrown is turned into one: an axios error
 * by its status (401 and 403: refused; 429, 5xx and network faults: unavailable), the rest as a fault of the strategy.
 * An AuthError with `httpStatus: 401` and `retryable: true` says that the server contradicted itself: the same call is made
 * again after a short, random moment. At sign-in, `ERR_AUTH_REFUSED` never says so: it always makes the next try wait.
 */
export interface AuthStrategy {
  /** Unique among the strategies of a container; the setting `QELOS_AUTH_STRATEGY` pins one by it. */
  readonly name: string;
  /** The settings it still lacks, by the name their user knows; empty if it can be used. Synchronous, without I/O. */
  missing(): readonly string[];
  /**
   * Obtains a credential from nothing.
   *
   * @param former - the credential that the new one takes the place of, if there was one: a sign-in that could lead to another
   *   account or workspace than before can tell by it
   */
  signIn(context: AuthContext, former?: Credential): Promise<Credential>;
  /** Obtains the successor of a credential. Without it, or for a bearer credential without refresh token: `signIn`. */
  refresh?(current: Credential, context: AuthContext): Promise<Credential>;
  /** Whether an answer means that the credential was refused. Default: status 401, unless it says that the user lacks a role. */
  isRejected?(answer: ApiAnswer): boolean;
  /** Puts the credential on a request. Default: sets the credential's headers. For schemes that sign requests. */
  authorize?(request: OutgoingRequest, credential: Credential): void | Promise<void>;
  /**
   * Whom it signs in as, by whatever tells two accounts apart: a user name, a client's identifier, a role. No secret. With a
   * `CredentialStore`, processes share a credential if URL, `name` and this are the same; without it the strategy's
   * credentials are never stored, and a process warning (`QELOS_AUTH_NOT_SHARED`) says so once.
   */
  account?(): string;
  /**
   * Whether its source (a file, a vault) holds another credential than this one by now, so that it is picked up before the old
   * one is refused. Asked about a credential of unknown end when a call comes by: from 5 s after the last time in the background,
   * from 30 s on before the call is sent. Only `true` counts; what it throws, or more than a tenth of `timeoutMs`, counts as no.
   */
  isReplaced?(current: Credential): Promise<boolean>;
  /** Where its credential is from, such as the name of a file, for whoever looks why calls fail. No secret. */
  readonly source?: string | undefined;
  /** `true` if its credential is configured, not obtained: it is never put into a `CredentialStore`, nor taken from one. */
  readonly isConfigured?: true | undefined;
  /**
   * `true` if nothing can take the place of its credential: a refusal is the answer of the call, `signIn` is not called because of one,
   * and what a 401 means is told by what Qelos says, in the place of an `isRejected`. Not for tenants, whose settings are loaded anew.
   */
  readonly isFinal?: true | undefined;
  /**
   * Milliseconds that `signIn` may take, its retries included, in the place of `timeoutMs`: more where a person has to act;
   * `Infinity` for no end but that of `close()`. Refreshes keep to `timeoutMs`. Default: `timeoutMs`.
   */
  readonly signInTimeoutMs?: number | undefined;
}
