import { PassThrough, Readable } from 'node:stream';
import { isNativeError } from 'node:util/types';
import type { AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { type Credential, redact } from '../credentials/credential';
import { resolveUrl } from './origin';

/**
 * What a request leaves behind must not lead to a credential: not the one it carried, and not that of another request on
 * the same keep-alive agent. Node's request and agent objects lead to both, so neither leaves this library.
 */

/** Stands in for the request object of responses; knows what callers ask it for, the URL that answered. */
class SentRequest {
  readonly #url: string | InternalAxiosRequestConfig;

  constructor(url: string | InternalAxiosRequestConfig) {
    this.#url = url;
  }

  get responseURL(): string {
    return typeof this.#url === 'string' ? this.#url : resolveUrl(this.#url);
  }

  /** Whether redirects led to another place than was asked for. */
  get isRedirected(): boolean {
    return typeof this.#url === 'string';
  }

  get res(): { responseUrl: string } {
    return { responseUrl: this.responseURL };
  }
}

/**
 * Makes a response fit to be handed out.
 *
 * @param config - the request as its caller wrote it
 * @param url - where the answer came from, if redirects led to another place than the config says
 */
export function exposeResponse(
  response: AxiosResponse,
  config: InternalAxiosRequestConfig,
  credential?: Credential,
  url?: string,
): AxiosResponse {
  hideAgents(config);
  response.config = config;
  response.request = new SentRequest(url ?? config);
  if (response.data instanceof Readable) {
    response.data = detach(response.data, (error) => exposeError(error, config, credential));
  }
  return response;
}

/** Makes whatever an adapter failed with fit to be handed out. Returns the same object where it is an object. */
export function exposeError<E>(error: E, config: InternalAxiosRequestConfig, credential?: Credential, url?: string): E {
  hideAgents(config);
  for (let current: unknown = error, depth = 0; isError(current) && depth < 8; current = current.cause, depth++) {
    scrub(current, config, credential, url);
  }
  return error;
}

/** Errors of Node itself are of another realm than code that runs in a `vm` context, as every test under jest does. */
const isError = (value: unknown): value is Error => value instanceof Error || isNativeError(value);

/** What axios and adapters of others hang on their errors. */
type AdapterError = Error & { config?: unknown; request?: unknown; response?: AxiosResponse };

function scrub(
  error: AdapterError,
  config: InternalAxiosRequestConfig,
  credential: Credential | undefined,
  url: string | undefined,
): void {
  if (error.config !== undefined) error.config = config;
  if (error.request !== undefined) delete error.request;
  if (error.response) exposeResponse(error.response, config, credential, url);
  if (!credential) return;
  // Adapters of others may write what they were given into their message.
  const message = redact(error.message, credential);
  if (message !== error.message) error.message = message;
  const stack = error.stack && redact(error.stack, credential);
  if (stack !== error.stack && stack !== undefined) error.stack = stack;
}

/** An agent leads to its sockets, and they to the requests in flight. An instance's own agents come back with its defaults. */
function hideAgents(config: InternalAxiosRequestConfig): void {
  if (config.httpAgent) config.httpAgent = undefined;
  if (config.httpsAgent) config.httpsAgent = undefined;
}

/** The same bytes from a stream that does not lead back to the request. */
function detach(source: Readable, expose: (error: Error) => Error): Readable {
  const copy = new PassThrough();
  source.once('error', (error) => copy.destroy(expose(error)));
  source.once('close', () => {
    if (!source.readableEnded)
      copy.destroy(new Error('The connection was closed before the whole answer had arrived.'));
  });
  copy.once('close', () => source.destroy());
  return source.pipe(copy);
}
