import { EventEmitter } from 'node:events';
import { isNativeError } from 'node:util/types';
import type { AxiosError, AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { AuthError, isAuthError } from '../contract/auth-error';
import { type Credential, redact } from '../contract/credential';
import { axiosOf } from './axios';
import { normalUrl, resolveUrl } from './origin';
import { isOwnedStream, type StreamTerms } from './owned-stream';

/**
 * What a request leaves behind must not lead to a credential: not the one it carried, and not that of another request on
 * the same keep-alive agent. Node's request and agent objects lead to both, so neither leaves this library; nor does the
 * copy that was sent.
 */

/** What is known of a call when it is to be shown: what its caller wrote, and what was sent in its place. */
export interface SentCall extends StreamTerms {
  readonly config: InternalAxiosRequestConfig;
  readonly sent: InternalAxiosRequestConfig | undefined;
  readonly credential: Credential | undefined;
  /** Where the answer came from, if that is another place than the config says. */
  readonly url: string | undefined;
  /** Replaces the stream of an answer by one of ours, if it has one. */
  own(response: AxiosResponse): void;
  /** How many milliseconds the server may be silent in this answer's stream; 0: as long as it likes. */
  idleMsOf(response: AxiosResponse): number;
}

/** Stands in for the request object of responses and errors; knows what callers ask it for, the URL that answered. */
class SentRequest {
  readonly #config: InternalAxiosRequestConfig;
  readonly #url: string | undefined;

  constructor(config: InternalAxiosRequestConfig, url: string | undefined) {
    this.#config = config;
    this.#url = url;
  }

  get method(): string {
    return (this.#config.method ?? 'get').toUpperCase();
  }

  get responseURL(): string {
    return normalUrl(this.#url ?? resolveUrl(this.#config));
  }

  /** Whether redirects led to another place than was asked for. */
  get isRedirected(): boolean {
    return this.#url !== undefined;
  }

  get res(): { responseUrl: string } {
    return { responseUrl: this.responseURL };
  }
}

/** Makes a response fit to be handed out. Returns whether it has a stream that is still to come. */
export function exposeResponse(response: AxiosResponse, call: SentCall): boolean {
  const { config } = call;
  if (typeof config.adapter === 'function') clean(response, call); // it may leave anything on what it answers with
  const isStream = exposeBody(response, call);
  response.config = config;
  response.request = new SentRequest(config, call.url);
  return isStream;
}

/** Makes whatever an adapter failed with fit to be handed out. Returns the same object where it is an object of the call's own. */
export function exposeError(error: unknown, call: SentCall): unknown {
  if (typeof error === 'string') return hidden(error, call);
  if (typeof error !== 'object' || error === null) return error;
  if (isAuthError(error)) return forPlugins(error, call.config);
  clean(error, call);
  if (error instanceof axiosOf(call.config).AxiosError && error.config && call.sent)
    error.request ??= new SentRequest(call.config, call.url);
  return error;
}

/** The answer that an error tells of, also one of an adapter that makes errors of its own. */
export function answerIn(error: unknown): AxiosResponse | undefined {
  const response = isError(error) ? (error as AxiosError).response : undefined;
  return typeof response?.status === 'number' ? response : undefined;
}

/** Errors of Node itself are of another realm than code that runs in a `vm` context, as every test under jest does. */
const isError = (value: unknown): value is Error => value instanceof Error || isNativeError(value);

/**
 * Takes out of an object, and of all errors and plain objects that it leads to, what was put on the request. What was sent
 * is known by identity; in texts, its secrets are looked for.
 */
function clean(root: object, call: SentCall): void {
  const seen = new Set<unknown>([root, call.config, call.config.headers]);
  for (const owner of seen as Set<object>) {
    if (owner === call.config || owner === call.config.headers) continue;
    if (isError(owner)) hideInText(owner, call);
    for (const key of Reflect.ownKeys(owner)) {
      const property = Reflect.getOwnPropertyDescriptor(owner, key);
      const value: unknown = property?.value;
      if (key === 'data' && isAnswer(owner)) {
        exposeBody(owner, call);
        continue;
      }
      const fit = fitToShow(key, value, call);
      if (fit !== value) Reflect.set(owner, key, fit);
      else if (isOpen(value, call)) seen.add(value);
    }
  }
}

/** What to show in the place of a value. */
function fitToShow(key: PropertyKey, value: unknown, call: SentCall): unknown {
  const { config, sent } = call;
  if (typeof value === 'string') return hidden(value, call);
  if (typeof value !== 'object' || value === null) return value;
  if (key === 'request') return new SentRequest(config, call.url);
  if (value === sent || key === 'config') return config;
  if (value === sent?.headers) return config.headers;
  if (value === sent?.data) return config.data;
  // Sockets, agents and requests, whoever made them.
  if (value instanceof EventEmitter || value instanceof Request || value instanceof Headers) return undefined;
  return value;
}

/** Whether to look into a value: errors, lists and plain objects. What has a class belongs to somebody. */
function isOpen(value: unknown, { config }: SentCall): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (isError(value) || Array.isArray(value) || value instanceof axiosOf(config).AxiosHeaders) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isAnswer(value: object): value is AxiosResponse {
  return 'status' in value && typeof value.status === 'number' && 'data' in value;
}

function exposeBody(response: AxiosResponse, call: SentCall): boolean {
  call.own(response);
  if (!isOwnedStream(response.data)) return false;
  response.data.handOut(call, call.idleMsOf(response));
  return true;
}

/** Adapters of others may write what they were given into their message. */
function hideInText(error: Error, call: SentCall): void {
  for (const name of ['message', 'stack'] as const) {
    const text = error[name];
    const fit = typeof text === 'string' ? hidden(text, call) : text;
    if (fit !== text) Reflect.set(error, name, fit);
  }
}

function hidden(text: string, { credential }: SentCall): string {
  return credential ? redact(text, credential) : text;
}

/**
 * An AuthError as plugins of axios expect the errors of an instance to be: they go by `config` and `isAxiosError`, and one of
 * them lets calls wait for ever without. Not enumerable: it is no more to print than before.
 */
function forPlugins(error: AuthError, config: InternalAxiosRequestConfig): AuthError {
  // One that a strategy keeps and throws again belongs to another call by now.
  const own = 'config' in error && error instanceof AuthError ? error.again() : error;
  const { name, message, code, hint, httpStatus, retryable, retryAfterMs } = own;
  const toJSON = () => ({ name, message, code, hint, httpStatus, retryable, retryAfterMs });
  for (const [key, value] of Object.entries({ config, isAxiosError: true, toJSON })) {
    Object.defineProperty(own, key, { value, configurable: true, writable: true });
  }
  return own;
}
