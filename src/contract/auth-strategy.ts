import type { AxiosInstance } from 'axios';
import type { Credential } from './credential';

/** A strategy of one's own: an instance, or a class that the container makes. */
export type StrategyOption = AuthStrategy | (new (...args: never[]) => AuthStrategy);

/** What a strategy gets to obtain a credential with. */
export interface AuthContext {
  /** Aborts when obtaining the credential has taken too long, or on `close()`. Pass it to whatever you wait for. */
  readonly signal: AbortSignal;
  /**
   * An axios instance for the Qelos instance's origin and no other: it sends no credential, follows no redirect, takes
   * answers of at most 1 MiB and obeys `signal` by itself. Its errors hold no request and no secret.
   */
  readonly http: AxiosInstance;
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
}
