import type {
  AxiosAdapter,
  AxiosInstance,
  AxiosResponse,
  CreateAxiosDefaults,
  InternalAxiosRequestConfig,
} from 'axios';
import { AuthError } from '../contract/auth-error';
import { axiosInUse, axiosOf } from './axios';
import { adapterInNode } from './node-runtime';
import type { Origin } from './origin';
import { isRedirect, leavesOrigin, redirectTarget } from './redirect';
import { connectTo } from './sealed-agent';

/** More than any credential, less than what could hurt. */
export const MOST_BYTES = 1024 * 1024;

/** A pool may hold so many connections that the server, or something in between, has closed unnoticed. */
const MOST_DEAD_SOCKETS = 50;

/** How the instance is reached: the same agents and certificates as for requests, and nothing else of their defaults. */
export const CONNECTION = ['adapter', 'httpAgent', 'httpsAgent', 'proxy', 'lookup', 'family', 'transport'] as const;
type Connection = Pick<CreateAxiosDefaults, (typeof CONNECTION)[number]>;

/**
 * The axios instance that strategies obtain credentials with: bare, that is without a credential of ours. It sends to the
 * instance's origin alone, follows no redirect (a 307 would carry the password along), takes at most 1 MiB, ends with its
 * signal, and its errors and responses hold neither what was sent nor how.
 *
 * @param defaults - of the axios instance for the API, which say how the instance is reached
 */
export function createBareClient(
  url: string,
  origin: Origin,
  signal: AbortSignal,
  defaults: CreateAxiosDefaults,
): AxiosInstance {
  const axios = axiosInUse();
  const { adapter: chosen = adapterInNode() ?? axios.defaults.adapter, ...connection } = connectionOf(defaults);

  const adapter: AxiosAdapter = async (config) => {
    if (!origin.ownsRequest(config)) throw outsideOrigin(origin);
    if (config.signal && config.signal !== signal)
      config.signal = AbortSignal.any([config.signal as AbortSignal, signal]);
    connectTo(origin, config);
    let response: AxiosResponse;
    try {
      response = await sendOverLiving(axios.getAdapter(chosen, config), config);
    } catch (error) {
      if (axios.isAxiosError(error) && error.response && isRedirect(error.response))
        throw notFollowed(error.response, url, origin);
      throw withoutSent(error);
    }
    if (isRedirect(response)) throw notFollowed(response, url, origin);
    return bare(response);
  };

  return axios.create({
    ...connection,
    adapter,
    baseURL: url,
    signal,
    maxRedirects: 0,
    maxContentLength: MOST_BYTES,
    maxBodyLength: MOST_BYTES,
  });
}

/**
 * Sends; once more, at once, as long as what broke is a connection that was used before: it had died unnoticed while it was idle
 * (a frozen process, a NAT that forgot it), and the server has most likely never seen the request.
 */
async function sendOverLiving(send: AxiosAdapter, config: InternalAxiosRequestConfig): Promise<AxiosResponse> {
  for (let dead = 0; ; dead++) {
    try {
      return await send(config);
    } catch (error) {
      if (dead >= MOST_DEAD_SOCKETS || config.signal?.aborted || !isDeadSocket(error)) throw error;
    }
  }
}

function isDeadSocket(error: unknown): boolean {
  if (!axiosInUse().isAxiosError(error) || error.response || (error.code !== 'ECONNRESET' && error.code !== 'EPIPE'))
    return false;
  return (error.request as { reusedSocket?: unknown } | undefined)?.reusedSocket === true;
}

function connectionOf(defaults: CreateAxiosDefaults): Connection {
  return Object.fromEntries(CONNECTION.map((name) => [name, defaults[name]]));
}

function outsideOrigin(origin: Origin): AuthError {
  return new AuthError('ERR_AUTH_INSECURE_URL', `A strategy's request does not lead to ${origin.host}.`, {
    hint: 'context.http is for the Qelos instance alone. For another server, let the strategy make a client of its own.',
  });
}

function notFollowed(response: AxiosResponse, url: string, origin: Origin): AuthError {
  const target = redirectTarget(url, response);
  if (!origin.owns(target)) return leavesOrigin(target, origin, response.status, true);
  return new AuthError(
    'ERR_AUTH_REDIRECT',
    `A sign-in or refresh was answered with a redirect (${response.status}), which is never followed.`,
    {
      hint: 'Set QELOS_URL to the address that answers by itself, with its scheme and host as the server wants them.',
      httpStatus: response.status,
      retryable: true, // maintenance pages redirect too; nobody was refused
    },
  );
}

/** A response that knows what was answered, and nothing of what was sent. */
function bare(response: AxiosResponse): AxiosResponse {
  const { status, statusText, headers, data, config } = response;
  // axios parses with these after the adapter is done
  const { transformResponse, responseType, transitional, validateStatus } = config;
  const kept = { transformResponse, responseType, transitional, validateStatus, headers: {} };
  return { status, statusText, headers, data, config: kept as unknown as InternalAxiosRequestConfig };
}

/** An error of axios that knows what was answered, and nothing of what was sent. */
export function withoutSent(error: unknown): unknown {
  if (!axiosInUse().isAxiosError(error)) return error;
  const { AxiosError, isCancel } = axiosOf(error.config);
  const response = error.response && bare(error.response);
  const result = new AxiosError(error.message, error.code, undefined, undefined, response);
  if (isCancel(error)) Object.assign(result, { name: 'CanceledError', __CANCEL__: true });
  return result;
}
