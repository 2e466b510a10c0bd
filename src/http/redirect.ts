import type { AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import { AuthError } from '../contract/auth-error';
import type { Origin } from './origin';
import { resolveUrl } from './origin';

/** As many as the Fetch standard allows (4.4, HTTP-redirect fetch). */
const MOST_REDIRECTS = 20;

const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308]);
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];

/** Whether an answer sends its caller elsewhere. */
export function isRedirect(response: AxiosResponse): boolean {
  return REDIRECT_STATUS.has(response.status) && typeof response.headers?.['location'] === 'string';
}

/** How many redirects a request may follow; 0: the redirect itself is its answer. */
export function mostRedirects({ maxRedirects }: InternalAxiosRequestConfig): number {
  return maxRedirects ?? MOST_REDIRECTS;
}

/**
 * The request that a redirect asks for, as the Fetch standard makes it (4.4): 303 turns everything but HEAD into GET,
 * 301 and 302 turn POST into GET, 307 and 308 send the same again.
 *
 * @param sent - the request that was answered by the redirect
 * @param canResend - whether its body can be sent again
 * @throws AuthError `ERR_AUTH_REDIRECT` if it leads out of the origin or would need the body of a stream again
 */
export function redirected(
  sent: InternalAxiosRequestConfig,
  response: AxiosResponse,
  origin: Origin,
  canResend: boolean,
): InternalAxiosRequestConfig {
  const { status } = response;
  const target = redirectTarget(resolveUrl(sent), response);
  if (!origin.owns(target)) throw leavesOrigin(target, origin, status);
  const method = (sent.method ?? 'get').toUpperCase();
  const becomesGet = (status === 303 && method !== 'HEAD') || ((status === 301 || status === 302) && method === 'POST');
  if (!becomesGet && !canResend) {
    throw new AuthError(
      'ERR_AUTH_REDIRECT',
      `The API answered with a redirect (${status}) to a request whose body is a stream.`,
      {
        hint: 'A stream can be read only once. Send such a request to the place the redirect names, or send the body as a Buffer.',
        httpStatus: status,
      },
    );
  }
  const next = { ...sent, url: target };
  for (const replaced of ['baseURL', 'params', 'paramsSerializer'] as const) delete next[replaced];
  if (becomesGet && method !== 'GET') {
    next.method = 'get';
    next.headers = Object.assign(Object.create(Object.getPrototypeOf(sent.headers)), sent.headers);
    for (const name of BODY_HEADERS) next.headers.delete(name);
    next.data = undefined;
  }
  return next;
}

/** Says that a request was redirected too often. */
export function tooManyRedirects(most: number, status: number): AuthError {
  return new AuthError('ERR_AUTH_REDIRECT', `The API answered with more than ${most} redirects in a row.`, {
    hint: 'The server redirects in a circle. Check the path of the request and what stands in front of the Qelos instance.',
    httpStatus: status,
  });
}

/**
 * Where a redirect leads.
 *
 * @throws AuthError `ERR_AUTH_REDIRECT` if that is no URL
 */
export function redirectTarget(base: string, { headers, status }: AxiosResponse): string {
  try {
    return new URL(headers['location'], base).href;
  } catch {
    throw new AuthError('ERR_AUTH_REDIRECT', `A redirect (${status}) leads to something that is no URL.`, {
      hint: 'Check the server, or the proxy in front of it, that answers this path.',
      httpStatus: status,
    });
  }
}

/**
 * Says that a redirect was not followed. Names the other origin alone: the rest of a location may hold a secret.
 *
 * @param address - of a sign-in or refresh, which is retried: the setting that the server's address is from
 */
export function leavesOrigin(target: string, origin: Origin, status: number, address?: string): AuthError {
  const other = new URL(target).origin;
  const message = `A redirect (${status}) to ${other === 'null' ? 'another scheme' : other} was not followed: the credential is for ${origin.host} alone.`;
  const moved = (setting: string) =>
    `has moved, set ${setting} to its new address (also if only http:// became https://).`;
  return new AuthError('ERR_AUTH_REDIRECT', message, {
    hint: address
      ? `If it ${moved(address)}`
      : `If the instance ${moved('QELOS_URL')} To download from another host, read the location with maxRedirects: 0 and request it without credential.`,
    httpStatus: status,
    retryable: address !== undefined,
  });
}
