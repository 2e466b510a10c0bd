import type { AxiosError, InternalAxiosRequestConfig } from 'axios';
import { MAX_TIMER_MS } from '../credentials/clock';
import { axiosOf } from './axios';

type RequestConfig = InternalAxiosRequestConfig;

/** What axios' own adapters use of a cancel token, and its types do not name. */
interface CancelSubscription {
  subscribe(listener: (reason: unknown) => void): void;
  unsubscribe(listener: (reason: unknown) => void): void;
}

/**
 * What ends a call before its answer has come: one time-out for all of it, its signal, its cancel token. Adapters get it as
 * one signal; nobody waits longer for an adapter that does not obey.
 */
export class Limits {
  /** 0: none that we could count; what axios cannot read as a number of milliseconds it says by itself. */
  readonly timeoutMs: number;
  readonly #config: RequestConfig;
  /** One for each send: what is let go of is ended by it. */
  abort = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  #reason: Error | undefined;
  /** What is being done, for the message of the time-out. */
  #doing = '';
  /** Ends what is being waited for; never more than one thing at a time. */
  #fail: ((reason: Error) => void) | undefined;

  constructor(config: RequestConfig) {
    this.#config = config;
    this.timeoutMs = timeoutOf(config);
    if (this.timeoutMs > 0) this.#timer = setTimeout(() => this.#end(timedOut(config, this.#doing)), this.timeoutMs);
    const { signal } = config;
    if (signal?.aborted) this.#cancel(undefined);
    else signal?.addEventListener?.('abort', this.#cancel);
    (config.cancelToken as CancelSubscription | undefined)?.subscribe(this.#cancel);
  }

  /** Has the adapter end with this; the time-out is counted here alone. */
  imposeOn(copy: RequestConfig): void {
    if (!this.#reason) this.abort = new AbortController();
    copy.signal = this.abort.signal;
    copy.cancelToken = undefined;
    if (this.timeoutMs > 0) copy.timeout = 0;
  }

  /** @param tooLate - gets what comes when it is no longer waited for */
  until<T>(promise: Promise<T>, tooLate: (result: T) => void = () => {}, doing = ''): Promise<T> {
    return new Promise((resolve, reject) => {
      let isWaiting = true;
      const stop = () => {
        isWaiting = false;
        this.#fail = undefined;
      };
      promise.then(
        (result) => {
          if (!isWaiting) return tooLate(result);
          stop();
          resolve(result);
        },
        (error) => {
          if (isWaiting) stop();
          reject(error);
        },
      );
      this.#doing = doing;
      this.#fail = (reason) => {
        stop();
        reject(reason);
      };
      if (this.#reason) this.#fail(this.#reason);
    });
  }

  /** The answer has begun, and its stream takes as long as its reader likes; signal and cancel token go on to count. */
  watchStream(fail: (reason: Error) => void): void {
    clearTimeout(this.#timer);
    this.#fail = fail;
    if (this.#reason) fail(this.#reason);
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#fail = undefined;
    this.#config.signal?.removeEventListener?.('abort', this.#cancel);
    (this.#config.cancelToken as CancelSubscription | undefined)?.unsubscribe(this.#cancel);
  }

  readonly #cancel = (reason: unknown): void => {
    const { CanceledError, isCancel } = axiosOf(this.#config);
    this.#end(isCancel(reason) ? (reason as Error) : new CanceledError(undefined, this.#config));
  };

  #end(reason: Error): void {
    this.#reason ??= reason;
    this.abort.abort(); // without the reason: adapters write on it what they know
    this.#fail?.(reason);
  }
}

/**
 * A time-out as axios' http adapter reads it (lib/adapters/http.js: `parseInt`), in milliseconds; 0 for none, and for what
 * the adapter fails on by itself.
 */
export function timeoutOf({ timeout }: Pick<RequestConfig, 'timeout'>): number {
  const milliseconds = timeout ? Number.parseInt(String(timeout), 10) : 0;
  return milliseconds > 0 ? Math.min(milliseconds, MAX_TIMER_MS) : 0;
}

/** The error that axios' http adapter makes of a time-out. */
export function timedOut(config: RequestConfig, doing = ''): AxiosError {
  const message = config.timeoutErrorMessage || `timeout of ${config.timeout}ms exceeded${doing}`;
  const { AxiosError } = axiosOf(config);
  const code = config.transitional?.clarifyTimeoutError ? AxiosError.ETIMEDOUT : AxiosError.ECONNABORTED;
  return new AxiosError(message, code, config);
}
