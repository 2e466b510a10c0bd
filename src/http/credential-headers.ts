import type { InternalAxiosRequestConfig } from 'axios';
import { AuthError } from '../contract/auth-error';
import { type Credential, headersOf } from '../contract/credential';
import type { Origin } from './origin';

type Headers = InternalAxiosRequestConfig['headers'];

/**
 * A copy of a request's headers without any that the server would take for a credential (recorded: it looks at `x-api-key`,
 * then cookies, then `authorization`, and does not fall back), and with the credential's.
 *
 * @param credential - undefined: a strategy puts it on by itself
 * @throws AuthError `ERR_AUTH_INSECURE_URL` if a `Host` header names another host than the origin
 */
export function credentialHeaders(own: Headers, origin: Origin, credential: Credential | undefined): Headers {
  const headers: Headers = Object.create(Object.getPrototypeOf(own));
  for (const name of Object.keys(own)) {
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') checkHost(own[name], origin);
        break;
      case 6:
        if (name.toLowerCase() === 'cookie') continue;
        break;
      case 9:
        if (name.toLowerCase() === 'x-api-key') continue;
        break;
      case 13:
        if (name.toLowerCase() === 'authorization') continue;
        break;
    }
    headers[name] = own[name];
  }
  if (!credential) return headers;
  const secrets = headersOf(credential);
  for (const name in secrets) {
    if (name === 'x-api-key' || name === 'authorization' || name === 'cookie') headers[name] = secrets[name];
    else headers.set(name, secrets[name] as string); // takes the place of one in other letter case
  }
  return headers;
}

/** Qelos tells its tenants apart by this header: another one sends the credential to somebody else. */
function checkHost(value: unknown, { host }: Origin): void {
  if (value === false || value === null || value === undefined) return;
  if (String(value).toLowerCase() === host) return;
  throw new AuthError('ERR_AUTH_INSECURE_URL', `A request has a Host header that is not ${host}.`, {
    hint: 'Remove the header: the credential is for the host of QELOS_URL alone. For another host, send the request with skipAuth: true.',
  });
}

/** Headers by their names; undefined: there is none. */
export type FixedHeaders = readonly (readonly [name: string, value: string | undefined])[];

/** A request with headers in the place of a caller's own, in whatever letter case those are. */
export function withFixed(
  request: InternalAxiosRequestConfig,
  fixed: FixedHeaders | undefined,
): InternalAxiosRequestConfig {
  if (!fixed) return request;
  const headers = request.headers.concat();
  for (const [name, value] of fixed) {
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  return { ...request, headers };
}
