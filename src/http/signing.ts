import type { InternalAxiosRequestConfig } from 'axios';
import type { OutgoingRequest, StrategyObject } from '../contract/auth-strategy';
import type { Credential } from '../contract/credential';
import { nameOf, toAuthError } from '../credentials/obtain-errors';
import { credentialHeaders } from './credential-headers';
import { type Origin, wireUrl } from './origin';

type Headers = InternalAxiosRequestConfig['headers'];

/**
 * Headers that a strategy has put the credential on by itself.
 *
 * @throws AuthError what its `authorize` failed with
 */
export async function signedHeaders(
  request: InternalAxiosRequestConfig,
  credential: Credential,
  strategy: StrategyObject,
  origin: Origin,
): Promise<Headers> {
  const headers = credentialHeaders(request.headers, origin, undefined);
  try {
    await strategy.authorize?.(outgoing(request, headers), credential);
  } catch (error) {
    throw toAuthError(error, 'signing of a request', nameOf(strategy));
  }
  return headers;
}

/** A request as a strategy's `authorize` sees it. */
function outgoing(request: InternalAxiosRequestConfig, headers: Headers): OutgoingRequest {
  return {
    method: (request.method ?? 'get').toUpperCase(),
    url: wireUrl(request),
    headers: {
      get: (name: string) => headers.get(name)?.toString(),
      set: (name: string, value: string) => void headers.set(name, value),
      delete: (name: string) => void headers.delete(name),
    },
    body: request.data,
  };
}
